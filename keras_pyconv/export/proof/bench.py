"""`bench`: how fast a SavedModel answers, by batch size and threads.

The first call, which plans the graph for its batch size, is told apart.
"""

import dataclasses
import itertools

import numpy as np

from keras_pyconv import arguments
from keras_pyconv.complexity.grid import grid
from keras_pyconv.export.inspect import UNKNOWN_SIZES
from keras_pyconv.export.proof.clean_process import ask, known_signature
from keras_pyconv.export.proof.questions import example_rows
from keras_pyconv.export.serving.warmup import read_warmup
from keras_pyconv.provenance import cores

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
    """How fast one batch size is answered, in milliseconds.

    `p50` and the like are percentiles of all `calls` but the `first`.
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
    """One request: random numbers, and strings from the warm-up, by input."""
    spec = known_signature(path, signature)
    arrays = example_rows(signature, spec, read_warmup(path), size, batch)
    if arrays is None:
        raise ValueError(
            f"The inputs of the signature {signature!r} cannot be generated, "
            f"such as text, and {path} has no warm-up requests to use instead."
        )
    return arrays


def _timing(threads, batch, durations):
    first, *others = (1e3 * np.array(durations)).tolist()
    shares = np.percentile(others, (50, 90, 99)).tolist()
    per_second = 1e3 * batch / float(np.mean(others))
    return Timing(threads, batch, len(others), first, *shares, per_second)


def _counts(name, values):
    good = values and all(map(arguments.is_integer, values))
    return arguments.check(name, tuple(values), good, "positive integers")


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
    """Times a SavedModel on CPU: a list of `Timing`, by threads and batch size.

    There is a fresh process, without our Python or XLA, for each of `threads`;
    None is one thread and all. Each of `batch_sizes` is repeated for some
    `seconds`, five times at least. Axes that the signature leaves open have
    `size` pixels. A bool `onednn` sets `TF_ENABLE_ONEDNN_OPTS`; `progress` is
    called with the number of cases done. A process that dies is a RuntimeError
    with the end of its output.
    """
    batch_sizes = _counts("batch_sizes", batch_sizes)
    threads = _counts("threads", threads or default_threads())
    requests = {
        batch: request_arrays(path, signature, batch, size)
        for batch in batch_sizes
    }
    rows = []
    # Some calls are timed in any case.
    setting = {"onednn": onednn, "seconds": max(seconds, 1e-9)}
    for count, batch in itertools.product(threads, requests):
        asked = path, signature, requests[batch]
        answer = ask(*asked, threads=count, **setting)
        rows.append(_timing(count, batch, answer.durations))
        if progress:
            progress(len(rows))
    return rows


def default_threads():
    """One thread, and as many as this process may use."""
    return tuple(sorted({1, cores()}))


def table(rows):
    """Timings as a Markdown table."""
    cells = [[f"{getattr(row, name):.4g}" for name in HEADINGS] for row in rows]
    return grid(list(HEADINGS.values()), cells, "markdown")


def record(path, signature, rows, onednn=None):
    """Timings as what goes into a JSON file."""
    return {
        "path": str(path),
        "signature": signature,
        "onednn": onednn,
        "milliseconds": True,
        "rows": [dataclasses.asdict(row) for row in rows],
    }
