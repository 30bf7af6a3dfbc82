"""`check`: the proof that a SavedModel answers in stock TF Serving.

Two fresh processes answer, oneDNN on and off: it is off by default on
processors without AVX512_VNNI, AVX_VNNI or AMX, where TensorFlow rewrites some
grouped convolutions into one that fails at the first request.
"""

import contextlib
import dataclasses
import pathlib
from collections.abc import Sequence

import keras

from keras_pyconv import arguments, storage
from keras_pyconv.export.form import TOLERANCE, formed
from keras_pyconv.export.inspect import UNKNOWN_SIZES, inspect, is_sound
from keras_pyconv.export.proof import claims
from keras_pyconv.export.proof.claims import Report, Row
from keras_pyconv.export.proof.clean_process import Asked
from keras_pyconv.export.proof.questions import PLAIN, fitting, questions
from keras_pyconv.export.serving.audit import read_signatures
from keras_pyconv.export.serving.module import traced_model
from keras_pyconv.export.serving.warmup import read_warmup
from keras_pyconv.export.signatures import recorded
from keras_pyconv.export.signatures.classifier import (
    classifier_signatures,
    raw_signature,
)
from keras_pyconv.export.signatures.signature import Signature
from keras_pyconv.lazy import tf
from keras_pyconv.typing import PathLike

SETTINGS = {"oneDNN on": True, "oneDNN off": False}
TOLERANCES = {"oneDNN on": claims.BFLOAT16_TOLERANCE}  # of an export in both


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A SavedModel to check, and what `check` takes beside it."""

    path: PathLike
    model: object = None
    signatures: Sequence[Signature] | None = None


def _signatures(candidate, seen, specs, note):
    """The `Signature` records that say what the Keras model answers."""
    if candidate.signatures is not None:
        return candidate.signatures
    if "probabilities" not in specs["serving_default"].outputs:
        return [raw_signature(seen)]
    note = note or recorded.Recorded()
    made = note.preprocessing if "serve_bytes" in specs else None
    about = note.labels, note.top_k, made, note.threshold
    return classifier_signatures(seen, *about)


def _keras_answers(candidate, specs, asked):
    """What the Keras model says to the questions, by signature and kind."""
    seen, note = inspect(candidate.model), recorded.read(candidate.path)
    shared = traced_model(formed(seen, fold=False))
    signatures = _signatures(candidate, seen, specs, note)
    functions = {each.name: each.traced(shared) for each in signatures}
    wanted = {}
    for name, kind, inputs in asked:
        if kind in PLAIN and name in functions:
            tensors = {key: tf.constant(array) for key, array in inputs.items()}
            outputs = functions[name](**tensors)
            kept = set(outputs)
            # Labels and the number of best classes are not the model's.
            if not (candidate.signatures or note) and "probabilities" in kept:
                kept = {"probabilities"}
            wanted[name, kind] = {key: outputs[key].numpy() for key in kept}
    return wanted


def _is_open(spec):
    shapes = (one.shape for one in spec.inputs.values())
    return any(shape.rank and None in shape.as_list()[1:] for shape in shapes)


class _Examination:
    """One candidate: what it is asked, and the rows of its report."""

    def __init__(self, candidate):
        self.path = pathlib.Path(candidate.path)
        self.candidate = candidate
        self.specs = specs = read_signatures(self.path)
        self.rows = list(claims.static_rows(self.path, specs))
        self.runs = all(
            row.passed for row in self.rows if row.claim == claims.RUNS
        )
        self._warmup = []
        try:
            self._warmup = fitting(read_warmup(self.path), specs)
        except ValueError as error:
            claim = "the warm-up requests can be read"
            self.rows.append(Row(claim, False, str(error)))
        note, self.sizes = recorded.read(self.path), UNKNOWN_SIZES
        self.is_in_both = bool(note and note.bfloat16)
        if note or not any(map(_is_open, specs.values())):
            self.sizes = [note.size if note else UNKNOWN_SIZES[0]]
        self.ask_at(self.sizes[0])

    def ask_at(self, size):
        """Makes the questions, with `size` for every open axis."""
        self.asked = [
            (name, kind, inputs)
            for name, spec in self.specs.items()
            for kind, inputs in questions(name, spec, self._warmup, size)
        ]

    def jobs(self):
        """A job for each setting; the warm-up is replayed in the first."""
        requests = [(name, inputs) for name, _, inputs in self.asked]
        others = [(self.path, requests)] * (len(SETTINGS) - 1)
        return [(self.path, [*requests, *self._warmup]), *others]

    def is_too_small(self, sessions):
        """Whether an answer looks as if the input were too small."""
        return any(
            (row.error or "").startswith("InvalidArgumentError")
            or not all(map(is_sound, row.outputs.values()))
            for session in sessions
            for (_, kind, _), row in zip(self.asked, session.answers)
            if kind in PLAIN
        )

    def report(self, sessions):
        """The `Report`, once the sessions are over."""
        rows = list(self.rows)
        if not self.runs:
            return Report(self.path, tuple(rows))
        asked = {name for name, _, _ in self.asked}
        detail = "its inputs are text that cannot be guessed"
        left_out = [name for name in self.specs if name not in asked]
        rows += [Row(f"{n}: not asked", True, detail) for n in left_out]
        wanted = None
        if self.candidate.model is not None:
            wanted = _keras_answers(self.candidate, self.specs, self.asked)
        for where, session in zip(SETTINGS, sessions):
            rows += claims.session_rows(where, session)
            if not session.load_error:
                rows += self._answer_rows(where, session.answers, wanted)
        if self.is_in_both:
            asked = (s.answers[: len(self.asked)] for s in sessions)
            rows.append(claims.precision_row(*asked))
        return Report(self.path, tuple(rows))

    def _answer_rows(self, where, answers, wanted):
        by_name, tolerance = {}, TOLERANCE
        if self.is_in_both:
            tolerance = TOLERANCES.get(where, tolerance)
        for (name, kind, _), answer in zip(self.asked, answers):
            by_name.setdefault(name, {})[kind] = answer
        for name, mine in by_name.items():
            yield from claims.answer_rows(f"{where}, {name}", mine, tolerance)
        replayed = answers[len(self.asked) :]
        if replayed:
            error = next((row.error for row in replayed if row.error), "")
            claim = f"{where}: {len(replayed)} warm-up requests pass"
            yield Row(claim, not error, error)
        if wanted is not None:
            yield claims.model_row(where, wanted, by_name, tolerance)


def _run(examinations):
    """The sessions of each examination, in one process a setting."""
    if not examinations:
        return {}
    by_setting = zip(*(each.jobs() for each in examinations))
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(Asked(jobs, onednn))
            for onednn, jobs in zip(SETTINGS.values(), by_setting)
        ]
        sessions = [process.sessions() for process in running]
    return dict(zip(examinations, zip(*sessions)))


def check_all(candidates):
    """Proves several `Candidate`s at once, as `check` does one."""
    examinations = [_Examination(candidate) for candidate in candidates]
    left = [each for each in examinations if each.runs]
    sessions = _run(left)
    for step in range(1, len(UNKNOWN_SIZES)):
        left = [
            each
            for each in left
            if step < len(each.sizes) and each.is_too_small(sessions[each])
        ]
        for each in left:
            each.ask_at(each.sizes[step])
        sessions |= _run(left)
    return [each.report(sessions.get(each)) for each in examinations]


def check(
    path: PathLike,
    model: keras.Model | None = None,
    signatures: Sequence[Signature] | None = None,
) -> Report:
    """Checks that a SavedModel works in TF Serving.

    Each signature is called with two examples, with each of them alone, with
    zeros and large numbers or unusual and broken images, and with an empty
    batch, in two fresh processes: with oneDNN and without. The warm-up
    requests of the export are replayed. This takes about ten seconds for a
    small model. If the export does not record its sizes, open ones are 64, or
    larger if the model needs it. A graph that reads or writes files is not
    run.

    Args:
        path: folder of one version, such as `saved_models/digits/1`; of another
            file system a copy is checked.
        model: the exported `keras.Model`, to compare the outputs with, or None.
        signatures: the `Signature` records of the export, if you passed some;
            they are compared with `model` too.

    Returns:
        `Report` with `passed`, and `rows` of `claim`, `passed` and `detail`;
        its text is readable.

    Raises:
        ValueError: there is no readable SavedModel at `path`.
        RuntimeError: a process died or took more than ten minutes.

    Example:

    >>> print(keras_pyconv.export.check("saved_models/digits/1", model))
    """
    arguments.path("path", path, anywhere=True)
    if model is not None:
        arguments.model("model", model)
    if signatures is not None:
        arguments.instance("signatures", signatures, (list, tuple))
    with storage.fetched(path) as folder:
        (report,) = check_all([Candidate(folder, model, signatures)])
    if storage.is_remote(path):
        report = dataclasses.replace(report, path=path)
    return report
