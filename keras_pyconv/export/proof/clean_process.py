"""Requests to a SavedModel that are answered in fresh processes, on CPU.

They see no GPU, whose memory the caller may hold. TensorFlow is found wherever
the caller has it, and the files beside the script are not.
"""

import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from keras_pyconv import arguments
from keras_pyconv.children import Child, ChildEnded
from keras_pyconv.export.serving.audit import read_signatures
from keras_pyconv.typing import Array, ArrayLike, PathLike

PROGRAM = "keras_pyconv.export.proof.child:ask_models"
TIMEOUT_SECONDS = 600


class Answer(NamedTuple):
    """What one request gave: outputs by name, or the error's text.

    `durations` are those of the call and of its repetitions, in seconds.
    """

    outputs: dict
    durations: tuple
    error: str | None


class Session(NamedTuple):
    """What one fresh process reported about a SavedModel."""

    answers: list
    load_error: str | None
    xla_disabled: bool


class Asked(Child):
    """A fresh process that was asked several models.

    `jobs` are pairs of a SavedModel's folder and its requests, a list of
    `(signature name, {input name: array})`. A bool `onednn` sets
    `TF_ENABLE_ONEDNN_OPTS`. `threads` is None for all. Each request is repeated
    for some `seconds`, 0 for once.
    """

    def __init__(self, jobs, onednn=None, threads=None, seconds=0):
        environment = {
            "CUDA_VISIBLE_DEVICES": "-1",
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "TF_XLA_FLAGS": None,
        }
        if onednn is not None:
            environment["TF_ENABLE_ONEDNN_OPTS"] = str(int(onednn))
        super().__init__(PROGRAM, environment, bare=True)
        models = [(str(pathlib.Path(p).resolve()), asked) for p, asked in jobs]
        self.send(models, threads, seconds)
        self.timeout = TIMEOUT_SECONDS + seconds

    def sessions(self):
        """The `Session` of each job; waits until all are done."""
        try:
            found = self.receive(self.timeout)
        except TimeoutError:
            failure = f"was not done within {self.timeout} seconds"
        except ChildEnded as error:
            end = error.output[-2000:]
            failure = f"died: {error}; the end of its output:\n{end}"
        else:
            return [
                Session([Answer(*row) for row in rows], *others)
                for rows, *others in found
            ]
        raise RuntimeError(f"The process that loads the SavedModel {failure}")


def ask(path, signature, arrays, **setting):
    """The `Answer` of one SavedModel to one request; settings as of `Asked`.

    A RuntimeError says that it did not load, or that the request failed.
    """
    with Asked([(path, [(signature, arrays)])], **setting) as process:
        (session,) = process.sessions()
    error = session.load_error or session.answers[0].error
    if error:
        raise RuntimeError(f"The SavedModel {path} failed: {error}")
    return session.answers[0]


def known_signature(path, name):
    """The `SignatureSpec` of one signature; refuses an unknown name."""
    known = read_signatures(path)
    if name not in known:
        raise ValueError(
            f"The SavedModel {path} has no signature {name!r}. "
            f"It has: {', '.join(known)}."
        )
    return known[name]


def answer_in_clean_process(
    path: PathLike,
    inputs: ArrayLike | Mapping[str, ArrayLike],
    signature: str = "serving_default",
) -> dict[str, Array]:
    """Answers one request from a SavedModel without any of our code.

    A fresh interpreter that imports only TensorFlow and NumPy loads the
    model as TF Serving does and runs one request on CPU.

    Args:
        path: folder of one SavedModel, for example `saved_models/net/1`.
        inputs: array, where the signature has one input, or a dictionary of
            arrays by input name. The first axis is the batch.
        signature: name of the signature.

    Returns:
        Dictionary of NumPy arrays by output name. Strings are bytes objects.

    Raises:
        ValueError: no SavedModel at `path`, an unknown signature, or input
            names that are not the signature's.
        RuntimeError: the model did not load, the request failed, or the
            process died or was not done within ten minutes.

    Example:

    >>> answer = answer_in_clean_process("saved_models/digits/1", images)
    >>> answer["labels"][:, 0]  # best label of every image
    """
    arguments.path("path", path)
    arguments.text("signature", signature)
    names = sorted(known_signature(path, signature).inputs)
    if not isinstance(inputs, dict):
        inputs = dict.fromkeys(names[:1], inputs)
    if sorted(inputs) != names:
        raise ValueError(
            f"The signature {signature!r} takes the inputs "
            f"{', '.join(names)}. Received: {', '.join(sorted(inputs))}."
        )
    arrays = {name: np.asarray(array) for name, array in inputs.items()}
    return ask(path, signature, arrays).outputs
