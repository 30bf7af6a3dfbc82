"""How fast a network runs on this machine, and how much memory it takes.

Each network is measured in a process of its own, so that one's memory is not
another's.

Without a GPU the peak is that of the whole
process, TensorFlow included, and not of the network alone.
"""

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


def _in_a_process(name, size, batch, seconds):
    try:
        found = call(
            f"{__name__}:run",
            *(name, size, batch, seconds),
            # TensorFlow leaves it off on some processors that it is faster on.
            environment={ONEDNN: os.environ.get(ONEDNN, "1")},
        )
    except ChildEnded as ended:
        message = f"{name} could not be measured: {ended}"
        raise RuntimeError(message) from None
    return tuple(
        found[key] for key in ("images_per_second", "peak_mib", "device")
    )


def measure(
    rows: Iterable[Row],
    batch: int = 8,
    seconds: float = 5.0,
    one: Callable = _in_a_process,
) -> dict[tuple[str, int], tuple]:
    """Measures every network of the rows that has a builder, once.

    Args:
        rows: of any tables.
        batch: images at a time.
        seconds: for how long each network runs.
        one: what measures one network.

    Returns:
        Images per second, peak memory in MiB and the device, by network and
        size. What could not be run is missing, and the reason is shown.
    """
    from keras_pyconv.progress import Bar

    keys = [(row.network, row.size) for row in rows]
    keys = [key for key in dict.fromkeys(keys) if has_builder(key[0])]
    found = {}
    bar = Bar(len(keys), unit_name="network")
    for key in keys:
        try:
            found[key] = one(*key, batch, seconds)
        except RuntimeError as error:
            print(f"\n{error}", file=sys.stderr)
        bar.add(1)
    return found


def conditions(batch: int, seconds: float) -> str:
    """One line on how, on what and when `measure` measures here."""
    versions = (
        f"{name} {provenance.version(name, 'missing')}"
        for name in ("tensorflow", "keras")
    )
    return ", ".join(
        [
            f"batch {batch}",
            f"{seconds:g} s each",
            f"{provenance.processor()} with {provenance.cores()} cores",
            *versions,
            f"{ONEDNN}={os.environ.get(ONEDNN, '1')}",
            provenance.today(),
        ]
    )
