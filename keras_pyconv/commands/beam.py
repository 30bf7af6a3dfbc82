"""`keras-pyconv predict --beam`: the rows of `predict` by Apache Beam.

The files are divided into shards before anything runs, the same way each time.
A worker predicts one shard and writes it in one piece, so that the same command
goes on after any interruption with the shards that are missing.
"""

import contextlib
import hashlib
import io
import json
import os
from typing import NamedTuple

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.ml.inference.base import (
    ModelHandler,
    PredictionResult,
    RunInference,
)
from apache_beam.options.pipeline_options import (
    PipelineOptions,
    StandardOptions,
)

from keras_pyconv import arguments
from keras_pyconv.commands import beam_files, quiet
from keras_pyconv.commands.answering import (
    answers,
    check_found,
    check_threshold,
)
from keras_pyconv.commands.opening import open_model
from keras_pyconv.commands.predict import SHARDED, TABLES, row
from keras_pyconv.export.signatures import recorded
from keras_pyconv.reading import explained, one_line
from keras_pyconv.storage import GRAPH, is_remote

# Runs in this process; Beam's own default fetches a program to do so.
_RUNNER = "FnApiRunner"
_SETTINGS, _FILES = "shards.json", "files.jsonl"
_FILES_A_SHARD = 1000
_FEWEST_SHARDS = 16
_LONGEST_ERROR = 2_000  # characters
_COUNTED = ("files", "broken")


class Predicted(NamedTuple):
    """What a run has done.

    Attributes:
        files: how many this run has looked at; None if its runner does not
            count.
        broken: how many of them could not be read.
        shards: files of output in all.
        kept: how many of these an earlier run had finished.
    """

    files: int | None
    broken: int
    shards: int
    kept: int

    def __str__(self):
        kept = f" ({self.kept} of them kept)" * bool(self.kept)
        if self.files is None:
            done = "predicted files, which the runner does not count"
        else:
            good = self.files - self.broken
            done = f"predicted {good} of {self.files} files"
        return f"{done}; {self.shards} shards{kept}"


class SavedModelHandler(ModelHandler):
    """What `RunInference` needs to predict with a SavedModel of this package.

    Elements are paths of images or, for a video network, of videos, on any file
    system that Beam opens. Each becomes a `PredictionResult` whose `inference`
    is a row of `keras-pyconv predict --format jsonl`, as a dictionary; that of
    a file that cannot be read has the key `reason`.

    Args:
        model: folder of a SavedModel that `keras_pyconv.export` wrote for any
            of the four tasks, or of its versions; it may lie on any file
            system that Beam opens.
        batch_size: images that the network sees at once.
        top, threshold: as in `keras_pyconv.classify`; the threshold is by
            default that of the export.

    Raises:
        ValueError: there is no SavedModel.

    Example:

    >>> handler = SavedModelHandler("saved_models/pets")
    >>> with beam.Pipeline(runner="FnApiRunner") as pipeline:
    ...     paths = pipeline | beam.Create(["photos/0.jpg"])
    ...     rows = paths | RunInference(handler)
    """

    def __init__(
        self,
        model,
        *,
        batch_size: int = 16,
        top: int | None = None,
        threshold: float | None = None,
    ):
        self._batch_size = arguments.integer("batch_size", batch_size)
        self._top = arguments.integer("top", top, optional=True)
        if threshold is not None:
            threshold = arguments.number("threshold", threshold, 0, 1)
        self._threshold = threshold
        self._model = beam_files.saved_model(model)
        super().__init__(max_batch_size=self._at_once())

    def _at_once(self):
        return self._batch_size

    @property
    def model(self) -> str:
        """The folder of the SavedModel, of several versions the newest."""
        return self._model

    def load_model(self):
        """The model, opened."""
        with quiet(), beam_files.local_folder(self._model) as folder:
            return open_model(folder)

    def answers(self, paths, opened):
        """Yields path, result and reason of each file, as `predict` does."""
        about = self._batch_size, self._top, beam_files.local, self._threshold
        return answers(opened, paths, *about)

    def run_inference(self, batch, model, inference_args=None):
        """Yields the `PredictionResult` of each path."""
        for answer in self.answers(batch, model):
            yield PredictionResult(answer[0], row(*answer), self._model)


class _ShardHandler(SavedModelHandler):
    """Of shards, `(name, paths)`: their name, their text, and counts."""

    def __init__(self, format, model, **options):
        super().__init__(model, **options)
        self._format = format

    def _at_once(self):
        return 1  # so that each is written before the next begins

    def run_inference(self, batch, model, inference_args=None):
        for name, paths in batch:
            file, broken = io.StringIO(newline=""), 0
            table = TABLES[self._format](file, model.task)
            for path, result, reason in self.answers(paths, model):
                table.write(path, result, reason)
                broken += bool(reason)
            table.end()
            yield name, file.getvalue(), (len(paths), broken)


def predict(
    model,
    sources,
    output,
    *,
    format: str = "csv",
    shards: int | None = None,
    top: int | None = None,
    threshold: float | None = None,
    batch_size: int = 16,
    options=(),
) -> Predicted:
    """Predicts files on any runner of Apache Beam; goes on where it was ended.

    `output` gets `answers-00000-of-00016.csv` and so on, which in this order
    hold the rows of `keras-pyconv predict`; `files.jsonl`, the files in the
    order of their rows; and `shards.json`, what a later run must agree with.

    Args:
        model: as `SavedModelHandler` takes it.
        sources: list of files, folders, patterns and CSV files with a column
            `path`, here or on any file system that Beam opens.
        output: a folder, likewise, that all workers can write to.
        format: "csv" or "jsonl".
        shards: how many files to write; None for one for each 1,000 files,
            and at least 16.
        top, threshold: as `SavedModelHandler` takes them.
        batch_size: images that the network sees at once.
        options: `PipelineOptions`, or a list of words of a command line, such
            as `["--runner", "FlinkRunner"]`; by default all runs in this
            process.

    Returns:
        A `Predicted`.

    Raises:
        TypeError, ValueError: an argument is not as it should be, nothing was
            found, or `output` was begun otherwise.
        NotADirectoryError: `output` is a file.
        RuntimeError: the pipeline failed; what it had finished is kept.

    Example:

    >>> predict("saved_models/pets", ["photos"], "answers", format="jsonl")
    """
    arguments.one_of("format", format, SHARDED)
    arguments.integer("shards", shards, optional=True)
    sources = list(arguments.iterable("sources", sources))
    output = os.fspath(output).rstrip("/")
    if not is_remote(output):
        arguments.new_folder("output", output)
    options = _pipeline_options(options)
    FileSystems.set_options(options)
    limits = {"top": top, "threshold": threshold}
    handler = _ShardHandler(format, model, batch_size=batch_size, **limits)
    task = handler.load_model().task
    check_threshold(threshold, task)
    paths = beam_files.find(sources, task)
    check_found(paths, sources, task)
    parts = _divided(paths, shards)
    known = {"model": _digest_of_model(handler.model), **limits}
    kept = _begin(output, known | {"format": format}, parts)
    missing = [one for one in _places(parts, format) if one[0] not in kept]
    files = broken = 0
    if missing:
        files, broken = _run(handler, output, missing, options)
    return Predicted(files, broken, len(parts), len(parts) - len(missing))


def _pipeline_options(given):
    """Beam's options of words; what Beam does not know is refused."""
    options = given
    if not isinstance(given, PipelineOptions):
        words = list(arguments.texts("options", given)) if given else []
        options = _parsed(words)
    standard = options.view_as(StandardOptions)
    standard.runner = standard.runner or _RUNNER
    return options


def _parsed(words):
    if words and not words[0].startswith("--"):
        raise ValueError(
            f"Beam's options begin with --. Received: {words[0]!r}; sources "
            "stand before --beam"
        )
    told = io.StringIO()
    try:
        with quiet(), contextlib.redirect_stderr(told):
            options = PipelineOptions(words)
            known = options.get_all_options()
            every = options.get_all_options(retain_unknown_options=True)
    except SystemExit as error:
        last = told.getvalue().strip().rpartition("\n")[2]
        raise ValueError(f"Beam refuses its options: {last}") from error
    strange = sorted(every.keys() - known.keys())
    # The servers of other runners have options of their own.
    here = known["runner"] in (None, *StandardOptions.LOCAL_RUNNERS)
    if strange and here:
        raise ValueError(f"Beam has no option --{strange[0]}")
    return options


# Shards ----------------------------------------------------------------------


def _divided(paths, shards):
    """The paths as lines of JSON, in parts as equal as may be."""
    count = shards or max(_FEWEST_SHARDS, -(-len(paths) // _FILES_A_SHARD))
    count = min(count, len(paths))
    lines = [f"{json.dumps(path)}\n" for path in paths]
    ends = [len(lines) * n // count for n in range(count + 1)]
    return ["".join(lines[a:b]) for a, b in zip(ends, ends[1:])]


def _places(parts, format):
    """Yields the name of each shard, and where its lines begin and how many
    bytes they are."""
    begin = 0
    for number, part in enumerate(parts):
        name = f"answers-{number:05}-of-{len(parts):05}.{format}"
        yield name, begin, len(part)
        begin += len(part)


def _digest_of_model(folder):
    """Tells one SavedModel from another at the same place."""
    there = beam_files.names(folder)
    # TensorFlow's fingerprint has a checksum of the weights.
    files = [n for n in (GRAPH, "fingerprint.pb") if n in there]
    place, _, record = recorded.FILE.rpartition("/")
    if record in beam_files.names(beam_files.join(folder, place)):
        files.append(recorded.FILE)
    content = b"".join(
        beam_files.read(beam_files.join(folder, n)) for n in files
    )
    return hashlib.sha256(content).hexdigest()


def _begin(output, known, parts):
    """Names of what an earlier run like this one has left in the folder."""
    text = "".join(parts)
    digest = hashlib.sha256(text.encode()).hexdigest()
    known |= {"shards": len(parts), "files": digest}
    settings = beam_files.join(output, _SETTINGS)
    there = beam_files.names(output)
    if _SETTINGS not in there:
        beam_files.write(beam_files.join(output, _FILES), text)
        beam_files.write(settings, json.dumps(known, indent=1) + "\n")
        return set()
    content = beam_files.read(settings)
    with explained(f"{settings} is damaged"):
        begun = dict(json.loads(content))
    others = [name for name in known if known[name] != begun.get(name)]
    if others:
        raise ValueError(
            f"{output} was begun with other {', '.join(others)}: give what is "
            f"in its {_SETTINGS}, or another output"
        )
    return there


# The pipeline ----------------------------------------------------------------


def _run(handler, output, missing, options):
    """Predicts and writes the missing shards; counts of files and broken."""
    pipeline = beam.Pipeline(options=options)
    _ = (
        pipeline
        | "Shards" >> beam.Create(missing)
        | "Spread" >> beam.Reshuffle()
        | "List" >> beam.Map(_listed, beam_files.join(output, _FILES))
        | "Predict" >> RunInference(handler)
        | "Write" >> beam.Map(_write, output)
    )
    try:
        result = pipeline.run()
        result.wait_until_finish()
    except (OSError, ValueError, RuntimeError):
        raise
    # Other runners have errors of their own.
    except Exception as error:
        raise RuntimeError(one_line(error, _LONGEST_ERROR)) from error
    ours = MetricsFilter().with_namespace(__name__)
    counters = result.metrics().query(ours)["counters"]
    counted = {one.key.metric.name: one.result for one in counters}
    return counted.get("files"), counted.get("broken", 0)


def _listed(place, file):
    name, *window = place
    lines = beam_files.read(file, *window).decode().splitlines()
    return name, list(map(json.loads, lines))


def _write(shard, output):
    name, text, counts = shard
    beam_files.write(beam_files.join(output, name), text)
    for counter, count in zip(_COUNTED, counts):
        Metrics.counter(__name__, counter).inc(count)
