"""`keras-pyconv predict`: runs a model on images or videos."""

import argparse
import contextlib
import csv
import json
import logging
import os
import pathlib
import sys

from keras_pyconv.commands import (
    MODEL_OPTIONS,
    add_model_options,
    open_model_of,
    quiet,
)
from keras_pyconv.reading import check_new_folder
from keras_pyconv.storage import is_remote

_FORMATS = ("csv", "json", "jsonl")
SHARDED = ("csv", "jsonl")
_TO_BEAM = ("output", "format", "shards", "top", "threshold", "batch_size")
_EXAMPLES = """
MODEL is a run's folder, a preset, a SavedModel, a .keras, .tflite, .onnx or
weights file, a network with published weights, or digits_in_photos.

  keras-pyconv predict --model digits_in_photos photos/ --output out --report
  keras-pyconv predict --model runs/pets 'photos/*.jpg' --format jsonl
"""


def options(name, parser, words):
    """The options of the words."""
    add = parser.add_argument
    parser.usage = "%(prog)s --model MODEL [OPTION ...] SOURCE [SOURCE ...]"
    parser.epilog = _EXAMPLES
    source = "images, videos, folders, patterns, CSV (column `path`)"
    add("source", nargs="+", metavar="SOURCE", help=source)
    add("--model", required=True, help="model to run, see below")
    add_model_options(add)
    output = "output folder; default: print to the terminal"
    add("--output", metavar="FOLDER", help=output)
    form = "output format (%(default)s)"
    add("--format", choices=_FORMATS, default="csv", help=form)
    draw = "also write images with the predictions drawn on them"
    add("--draw", action="store_true", help=draw)
    report = "also write report.html, filterable by class"
    add("--report", action="store_true", help=report)
    top = "classes to report per image (5; all of several labels)"
    add("--top", type=int, metavar="N", help=top)
    threshold = "lowest score to report (0.5 of several labels)"
    add("--threshold", type=float, metavar="SCORE", help=threshold)
    batch = "images per batch (%(default)s)"
    add("--batch-size", type=int, default=16, metavar="N", help=batch)
    shards = "number of output files, with --beam"
    add("--shards", type=int, metavar="N", help=shards)
    on_beam = "run on Apache Beam; options after it are Beam's"
    add("--beam", nargs=argparse.REMAINDER, help=on_beam)
    found = parser.parse_args(words)
    _check_beam(parser, found)
    if found.beam is None and is_remote(found.output):
        parser.error("--output is a folder on this machine, without --beam")
    if found.beam is None and found.output:
        try:
            check_new_folder(found.output)
        except OSError as error:
            parser.error(f"--output: {error}")
    for flag in ("draw", "report"):
        if getattr(found, flag) and not found.output:
            parser.error(f"--{flag} writes files: add --output FOLDER")
    for flag in ("top", "batch_size"):
        if (getattr(found, flag) or 1) < 1:
            parser.error(f"--{flag.replace('_', '-')} must be at least 1")
    if found.threshold is not None and not 0 <= found.threshold <= 1:
        parser.error("--threshold must be from 0 to 1")
    found.run = run
    return found


def _check_beam(parser, found):
    """Refuses what goes with `--beam` alone, or not with it."""
    if found.beam is None:
        if found.shards is not None:
            parser.error("--shards goes with --beam")
        return
    if not found.output:
        parser.error("--beam writes files: add --output FOLDER")
    if found.format not in SHARDED:
        parser.error(f"--beam writes --format {' or '.join(SHARDED)}")
    for flag in ("draw", "report", *MODEL_OPTIONS):
        if getattr(found, flag):
            parser.error(f"--{flag} does not go with --beam")


def run(options):
    """Answers; 1 where nothing could be read."""
    if options.beam is not None:
        return _run_on_beam(options)
    from keras_pyconv.commands.answering import (
        answers,
        check_found,
        check_threshold,
        find_files,
    )

    opened = open_model_of(options)
    check_threshold(options.threshold, opened.task)
    paths = find_files(options.source, opened.task)
    check_found(paths, options.source, opened.task)
    limits = {"top": options.top, "threshold": options.threshold}
    found = answers(opened, paths, options.batch_size, **limits)
    broken = 0
    with _writers(options, opened, paths) as writers:
        for path, result, reason in found:
            broken += bool(reason)
            for write in writers:
                write(path, result, reason)
    told = f"predicted {len(paths) - broken} of {len(paths)} files"
    told += f" into {options.output}" if options.output else ""
    print(told, file=sys.stderr)
    return int(broken == len(paths))


def _run_on_beam(options):
    try:
        with quiet():
            from keras_pyconv.commands.beam import predict
    except ImportError as error:
        raise ImportError(
            f"--beam needs Apache Beam, which cannot be imported ({error}): "
            "pip install '.[beam]' in an environment of its own"
        ) from error
    logging.root.addFilter(_is_no_noise)
    named = {name: getattr(options, name) for name in _TO_BEAM}
    done = predict(options.model, options.source, options=options.beam, **named)
    print(f"{done} in {options.output}", file=sys.stderr)
    return int(bool(done.files) and done.files == done.broken)


def _is_no_noise(said):
    """Whether Beam does not say that a part that is not needed is missing."""
    return "Resource module is not available" not in str(said.msg)


@contextlib.contextmanager
def _writers(options, opened, paths):
    """Functions of a path, its result and the reason why there is none."""
    from keras_pyconv.page import page
    from keras_pyconv.progress import Bar
    from keras_pyconv.writing import replacing

    with contextlib.ExitStack() as stack:
        file, folder = sys.stdout, options.output
        if folder:
            folder = pathlib.Path(folder)
            beside = stack.enter_context(
                replacing(folder / f"answers.{options.format}")
            )
            file = open(beside, "w", newline="", encoding="utf-8")
            stack.enter_context(file)
        table = TABLES[options.format](file, opened.task)
        writers = [table.write]
        if options.draw:
            place = _place(paths)
            writers.append(
                lambda path, result, _: result
                and result.draw(folder / "drawn" / f"{place(path)}.png")
            )
        if options.report:
            title = f"{opened.name}: {opened.task} of {len(paths)} files"
            shown = stack.enter_context(page(folder / "report.html", title))
            writers.append(lambda *answer: _show(shown, *answer))
        if folder:
            bar = Bar(len(paths), unit_name="file")
            writers.append(lambda *_: bar.add(1))
        yield writers
        table.end()


def _place(paths):
    """Function of a path to where it lies below what all share."""
    folders = {os.path.dirname(os.path.abspath(path)) for path in paths}
    root = os.path.commonpath(folders)
    return lambda path: os.path.relpath(os.path.abspath(path), root)


def _show(page, path, result, reason):
    if result is None:
        page.add(path, "could not be read", reason)
        return
    from keras_pyconv.figures import share
    from keras_pyconv.tasks.classification import Classification

    rows = _named(result)
    text, pixels = "", None
    # Other drawings hold these words, where they belong.
    if isinstance(result, Classification):
        text = ", ".join(f"{name} {share(score)}" for name, score in rows[:5])
        pixels = result.image.repeat(3 // result.image.shape[2], axis=2)
    first = rows[0][0] if rows else "nothing"
    page.add(path, first, text, result.draw() if pixels is None else pixels)


def _named(result):
    """Names and scores, the best first; of regions their shares."""
    about = result.to_dict()
    rows = about.get("classes", about.get("objects"))
    return [(r["name"], r.get("score", r.get("share"))) for r in rows]


# Tables ----------------------------------------------------------------------


def _sizes(result):
    """Height and width of an image; of a video the number of its views."""
    if hasattr(result, "views"):
        return {"views": result.views}
    return dict(zip(("height", "width"), result.image.shape))


class _Csv:
    """A row an image or video; of boxes and regions a row each."""

    def __init__(self, file, task):
        size = ["views"] if task == "video" else ["height", "width"]
        more = {
            "detection": ["ymin", "xmin", "ymax", "xmax"],
            "segmentation": ["pixels"],
        }.get(task, ["others"])
        columns = ["file", *size, "class", "score", *more, "reason"]
        self._table = csv.DictWriter(file, columns, lineterminator="\n")
        self._table.writeheader()

    def write(self, path, result, reason):
        if result is None:
            self._table.writerow({"file": path, "reason": reason})
            return
        for row in self._rows(result.to_dict(), _named(result)):
            self._table.writerow({"file": path, **_sizes(result), **row})

    @staticmethod
    def _rows(about, named):
        first = [{"class": n, "score": f"{s:.6f}"} for n, s in named]
        if "objects" in about:
            boxes = [one["box"] for one in about["objects"]]
            corners = ("ymin", "xmin", "ymax", "xmax")
            return [
                {**row, **{c: f"{v:.1f}" for c, v in zip(corners, box)}}
                for row, box in zip(first, boxes)
            ] or [{}]
        if not first:
            return [{}]
        if "pixels" in about["classes"][0]:
            counts = [one["pixels"] for one in about["classes"]]
            return [{**row, "pixels": n} for row, n in zip(first, counts)]
        others = "; ".join(f"{name} {score:.6f}" for name, score in named[1:])
        return [{**first[0], "others": others}]

    def end(self):
        pass


def row(path, result, reason):
    """What is said of a file, as JSON can hold it."""
    about = {"reason": reason}
    if result is not None:
        about = {**_sizes(result), **result.to_dict()}
    return {"file": path, **about}


class _Lines:
    """A JSON object a line."""

    before, between, after = "", "\n", "\n"

    def __init__(self, file, task):
        self._file, self._begun = file, False

    def write(self, path, result, reason):
        text = json.dumps(row(path, result, reason))
        self._file.write((self.between if self._begun else self.before) + text)
        self._begun = True

    def end(self):
        self._file.write(self.after)


class _Json(_Lines):
    """One JSON list."""

    before, between, after = "[\n", ",\n", "\n]\n"


TABLES = {"csv": _Csv, "jsonl": _Lines, "json": _Json}
