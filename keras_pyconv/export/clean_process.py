"""Requests to a SavedModel that are answered in fresh processes.

The parent writes the requests to a temporary folder, starts an interpreter on
`session_child.py`, and reads the answers. With `python -P` TensorFlow is
found wherever the user has it, PYTHONPATH and the user's own packages
included, and the files beside the script are not. The processes see no GPU:
the caller may hold its memory, and a model that serves on CPU is what is
being proved.
"""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from keras_pyconv.export import session_child

TIMEOUT_SECONDS = 600


@dataclasses.dataclass(frozen=True)
class Answer:
    """What one request gave: outputs by name, or the error's text."""

    outputs: dict
    error: str | None
    seconds: float


@dataclasses.dataclass(frozen=True)
class Session:
    """What one fresh process reported about a SavedModel."""

    answers: tuple
    load_error: str | None
    xla_disabled: bool

    @property
    def error(self):
        """The first thing that went wrong, or None."""
        errors = [self.load_error, *(row.error for row in self.answers)]
        return next((error for error in errors if error), None)


def child_environment(onednn):
    """The environment of a fresh process: no GPU, quiet, oneDNN as asked."""
    environment = dict(os.environ)
    environment["CUDA_VISIBLE_DEVICES"] = "-1"
    environment["TF_CPP_MIN_LOG_LEVEL"] = "2"
    environment.pop("TF_XLA_FLAGS", None)
    if onednn is not None:
        environment["TF_ENABLE_ONEDNN_OPTS"] = "1" if onednn else "0"
    return environment


def _start(folder, jobs, onednn):
    """Writes the jobs into `folder` and starts a process on them."""
    rows = [
        {
            "path": str(pathlib.Path(path).resolve()),
            "requests": [signature for signature, _ in requests],
        }
        for path, requests in jobs
    ]
    (folder / "job.json").write_text(json.dumps(rows))
    inputs = {
        f"{job}/{index}/{name}": array
        for job, (_, requests) in enumerate(jobs)
        for index, (_, arrays) in enumerate(requests)
        for name, array in arrays.items()
    }
    session_child.pack(folder / "inputs.npz", inputs)
    with open(folder / "log.txt", "wb") as log:
        return subprocess.Popen(
            [sys.executable, "-P", session_child.__file__, str(folder)],
            env=child_environment(onednn),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _collect(folder, process):
    """Waits for a process and reads what it wrote: a session a job."""
    failure = None
    try:
        process.wait(TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        failure = f"was not done within {TIMEOUT_SECONDS} seconds"
    finally:
        process.kill()
        process.wait()
    if failure is None and not (folder / "report.json").exists():
        failure = f"died with exit status {process.returncode}"
    if failure is not None:
        log = (folder / "log.txt").read_text(errors="replace")
        raise RuntimeError(
            f"The process that loads the SavedModel {failure}; the end of "
            f"its output:\n{log[-2000:]}"
        )
    report = json.loads((folder / "report.json").read_text())
    outputs = session_child.unpack(folder / "answers.npz")
    sessions = []
    for job, model in enumerate(report["models"]):
        mine = session_child.below(outputs, job)
        answers = [
            Answer(
                session_child.below(mine, index), row["error"], row["seconds"]
            )
            for index, row in enumerate(model["requests"])
        ]
        sessions.append(
            Session(tuple(answers), model["load_error"], report["xla_disabled"])
        )
    return sessions


def run_jobs(jobs_by_setting):
    """Asks several models, in one fresh process per oneDNN setting.

    Args:
        jobs_by_setting: list of pairs of a setting and its jobs; a process
            is started for each, all at once. The setting True or False sets
            `TF_ENABLE_ONEDNN_OPTS`, None leaves it as it is. A job is a pair
            of a SavedModel's folder and its requests, which are a list of
            `(signature name, {input name: array})`.

    Returns:
        List of one list of `Session` a setting, one a job.

    Raises:
        RuntimeError: a process died or was not done within ten minutes; the
            message ends with its output.
    """
    with tempfile.TemporaryDirectory() as temporary:
        started = []
        try:
            for index, (setting, jobs) in enumerate(jobs_by_setting):
                folder = pathlib.Path(temporary, str(index))
                folder.mkdir()
                started.append((folder, _start(folder, jobs, setting)))
            return [_collect(*pair) for pair in started]
        finally:
            for _, process in started:
                process.kill()
                process.wait()


def run_sessions(path, requests, onednn=(None,)):
    """Answers the same requests in one fresh process per oneDNN setting.

    Args:
        path: folder of one SavedModel.
        requests: list of `(signature name, {input name: array})`.
        onednn: settings, as in `run_jobs`.

    Returns:
        List of `Session`, in the order of `onednn`.

    Raises:
        RuntimeError: as in `run_jobs`.
    """
    jobs = [(path, requests)]
    return [one for (one,) in run_jobs([(each, jobs) for each in onednn])]


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
    from keras_pyconv.export.audit import read_signatures

    known = read_signatures(path)
    if signature not in known:
        raise ValueError(
            f"The SavedModel {path} has no signature {signature!r}. "
            f"It has: {', '.join(known)}."
        )
    names = sorted(known[signature].inputs)
    if not isinstance(inputs, dict):
        inputs = dict.fromkeys(names[:1], inputs)
    if sorted(inputs) != names:
        raise ValueError(
            f"The signature {signature!r} takes the inputs "
            f"{', '.join(names)}. Received: {', '.join(sorted(inputs))}."
        )
    arrays = {name: np.asarray(array) for name, array in inputs.items()}
    (session,) = run_sessions(path, [(signature, arrays)])
    if session.error:
        raise RuntimeError(f"The SavedModel {path} failed: {session.error}")
    return session.answers[0].outputs
