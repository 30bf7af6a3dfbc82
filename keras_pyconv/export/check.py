"""`check`: the proof that a SavedModel answers in stock TF Serving.

The server's binary is not needed. Two fresh processes, oneDNN on and off,
load the version as the server loads it, with XLA compilation switched off,
and answer requests. Both settings count: oneDNN is off by default on
processors without AVX512_VNNI, AVX_VNNI or AMX, and there TensorFlow
rewrites some grouped convolutions into one that fails at the first request.
"""

import dataclasses
import pathlib
import re

import numpy as np

from keras_pyconv.export.audit import audit, read_signatures
from keras_pyconv.export.clean_process import run_sessions
from keras_pyconv.export.entry_points import WRITABLE
from keras_pyconv.export.serving_form import UNKNOWN_SIZES, is_sound

TOLERANCE = 1e-4  # of the largest value, as in the form that is served

RANKED = ("classes", "labels")  # outputs that are sorted by `scores`
SETTINGS = {"oneDNN on": True, "oneDNN off": False}


@dataclasses.dataclass(frozen=True)
class Row:
    """One claim about the SavedModel, and whether it holds."""

    claim: str
    passed: bool
    detail: str = ""

    def __str__(self):
        mark = "ok  " if self.passed else "FAIL"
        return f"{mark}  {self.claim}" + f": {self.detail}" * bool(self.detail)


@dataclasses.dataclass(frozen=True)
class Report:
    """Everything that `check` found out about one SavedModel."""

    path: pathlib.Path
    rows: tuple

    @property
    def passed(self):
        """Whether every claim holds."""
        return all(row.passed for row in self.rows)

    def __str__(self):
        failed = sum(not row.passed for row in self.rows)
        verdict = f"{failed} of {len(self.rows)} checks failed"
        if self.passed:
            verdict = f"all {len(self.rows)} checks passed"
        return "\n".join([str(self.path), *map(str, self.rows), verdict])


def _probe(spec, generator, size):
    """A batch of two random examples for one input."""
    shape = [2, *(size if n is None else n for n in spec.shape[1:])]
    if "float" in spec.dtype:
        return generator.normal(size=shape).astype(spec.dtype)
    if spec.dtype == "uint8":
        return generator.integers(0, 256, shape).astype(np.uint8)
    return generator.integers(0, 2, shape).astype(spec.dtype)


def make_requests(name, signature, size=UNKNOWN_SIZES[0]):
    """The requests that prove one signature, the batch of two first.

    Args:
        name: of the signature.
        signature: `Signature` of numeric inputs.
        size: of every axis that the signature leaves open.

    Returns:
        List of four `(name, inputs)`: two random examples, the first alone,
        the second alone, and one example of zeros.
    """
    generator = np.random.default_rng(0)
    both = {
        key: _probe(spec, generator, size)
        for key, spec in signature.inputs.items()
    }
    first = {key: array[:1] for key, array in both.items()}
    second = {key: array[1:] for key, array in both.items()}
    zeros = {key: np.zeros_like(array) for key, array in first.items()}
    return [(name, inputs) for inputs in (both, first, second, zeros)]


def _difference(wanted, got):
    """What differs between two dictionaries of outputs, or an empty text."""
    ranked = np.shape(wanted.get("scores")) or None
    for name, expected in wanted.items():
        received = got[name]
        if expected.shape != received.shape:
            return f"{name} has shape {received.shape}, not {expected.shape}"
        if expected.dtype.kind == "f":
            error = np.abs(expected - received).max(initial=0.0)
            largest = np.abs(expected).max(initial=0.0)
            if not error <= TOLERANCE * largest:
                return f"{name} differs by {error:.1e}"
        elif name in RANKED and expected.shape == ranked:
            clear = _clearly_ranked(wanted["scores"])
            if np.any(clear & (expected != received)):
                return f"{name} differs"
        elif np.any(expected != received):
            return f"{name} differs"
    return ""


def _clearly_ranked(scores):
    """Where a score is so far from its neighbours that its rank is sure."""
    noise = 2 * TOLERANCE * np.abs(scores).max(initial=0.0)
    gaps = -np.diff(scores, axis=-1) > noise
    sure = np.ones((*scores.shape[:-1], 1), bool)
    # The score below the last one is unknown, so the last rank is not sure.
    return np.concatenate([sure, gaps], -1) & np.concatenate([gaps, ~sure], -1)


def _joined(first, second):
    return {key: np.concatenate([first[key], second[key]]) for key in first}


def _static_rows(path, signatures):
    """Claims that the file alone decides."""
    is_version = re.fullmatch("[0-9]+", path.resolve().name) is not None
    yield Row("the folder's name is a version", is_version)
    findings = audit(path)
    yield Row(
        "no must-compile function, Python function or pinned device",
        not findings,
        "; ".join(map(str, findings[:3])),
    )
    bare = [
        f"{name}.{output}"
        for name, signature in signatures.items()
        for output, spec in signature.outputs.items()
        if spec.shape == () or (spec.shape and spec.shape[0] is not None)
    ]
    yield Row("every output has a batch of any size", not bare, " ".join(bare))
    odd = [
        f"{name}.{output} is {spec.dtype}"
        for name, signature in signatures.items()
        for output, spec in signature.outputs.items()
        if spec.dtype not in WRITABLE
    ]
    yield Row("every output can be written as JSON", not odd, ", ".join(odd))


def _answer_rows(where, name, answers):
    """Claims about one signature's answers to `make_requests`."""
    error = next((row.error for row in answers if row.error), None)
    yield Row(f"{where}, {name}: answers", error is None, error or "")
    if error is not None:
        return
    both, first, second, _ = (row.outputs for row in answers)
    infinite = [
        key
        for row in answers
        for key, array in row.outputs.items()
        if array.dtype.kind == "f" and not np.isfinite(array).all()
    ]
    yield Row(
        f"{where}, {name}: answers are finite",
        not infinite,
        ", ".join(dict.fromkeys(infinite)),
    )
    if {"scores", "classes", "probabilities"} <= set(both):
        chosen = np.take_along_axis(
            both["probabilities"], both["classes"], axis=-1
        )
        yield Row(
            f"{where}, {name}: scores are the probabilities of their classes",
            np.array_equal(chosen, both["scores"]),
        )
    try:
        difference = _difference(both, _joined(first, second))
    except (ValueError, KeyError) as error:
        difference = str(error)
    yield Row(
        f"{where}, {name}: a batch of 2 equals 2 batches of 1",
        not difference,
        difference,
    )


def _model_row(where, model, requests, answers):
    """The claim that the answers of the default signature are the model's."""
    differences = []
    for (name, inputs), answer in zip(requests, answers):
        if name == "serving_default" and not answer.error:
            wanted = model(inputs)
            differences.append(_difference(wanted, answer.outputs))
    difference = next(filter(None, differences), "")
    return Row(
        f"{where}: answers equal the Keras model's",
        bool(differences) and not difference,
        difference,
    )


def _keras_answers(model, signatures):
    """Function from a request to what the Keras model says to it."""
    from keras_pyconv.export.serving_form import serving_form
    from keras_pyconv.export.signatures import serving_function

    names = signatures["serving_default"].outputs
    task = "classification" if "probabilities" in names else "raw"
    in_float32 = serving_form(model, fold=False)
    function = serving_function(in_float32, task=task)

    def answer(inputs):
        import tensorflow as tf

        tensors = {key: tf.constant(array) for key, array in inputs.items()}
        outputs = function(**tensors)
        # Labels and the number of best classes are not the model's.
        kept = {"probabilities"} if task == "classification" else outputs
        return {name: outputs[name].numpy() for name in kept}

    return answer


def _session_rows(where, session):
    """Claims about the process and the loading."""
    yield Row(
        f"{where}: loads without Keras and this package",
        session.load_error is None,
        session.load_error or "",
    )
    if not session.xla_disabled:
        detail = "not possible with this TensorFlow; the file was read instead"
        yield Row(f"{where}: XLA switched off", True, detail)


def _is_asked(signature):
    """Whether random numbers can be put in."""
    specs = signature.inputs.values()
    return all(spec.dtype != "string" and spec.shape for spec in specs)


def _is_open(signature):
    return any(None in spec.shape[1:] for spec in signature.inputs.values())


def _may_be_too_small(session):
    """Whether an answer looks as if the input had shrunk to nothing."""
    return any(
        (row.error or "").startswith("InvalidArgumentError")
        or not all(map(is_sound, row.outputs.values()))
        for row in session.answers
    )


def _ask(path, signatures):
    """The requests, each signature's span of them, and the sessions.

    Where a signature takes any size, it is asked at the first one of
    `UNKNOWN_SIZES` at which it answers.
    """
    is_open = any(map(_is_open, signatures.values()))
    for size in UNKNOWN_SIZES if is_open else UNKNOWN_SIZES[:1]:
        requests, spans = [], {}
        for name, signature in signatures.items():
            asked = make_requests(name, signature, size)
            spans[name] = slice(len(requests), len(requests) + len(asked))
            requests += asked
        sessions = run_sessions(path, requests, list(SETTINGS.values()))
        if not any(map(_may_be_too_small, sessions)):
            break
    return requests, spans, sessions


def check(path, model=None):
    """Proves that a SavedModel answers as stock TF Serving would run it.

    Every signature of numeric inputs is asked for two random examples, for
    each of them alone, and for zeros, in two fresh processes: with oneDNN
    and without. Takes about ten seconds for a small model. Sizes that a
    signature leaves open are 64 there, or as many as it takes to answer.

    Args:
        path: folder of one version, such as `saved_models/digits/1`.
        model: the `keras.Model` that was exported, to compare the answers
            with, or None.

    Returns:
        `Report` with `passed`, and `rows` of `claim`, `passed` and `detail`;
        its text is readable.

    Raises:
        ValueError: there is no readable SavedModel at `path`.
        RuntimeError: a process died or was not done within ten minutes.

    Example:

    ```python
    report = keras_pyconv.export.check("saved_models/digits/1", model)
    print(report)
    ```
    """
    path = pathlib.Path(path)
    signatures = read_signatures(path)
    rows = list(_static_rows(path, signatures))
    asked = {k: s for k, s in signatures.items() if _is_asked(s)}
    for name in sorted(set(signatures) - set(asked)):
        rows.append(Row(f"{name}: not asked", True, "its inputs are text"))
    if model is not None:
        keras_answers = _keras_answers(model, signatures)
    requests, spans, sessions = _ask(path, asked)
    for where, session in zip(SETTINGS, sessions):
        rows += _session_rows(where, session)
        if session.load_error:
            continue
        for name, span in spans.items():
            rows += _answer_rows(where, name, session.answers[span])
        if model is not None:
            rows.append(
                _model_row(where, keras_answers, requests, session.answers)
            )
    return Report(path, tuple(rows))
