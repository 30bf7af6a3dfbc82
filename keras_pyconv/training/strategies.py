"""Where a model is trained: one device, several, or several machines.

Two different mirrored strategies in one process disturb each other, so the same
devices always give the same object.
"""

import contextlib
import functools
import json
import os
from typing import Literal

import keras

from keras_pyconv import arguments
from keras_pyconv.lazy import tf
from keras_pyconv.typing import Shard

NAMES = ("auto", "one", "mirrored", "multi_worker")


@contextlib.contextmanager
def _early(devices):
    try:
        yield
    except RuntimeError as error:
        raise RuntimeError(
            f"To train on {devices}, call make_strategy before TensorFlow "
            "computes anything."
        ) from error


def _make_cpus(count):
    """Divides the processor into `count` logical devices, if it is not yet."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    if len(tf.config.get_logical_device_configuration(cpu) or [cpu]) >= count:
        return
    with _early(f"{count} CPU devices"):
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * count
        )


@functools.cache
def _mirrored(count, gpus):
    if gpus and count > gpus:
        raise ValueError(
            f"This machine has {gpus} GPUs. Received: num_devices={count}"
        )
    if gpus:
        devices = [f"GPU:{number}" for number in range(count)]
        return tf.distribute.MirroredStrategy(devices)
    _make_cpus(count)
    devices = [f"CPU:{number}" for number in range(count)]
    # The default reduction on CPUs numbers its collectives for the process
    # and not for the strategy.
    reduction = tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(devices, cross_device_ops=reduction)


def _workers():
    """How many machines the environment variable TF_CONFIG names."""
    try:
        cluster = json.loads(os.environ["TF_CONFIG"])["cluster"]
    except (KeyError, ValueError):
        return 0
    return sum(len(cluster.get(role, ())) for role in ("chief", "worker"))


@functools.cache
def _multi_worker():
    if not _workers():
        raise ValueError(
            "Training on several machines needs the environment variable "
            'TF_CONFIG on each, such as {"cluster": {"worker": '
            '["host0:12345", "host1:12345"]}, "task": {"type": "worker", '
            f'"index": 0}}}}. It is {os.environ.get("TF_CONFIG")!r}.'
        )
    with _early("several machines"):
        return tf.distribute.MultiWorkerMirroredStrategy()


def make_strategy(
    name: Literal["auto", "one", "mirrored", "multi_worker"] = "auto",
    num_devices: int | None = None,
) -> "tf.distribute.Strategy":
    """The `tf.distribute` strategy of that name; always the same object.

    Build and compile the model inside its `scope()`.

    Args:
        name: `"one"`: one device, the first GPU where there is one.
            `"mirrored"`: all GPUs, or `num_devices` of them; without a GPU
            so many logical CPU devices (2 by default), for trying things out.
            `"multi_worker"`: all devices of all machines that the environment
            variable `TF_CONFIG` names.
            `"auto"`: `multi_worker` where `TF_CONFIG` names several machines,
            `mirrored` where there are several GPUs, else `one`.
        num_devices: int or None; for `"mirrored"`, and `"auto"` on one
            machine.

    Raises:
        RuntimeError: TensorFlow has computed something already, so its
            devices can no longer be arranged; or Keras has another backend.
    """
    if keras.backend.backend() != "tensorflow":
        backend = keras.backend.backend()
        raise RuntimeError(f"Training needs TensorFlow; this is {backend!r}.")
    arguments.one_of("name", name, NAMES)
    arguments.integer("num_devices", num_devices, 1, 1024, True)
    gpus = len(tf.config.list_physical_devices("GPU"))
    several = "mirrored" if (num_devices or gpus) > 1 else "one"
    if name == "auto":
        name = "multi_worker" if _workers() > 1 else several
    if name == "multi_worker":
        return _multi_worker()
    if name == "mirrored":
        return _mirrored(num_devices or gpus or 2, gpus)
    if num_devices not in (None, 1):
        raise ValueError(
            "The strategy 'one' has one device; 'mirrored' has several. "
            f"Received: num_devices={num_devices}"
        )
    return tf.distribute.get_strategy()


def shard(strategy: "tf.distribute.Strategy") -> Shard:
    """This machine's number and how many a strategy has: `(index, count)`.

    So the data are divided, and the first machine writes the files.
    """
    arguments.instance("strategy", strategy, tf.distribute.Strategy)
    resolver = strategy.cluster_resolver
    spec = resolver.cluster_spec() if resolver else None
    if not spec:
        return 0, 1
    counts = {role: spec.num_tasks(role) for role in spec.jobs}
    chiefs, workers = counts.get("chief", 0), counts.get("worker", 0)
    first = 0 if resolver.task_type == "chief" else chiefs
    return first + resolver.task_id, chiefs + workers
