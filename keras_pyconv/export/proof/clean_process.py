"""Requests to a SavedModel that are answered in fresh processes.

They run `child.py`. TensorFlow is found wherever the user has it, PYTHONPATH
and the user's own packages included, and the files beside the script are not.
The processes see no GPU: the caller may hold its memory, and a model that
serves on CPU is what is being proved.
"""

import contextlib
import dataclasses
import pathlib

import numpy as np

from keras_pyconv import arguments
from keras_pyconv.children import Child, ChildEnded
from keras_pyconv.export.serving.audit import read_signatures

PROGRAM = "keras_pyconv.export.proof.child:ask_models"
TIMEOUT_SECONDS = 600


@dataclasses.dataclass(frozen=True)
class Answer:
    """What one request gave: outputs by name, or the error's text.

    `durations` are those of the call and of its repetitions, in seconds.
    """

    outputs: dict
    durations: tuple
    error: str | None


@dataclasses.dataclass(frozen=True)
class Session:
    """What one fresh process reported about a SavedModel."""

    answers: tuple
    load_error: str | None
    xla_disabled: bool


@dataclasses.dataclass(frozen=True)
class Setting:
    """How a process runs.

    Attributes:
        onednn: True or False sets `TF_ENABLE_ONEDNN_OPTS`, None leaves it.
        threads: of an operation and of several at once; None for all.
        seconds: for which each request is repeated; 0 for once.
    """

    onednn: bool | None = None
    threads: int | None = None
    seconds: float = 0


def _start(jobs, setting):
    """A process that was sent the jobs."""
    environment = {
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_XLA_FLAGS": None,
    }
    if setting.onednn is not None:
        environment["TF_ENABLE_ONEDNN_OPTS"] = str(int(setting.onednn))
    process = Child(PROGRAM, environment, bare=True)
    models = [(str(pathlib.Path(p).resolve()), asked) for p, asked in jobs]
    process.send(models, setting.threads, setting.seconds)
    return process


def _sessions(process, seconds):
    """What a process says: a session a job."""
    try:
        is_disabled, models = process.receive(seconds)
    except TimeoutError:
        failure = f"was not done within {seconds} seconds"
    except ChildEnded as error:
        failure = (
            f"died: {error}; the end of its output:\n{error.output[-2000:]}"
        )
    else:
        return [
            Session(tuple(Answer(*row) for row in rows), error, is_disabled)
            for rows, error in models
        ]
    raise RuntimeError(f"The process that loads the SavedModel {failure}")


def run_jobs(jobs_by_setting):
    """Asks several models, in one fresh process per setting, all at once.

    Args:
        jobs_by_setting: list of pairs of a `Setting` and its jobs. A job is a
            pair of a SavedModel's folder and its requests, which are a list
            of `(signature name, {input name: array})`.

    Returns:
        List of one list of `Session` a setting, one a job.
    """
    with contextlib.ExitStack() as stack:
        started = [
            (stack.enter_context(_start(jobs, setting)), setting.seconds)
            for setting, jobs in jobs_by_setting
        ]
        return [
            _sessions(process, TIMEOUT_SECONDS + seconds)
            for process, seconds in started
        ]


def ask(path, signature, arrays, setting):
    """The `Answer` of one SavedModel to one request.

    Raises:
        RuntimeError: it did not load, or the request failed.
    """
    job = path, [(signature, arrays)]
    ((session,),) = run_jobs([(setting, [job])])
    error = session.load_error or session.answers[0].error
    if error:
        raise RuntimeError(f"The SavedModel {path} failed: {error}")
    return session.answers[0]


def known_signature(path, name):
    """What one signature of a SavedModel takes and gives, if it has that."""
    known = read_signatures(path)
    if name not in known:
        raise ValueError(
            f"The SavedModel {path} has no signature {name!r}. "
            f"It has: {', '.join(known)}."
        )
    return known[name]


def answer_in_clean_process(path, inputs, signature="serving_default"):
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
            names that are not the signature's; the known ones are listed.
        RuntimeError: the model did not load, the request failed, or the
            process died or was not done within ten minutes.

    Example:

    ```python
    answer = answer_in_clean_process("saved_models/digits/1", images)
    answer["labels"][:, 0]  # best label of every image
    ```
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
    return ask(path, signature, arrays, Setting()).outputs
