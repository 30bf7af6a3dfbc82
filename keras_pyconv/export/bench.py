"""`bench`: how fast a SavedModel answers, by batch size and threads.

Every number of threads is a fresh process, without any of our Python and with
XLA compilation switched off, as the server's. The first call of a batch size,
which plans the graph for it, is told apart from the others.
"""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

from keras_pyconv.export import bench_child, session_child
from keras_pyconv.export.audit import read_signatures
from keras_pyconv.export.clean_process import child_environment
from keras_pyconv.export.serving_form import UNKNOWN_SIZES
from keras_pyconv.export.warmup import random_array, read_warmup

COLUMNS = ("threads", "batch", "first", "p50", "p90", "p99", "per_second")
HEADINGS = (
    "threads | batch | first call, ms | p50, ms | p90, ms | p99, ms "
    "| examples/s"
)
BAR = 24  # characters


@dataclasses.dataclass(frozen=True)
class Timing:
    """How fast one batch size is answered; milliseconds.

    Attributes:
        threads: of the process.
        batch: examples in one request.
        calls: how many were timed.
        first: the first call.
        p50, p90, p99: within which this percentage of the others ended.
        per_second: examples.
    """

    threads: int
    batch: int
    calls: int
    first: float
    p50: float
    p90: float
    p99: float
    per_second: float


class ProgressBar:
    """One line on standard error that says what runs and what is left."""

    def __init__(self, total, stream=None):
        self.total, self.done = total, 0
        self.stream = stream or sys.stderr
        self.begun = time.monotonic()

    def show(self, what):
        """Names what runs now."""
        filled = BAR * self.done // self.total
        bar = "#" * filled + "-" * (BAR - filled)
        left = ""
        if 0 < self.done < self.total:
            pace = (time.monotonic() - self.begun) / self.done
            left = f", {pace * (self.total - self.done):.0f} s left"
        on_screen = self.stream.isatty()
        line = f"[{bar}] {self.done}/{self.total} {what}{left}"
        # A log keeps a line each, a screen the last one.
        text = f"\r{line:<78}" if on_screen else f"{line}\n"
        print(text, end="", file=self.stream, flush=True)

    def step(self):
        """One more is done."""
        self.done += 1
        if self.done == self.total:
            self.show("done")
            if self.stream.isatty():
                print(file=self.stream)


def request_arrays(path, signature, batch, size):
    """One request of a batch size.

    Args:
        path: folder of one version.
        signature: name of the signature.
        batch: rows.
        size: of every axis that the signature leaves open.

    Returns:
        Dictionary of arrays by input name: random numbers, and for strings
        rows of the version's warm-up requests.

    Raises:
        ValueError: the signature takes strings and there are none.
    """
    generator = np.random.default_rng(0)
    kept = [a for name, a in read_warmup(path) if name == signature]
    arrays = {}
    for name, spec in read_signatures(path)[signature].inputs.items():
        if spec.dtype == "string":
            if not kept:
                raise ValueError(
                    f"The signature {signature!r} takes strings, and {path} "
                    "has no warm-up requests to take some from."
                )
            rows = np.concatenate([request[name] for request in kept])
            arrays[name] = np.resize(rows, (batch, *rows.shape[1:]))
        else:
            shape = (batch, *spec.shape[1:])
            arrays[name] = random_array(spec.dtype, shape, generator, size)
    return arrays


class _Child:
    """The process of one number of threads."""

    def __init__(self, job, onednn):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, "-P", bench_child.__file__, json.dumps(job)],
            env=child_environment(onednn),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def __enter__(self):
        self.answer()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()

    def ask(self, **request):
        """Sends a request and waits for its answer."""
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            log = self.errors.read().decode(errors="replace")
            raise RuntimeError(
                "The process that times the SavedModel died with exit status "
                f"{self.process.returncode}; the end of its output:\n"
                + log[-2000:]
            )
        return json.loads(line)


def _timing(threads, batch, answer):
    times = np.array(answer["durations"])
    p50, p90, p99 = (float(p) for p in np.percentile(times, (50, 90, 99)))
    return Timing(
        threads=threads,
        batch=batch,
        calls=len(times),
        first=1e3 * answer["first"],
        p50=1e3 * p50,
        p90=1e3 * p90,
        p99=1e3 * p99,
        per_second=batch * len(times) / float(times.sum()),
    )


def _counts(name, values):
    values = tuple(values)
    if not values or not all(isinstance(n, int) and n > 0 for n in values):
        raise ValueError(
            f"`{name}` must be positive integers. Received: {values}"
        )
    return values


def bench(
    path,
    signature="serving_default",
    *,
    batch_sizes=(1, 4, 16),
    threads=None,
    seconds=2.0,
    size=UNKNOWN_SIZES[0],
    onednn=None,
    progress=None,
):
    """Times a SavedModel in fresh processes, on CPU.

    Args:
        path: folder of one version, such as `saved_models/digits/1`.
        signature: name of the signature.
        batch_sizes: examples in one request.
        threads: numbers of threads, a process each; None for one and for as
            many as this process may use.
        seconds: for which each batch size is repeated; five calls at least.
        size: pixels of every axis that the signature leaves open.
        onednn: True or False sets `TF_ENABLE_ONEDNN_OPTS`, None leaves it.
        progress: a `ProgressBar`-like object, or None for silence.

    Returns:
        List of `Timing`, by threads and batch size.

    Raises:
        ValueError: no SavedModel, an unknown signature, or a number that is
            not positive.
        RuntimeError: a process died; the message ends with its output.
    """
    known = read_signatures(path)
    if signature not in known:
        raise ValueError(
            f"The SavedModel {path} has no signature {signature!r}. "
            f"It has: {', '.join(known)}."
        )
    batch_sizes = _counts("batch_sizes", batch_sizes)
    threads = _counts("threads", threads or default_threads())
    path = pathlib.Path(path).resolve()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        files = {n: pathlib.Path(folder, f"{n}.npz") for n in batch_sizes}
        for batch, file in files.items():
            arrays = request_arrays(path, signature, batch, size)
            session_child.pack(file, arrays)
        for count in threads:
            job = {
                "path": str(path),
                "signature": signature,
                "threads": count,
            }
            if progress:
                progress.show(f"threads {count}: loading")
            with _Child(job, onednn) as child:
                for batch, file in files.items():
                    if progress:
                        progress.show(f"threads {count}: batch {batch}")
                    answer = child.ask(file=str(file), seconds=seconds)
                    rows.append(_timing(count, batch, answer))
                    if progress:
                        progress.step()
    return rows


def default_threads():
    """One thread, and as many as this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted({1, len(os.sched_getaffinity(0))}))
    return tuple(sorted({1, os.cpu_count()}))


def table(rows):
    """Timings as a Markdown table.

    Args:
        rows: list of `Timing`.

    Returns:
        Text of several lines.
    """
    lines = [f"| {HEADINGS} |", "|" + " --- |" * len(COLUMNS)]
    for row in rows:
        cells = (getattr(row, name) for name in COLUMNS)
        texts = [str(c) if isinstance(c, int) else f"{c:.4g}" for c in cells]
        lines.append(f"| {' | '.join(texts)} |")
    return "\n".join(lines)


def record(path, signature, rows, onednn=None):
    """Timings as what goes into a JSON file."""
    return {
        "path": str(path),
        "signature": signature,
        "onednn": onednn,
        "milliseconds": True,
        "rows": [dataclasses.asdict(row) for row in rows],
    }
