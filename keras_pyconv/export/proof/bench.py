"""`bench`: how fast a SavedModel answers, by batch size and threads.

Every number is taken in a fresh process, without any of our Python and with
XLA compilation switched off, as the server's. The first call, which plans the
graph for its batch size, is told apart from the others.
"""

import dataclasses
import os

import numpy as np

from keras_pyconv.export.inspect import UNKNOWN_SIZES
from keras_pyconv.export.proof.clean_process import (
    ask,
    known_signature,
)
from keras_pyconv.export.proof.questions import example_rows
from keras_pyconv.export.serving.warmup import read_warmup

# Of a table, by the field of a `Timing`.
HEADINGS = {
    "threads": "threads",
    "batch": "batch",
    "first": "first call, ms",
    "p50": "p50, ms",
    "p90": "p90, ms",
    "p99": "p99, ms",
    "per_second": "examples/s",
}


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


def request_arrays(path, signature, batch, size):
    """One request of a batch size: arrays by input name.

    Numbers are random; strings are rows of the version's warm-up requests.
    """
    spec = known_signature(path, signature)
    arrays = example_rows(signature, spec, read_warmup(path), size, batch)
    if arrays is None:
        raise ValueError(
            f"The signature {signature!r} takes what cannot be guessed, such "
            f"as text, and {path} has no warm-up requests to take it from."
        )
    return arrays


def _timing(threads, batch, durations):
    first, *others = (1e3 * np.array(durations)).tolist()
    return Timing(
        threads,
        batch,
        len(others),
        first,
        *np.percentile(others, (50, 90, 99)).tolist(),
        per_second=1e3 * batch / float(np.mean(others)),
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
        progress: called with how many cases are done, or None.

    Returns:
        List of `Timing`, by threads and batch size.

    Raises:
        ValueError: no SavedModel, an unknown signature, or a number that is
            not positive.
        RuntimeError: a process died; the message ends with its output.
    """
    batch_sizes = _counts("batch_sizes", batch_sizes)
    threads = _counts("threads", threads or default_threads())
    requests = {
        batch: request_arrays(path, signature, batch, size)
        for batch in batch_sizes
    }
    rows = []
    for count in threads:
        # Some calls are timed in any case.
        setting = {"threads": count, "seconds": max(seconds, 1e-9)}
        for batch, arrays in requests.items():
            answer = ask(path, signature, arrays, onednn=onednn, **setting)
            rows.append(_timing(count, batch, answer.durations))
            if progress:
                progress(len(rows))
    return rows


def default_threads():
    """One thread, and as many as this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted({1, len(os.sched_getaffinity(0))}))
    return tuple(sorted({1, os.cpu_count()}))


def table(rows):
    """Timings as a Markdown table."""
    lines = [HEADINGS.values(), ["---"] * len(HEADINGS)]
    for row in rows:
        cells = (getattr(row, name) for name in HEADINGS)
        lines.append(
            str(c) if isinstance(c, int) else f"{c:.4g}" for c in cells
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def record(path, signature, rows, onednn=None):
    """Timings as what goes into a JSON file."""
    return {
        "path": str(path),
        "signature": signature,
        "onednn": onednn,
        "milliseconds": True,
        "rows": [dataclasses.asdict(row) for row in rows],
    }
