"""How fast a network runs on this machine, and how much memory it takes.

Each network is measured in a process of its own, so that one's memory is not
another's. `python -m keras_pyconv.tables.measure NAME SIZE BATCH SECONDS` is
that process; it prints one line.

The fact a reader would get wrong: without a GPU the peak is that of the whole
process, TensorFlow included, and not of the network alone.
"""

import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable

from keras_pyconv.architectures import ARCHITECTURES, INCEPTIONS
from keras_pyconv.tables.records import Row

# Kilobytes on Linux, bytes on macOS.
PEAK_UNIT = 1 if sys.platform == "darwin" else 1024
MIB = 2**20
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
# What TensorFlow logs on the error stream, whether or not it goes well.
LOG_LINE = re.compile(
    r"\d{4}-\d\d-\d\d |[IWEF]\d{4} |WARNING: All log|To enable the following"
)


def has_builder(name: str) -> bool:
    """Whether the network of that name can be built, and so measured."""
    return name in ARCHITECTURES or name in INCEPTIONS


def _build(name, size):
    from keras_pyconv import models

    inception = name in INCEPTIONS
    build = models.build_inception if inception else models.build_classifier
    return build(name, input_shape=(size, size, 3))


def _gpu():
    """TensorFlow's first GPU: its name and its peak in bytes, or None."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        return None
    details = tf.config.experimental.get_device_details(devices[0])
    memory = tf.config.experimental.get_memory_info("GPU:0")
    return details.get("device_name", "GPU"), memory["peak"]


def _process_peak():
    """Bytes; None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_maxrss * PEAK_UNIT


def run(name: str, size: int, batch: int, seconds: float) -> dict:
    """Images per second at inference, peak memory in MiB, and the device."""
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = _build(name, size)
    images = np.random.default_rng(1).normal(size=(batch, size, size, 3))
    images = keras.ops.convert_to_tensor(images.astype("float32"))
    # Tracing and the first allocations are not what is asked for.
    model.predict_on_batch(images)
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        begin = time.perf_counter()
        model.predict_on_batch(images)
        times.append(time.perf_counter() - begin)
    backend = keras.backend.backend()
    host = "CPU" if backend == "tensorflow" else f"default of {backend}"
    device, peak = _gpu() or (host, _process_peak())
    return {
        "images_per_second": batch / statistics.median(times),
        "peak_mib": None if peak is None else peak / MIB,
        "device": device,
    }


def _reason(code, errors):
    """Why a process failed, from its exit code and its error stream."""
    if code < 0:
        guess = " (out of memory?)" if code == -9 else ""
        return f"ended by signal {-code}{guess}"
    lines = [line for line in errors.splitlines() if line.strip()]
    telling = [line for line in lines if not LOG_LINE.match(line)]
    return (telling or lines or ["no message"])[-1]


def _in_a_process(name, size, batch, seconds):
    options = map(str, (name, size, batch, seconds))
    command = [sys.executable, "-m", "keras_pyconv.tables.measure", *options]
    # TensorFlow leaves oneDNN off on some processors that it is faster on.
    environment = {ONEDNN: "1", **os.environ}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment
    )
    if done.returncode:
        reason = _reason(done.returncode, done.stderr)
        raise RuntimeError(f"{name} could not be measured: {reason}")
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return tuple(
        found[key] for key in ("images_per_second", "peak_mib", "device")
    )


def measure(
    rows: Iterable[Row],
    batch: int = 8,
    seconds: float = 5.0,
    stream=sys.stderr,
    one: Callable = _in_a_process,
) -> dict[tuple[str, int], tuple]:
    """Measures every network of the rows that has a builder, once.

    Args:
        rows: of any tables.
        batch: images at a time.
        seconds: for how long each network runs.
        stream: where the progress is shown.
        one: what measures one network.

    Returns:
        Images per second, peak memory in MiB and the device, by network and
        size. What could not be run is missing, and the reason is shown.
    """
    keys = [(row.network, row.size) for row in rows]
    keys = [key for key in dict.fromkeys(keys) if has_builder(key[0])]
    found = {}
    for number, key in enumerate(keys):
        _show(stream, number, len(keys), "{} at {}".format(*key))
        try:
            found[key] = one(*key, batch, seconds)
        except RuntimeError as error:
            print(f"\n{error}", file=stream)
    if keys:
        _show(stream, len(keys), len(keys), "done")
        print(file=stream)
    return found


def provenance(batch: int, seconds: float) -> str:
    """One line on how, on what and when `measure` measures here."""
    onednn = os.environ.get(ONEDNN, "1")
    return ", ".join(
        [
            f"batch {batch}",
            f"{seconds:g} s each",
            f"{_processor()} with {os.cpu_count()} cores",
            *(f"{name} {_version(name)}" for name in ("tensorflow", "keras")),
            f"{ONEDNN}={onednn}",
            datetime.date.today().isoformat(),
        ]
    )


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _processor():
    path = pathlib.Path("/proc/cpuinfo")
    text = path.read_text() if path.exists() else ""
    model = re.search(r"model name\s*: (.+)", text)
    return model[1] if model else platform.processor() or platform.machine()


def _show(stream, number, total, text, width=30):
    bar = "#" * (width * number // total)
    line = f"[{bar:.<{width}}] {number}/{total} {text}"
    print(f"\r{line:<79}", end="", file=stream, flush=True)


def main(name, size, batch, seconds):
    """Measures one network and prints the figures."""
    found = run(name, int(size), int(batch), float(seconds))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
