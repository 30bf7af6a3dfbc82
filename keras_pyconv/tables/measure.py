"""How fast networks run on this machine, and how much memory they take."""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable

from keras_pyconv import provenance
from keras_pyconv.architectures import ARCHITECTURES, INCEPTIONS
from keras_pyconv.children import ChildEnded, call
from keras_pyconv.tables.records import Row

# Kilobytes on Linux, bytes on macOS.
PEAK_UNIT = 1 if sys.platform == "darwin" else 1024
MIB = 2**20
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"


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


def run(name: str, size: int, batch: int, seconds: float) -> tuple:
    """Images per second at inference, peak memory in MiB, and the device."""
    import keras
    import numpy as np

    from keras_pyconv import models

    keras.utils.set_random_seed(1)
    inception = name in INCEPTIONS
    build = models.build_inception if inception else models.build_classifier
    model = build(name, input_shape=(size, size, 3))
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
    speed = batch / statistics.median(times)
    return speed, None if peak is None else peak / MIB, device


def _in_a_process(*case):
    # Without a GPU the peak of memory is that of the whole process, and
    # TensorFlow leaves oneDNN off on some processors that it is faster on.
    environment = {ONEDNN: os.environ.get(ONEDNN, "1")}
    return call(f"{__name__}:run", *case, environment=environment)


def measure(
    rows: Iterable[Row],
    batch: int = 8,
    seconds: float = 5.0,
    one: Callable = _in_a_process,
) -> dict[tuple[str, int], tuple]:
    """Measures every network of the rows that has a builder, once.

    Images per second, peak memory in MiB and the device, by network and size.
    What could not be run, by `one`, is missing, and the reason is shown.
    """
    from keras_pyconv.progress import Bar

    built = ARCHITECTURES | INCEPTIONS
    keys = [(row.network, row.size) for row in rows if row.network in built]
    keys = list(dict.fromkeys(keys))
    found = {}
    bar = Bar(len(keys), unit_name="network")
    for key in keys:
        try:
            found[key] = one(*key, batch, seconds)
        except ChildEnded as ended:
            message = f"\n{key[0]} could not be measured: {ended}"
            print(message, file=sys.stderr)
        bar.add(1)
    return found


def conditions(batch: int, seconds: float) -> str:
    """One line on how, on what and when `measure` measures here."""
    versions = (
        f"{name} {provenance.version(name, 'missing')}"
        for name in ("tensorflow", "keras")
    )
    parts = (
        f"batch {batch}",
        f"{seconds:g} s each",
        f"{provenance.processor()} with {provenance.cores()} cores",
        *versions,
        f"{ONEDNN}={os.environ.get(ONEDNN, '1')}",
        provenance.today(),
    )
    return ", ".join(parts)
