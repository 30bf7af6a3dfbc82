"""What `check` claims about a SavedModel, each with its proof or fault."""

import dataclasses
import pathlib
import re
from typing import Any

import numpy as np

from keras_pyconv.export.form import TOLERANCE
from keras_pyconv.export.proof.questions import PLAIN
from keras_pyconv.export.serving.audit import FILES, audit
from keras_pyconv.export.signatures.signature import unservable

RUNS = "no operation reads or writes files"
# Of the largest output of a network in bfloat16, which has eight bits.
BFLOAT16_TOLERANCE = 1e-1
UNRANKED = ("scores", "probabilities")  # what `scores` do not sort


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

    path: pathlib.Path | Any  # text where it is on another file system
    rows: tuple

    @property
    def passed(self) -> bool:
        """Whether every claim holds."""
        return all(row.passed for row in self.rows)

    def __str__(self):
        failed = sum(not row.passed for row in self.rows)
        verdict = f"{failed} of {len(self.rows)} checks failed"
        if self.passed:
            verdict = f"all {len(self.rows)} checks passed"
        return "\n".join([str(self.path), *map(str, self.rows), verdict])


def unless(fault, claim):
    """A row that passes where there is no fault."""
    return Row(claim, not fault, fault or "")


def difference_of(wanted, got, tolerance=TOLERANCE):
    """What differs between two dictionaries of outputs, or an empty text."""
    scores = wanted.get("scores", np.zeros(()))
    for name, expected in wanted.items():
        if name not in got:
            return f"there is no {name}, only {', '.join(got)}"
        received = got[name]
        if expected.shape != received.shape:
            return f"{name} has shape {received.shape}, not {expected.shape}"
        ranked = scores.ndim == 2 and expected.shape[:2] == scores.shape
        if ranked and name not in UNRANKED:
            clear = _clearly_ranked(scores, tolerance)
            expected, received = expected[clear], received[clear]
        if expected.dtype.kind == "f":
            error = np.abs(expected - received).max(initial=0.0)
            largest = np.abs(expected).max(initial=0.0)
            if not error <= tolerance * largest:
                return f"{name} differs by {error:.1e}"
        else:
            others = np.count_nonzero(expected != received)
            if others > _share(name, tolerance) * expected.size:
                return f"{name} differs"
    return ""


def _share(name, tolerance):
    """The share of integers and strings that may differ."""
    if tolerance <= TOLERANCE:
        return 0.0
    # Rounding moves some pixels of a mask to other classes, in its file too.
    return 1.0 if name.endswith("_bytes") else tolerance


def _clearly_ranked(scores, tolerance):
    """Where scores differ so much that rounding cannot change their rank."""
    noise = 2 * tolerance * np.abs(scores).max(initial=0.0)
    gaps = -np.diff(scores, axis=-1) > noise
    sure = np.ones((*scores.shape[:-1], 1), bool)
    # The score below the last one is unknown, so the last rank is not sure.
    return np.concatenate([sure, gaps], -1) & np.concatenate([gaps, ~sure], -1)


def static_rows(path, signatures):
    """Claims that are checked without running the model."""
    is_version = re.fullmatch("[0-9]+", path.resolve().name) is not None
    yield Row("the folder's name is a version", is_version)
    findings = audit(path)
    refused = [str(each) for each in findings if each.kind != FILES]
    claim = "no must-compile function, Python function or pinned device"
    yield unless("; ".join(refused[:3]), claim)
    on_files = [str(each) for each in findings if each.kind == FILES]
    yield unless("; ".join(on_files[:3]), RUNS)
    faults = [
        f"{name}.{output} {fault}"
        for name, signature in signatures.items()
        for output, spec in signature.outputs.items()
        if (fault := unservable(spec))
    ]
    claim = "every output can be written as JSON, for a batch of any size"
    yield unless(" ".join(faults), claim)


def _infinite(answers):
    """Names of outputs that hold NaN or infinity."""
    found = {
        key: None
        for kind, answer in answers.items()
        if kind not in ("broken", "empty")
        for key, array in answer.outputs.items()
        if array.dtype.kind == "f" and not np.isfinite(array).all()
    }
    return ", ".join(found)


def _of_one_by_one(answers, tolerance):
    """How the answer to two examples differs from two single answers."""
    kinds = ("both", "first", "second")
    both, *each = (answers[kind].outputs for kind in kinds)
    try:
        joined = {k: np.concatenate([one[k] for one in each]) for k in both}
        return difference_of(both, joined, tolerance)
    except (ValueError, KeyError) as error:
        return str(error)


def _of_broken(answer, tolerance):
    """What is wrong with the answer to files of which some are broken."""
    if answer.error:
        return answer.error
    first, last = (
        {name: array[row : row + 1] for name, array in answer.outputs.items()}
        for row in (0, 4)
    )
    classes, counts = map(answer.outputs.get, ("classes", "num_detections"))
    if counts is not None:
        if np.any(counts[1:4] != -1) or counts[0] < 0:
            return "num_detections does not show which images are broken"
    elif classes is not None and classes.ndim == 2:
        nothing = b"" if classes.dtype == object else -1
        if classes[0, 0] == nothing or np.any(classes[1:4] != nothing):
            return "classes do not show which images are broken"
    return difference_of(first, last, tolerance)


def _empty_row(claim, answers):
    """The claim about a batch of none.

    Exports of older versions may refuse one, where oneDNN is on.
    """
    empty, both, again = (answers[k] for k in ("empty", "both", "again"))
    if fault := again.error or difference_of(both.outputs, again.outputs):
        return Row(claim, False, f"the next request: {fault}")
    if any(len(array) for array in empty.outputs.values()):
        return Row(claim, False, "it gets an answer that is not empty")
    return Row(claim, True, "it is rejected" * bool(empty.error))


def answer_rows(where, answers, tolerance=TOLERANCE):
    """Claims about one signature's answers to its `questions`."""
    errors = [
        f"{kind}: {answers[kind].error}"
        for kind in (*PLAIN, "large")
        if kind in answers and answers[kind].error
    ]
    yield unless("".join(errors[:1]), f"{where}: runs")
    if errors:
        return
    yield unless(_infinite(answers), f"{where}: outputs are finite")
    both = answers["both"].outputs
    if {"scores", "classes", "probabilities"} <= set(both):
        classes = both["classes"]
        known = np.take_along_axis(both["probabilities"], classes, -1)
        # Class -1 is none.
        is_equal = np.array_equal(
            known[classes >= 0], both["scores"][classes >= 0]
        )
        claim = f"{where}: scores are the probabilities of their classes"
        yield Row(claim, is_equal)
    claim = f"{where}: a batch of 2 equals 2 batches of 1"
    yield unless(_of_one_by_one(answers, tolerance), claim)
    if "broken" in answers:
        claim = f"{where}: a broken image does not affect the others"
        yield unless(_of_broken(answers["broken"], tolerance), claim)
    yield _empty_row(f"{where}: an empty batch is harmless", answers)


def model_row(where, wanted, asked, tolerance=TOLERANCE):
    """The claim that the answers are the Keras model's."""
    differences, compared = [], 0
    for (name, kind), expected in wanted.items():
        answer = asked[name][kind]
        if not answer.error:
            compared += 1
            found = difference_of(expected, answer.outputs, tolerance)
            differences += [f"{name}: {found}"] * bool(found)
    claim = f"{where}: outputs equal the Keras model's"
    is_equal = compared > 0 and not differences
    return Row(claim, is_equal, "".join(differences[:1]))


def precision_row(default, without_onednn):
    """What the processor at hand computes in, of an export in both.

    Of pairs of answers; without oneDNN they are in float32.
    """
    told = "float32: it is not faster in bfloat16 here, which was not tried"
    for one, other in zip(default, without_onednn):
        if difference_of(other.outputs, one.outputs):
            told = "bfloat16"
    return Row("oneDNN on: the faster precision", True, told)


def session_rows(where, session):
    """Claims about the process and the loading."""
    claim = f"{where}: loads without Keras and this package"
    yield unless(session.load_error, claim)
    if not session.xla_disabled:
        detail = (
            "not possible with this TensorFlow; the graph was inspected instead"
        )
        yield Row(f"{where}: XLA switched off", True, detail)
