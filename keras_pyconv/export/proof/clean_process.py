"""Requests to a SavedModel that are answered in fresh processes.

The parent writes the requests to a temporary folder, starts an interpreter on
`child.py`, and reads the answers. With `python -P` TensorFlow is found
wherever the user has it, PYTHONPATH and the user's own packages included, and
the files beside the script are not. The processes see no GPU: the caller may
hold its memory, and a model that serves on CPU is what is being proved.
"""

import dataclasses
import os
import pathlib
import pickle
import subprocess
import sys
import tempfile

import numpy as np

from keras_pyconv.export.proof import child
from keras_pyconv.export.serving.audit import read_signatures

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


def _start(folder, jobs, setting):
    """Writes the jobs into `folder` and starts a process on them."""
    models = [(str(pathlib.Path(p).resolve()), asked) for p, asked in jobs]
    job = {**dataclasses.asdict(setting), "models": models}
    # Only this process and its child can write there.
    (folder / child.JOB).write_bytes(pickle.dumps(job))
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    environment["TF_CPP_MIN_LOG_LEVEL"] = "2"
    environment.pop("TF_XLA_FLAGS", None)
    if setting.onednn is not None:
        environment["TF_ENABLE_ONEDNN_OPTS"] = str(int(setting.onednn))
    with open(folder / "log.txt", "wb") as log:
        return subprocess.Popen(
            [sys.executable, "-P", child.__file__, str(folder)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _wait(folder, process, seconds):
    """Waits for a process; an error with its output where it failed."""
    failure = None
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        failure = f"was not done within {seconds} seconds"
    finally:
        process.kill()
        process.wait()
    if failure is None and not (folder / child.REPORT).exists():
        failure = f"died with exit status {process.returncode}"
    if failure is not None:
        log = (folder / "log.txt").read_text(errors="replace")
        raise RuntimeError(
            f"The process that loads the SavedModel {failure}; the end of "
            f"its output:\n{log[-2000:]}"
        )


def _sessions(folder):
    """What a process wrote: a session a job."""
    is_disabled, models = pickle.loads((folder / child.REPORT).read_bytes())
    return [
        Session(tuple(Answer(*row) for row in rows), load_error, is_disabled)
        for rows, load_error in models
    ]


def run_jobs(jobs_by_setting):
    """Asks several models, in one fresh process per setting, all at once.

    Args:
        jobs_by_setting: list of pairs of a `Setting` and its jobs. A job is a
            pair of a SavedModel's folder and its requests, which are a list
            of `(signature name, {input name: array})`.

    Returns:
        List of one list of `Session` a setting, one a job.
    """
    with tempfile.TemporaryDirectory() as temporary:
        started = []
        try:
            for index, (setting, jobs) in enumerate(jobs_by_setting):
                folder = pathlib.Path(temporary, str(index))
                folder.mkdir()
                started.append((folder, _start(folder, jobs, setting)))
            for folder, process in started:
                _wait(folder, process, TIMEOUT_SECONDS + setting.seconds)
            return [_sessions(folder) for folder, _ in started]
        finally:
            for _, process in started:
                process.kill()
                process.wait()


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
