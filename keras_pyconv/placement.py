"""Levels of a pyramid on several devices (paper, section 3, "Efficiency").

The rule that layers and `keras_pyconv.complexity` share, and the scope in
which layers are made that follow it. No device is part of a configuration, so
that files and copies can be used on any machine.

The fact a reader would get wrong: TensorFlow computes gradients on the device
on which they are asked for, and not where the forward pass was.
"""

import contextlib
import contextvars
from collections.abc import Sequence

from keras_pyconv import arguments
from keras_pyconv.lazy import tf

_DEVICES = contextvars.ContextVar("devices", default=None)


def allotted(costs, count) -> tuple[int, ...]:
    """The number of a device for each level, from 0.

    The most costly level is first to be given away, each to the device that
    has the least to do so far, the first of those that have equally little.
    """
    loads, places = [0] * count, [0] * len(costs)
    for level in sorted(range(len(costs)), key=lambda n: -costs[n]):
        places[level] = loads.index(min(loads))
        loads[places[level]] += costs[level]
    return tuple(places)


def current():
    """The devices of the `level_devices` that is open, or None."""
    return _DEVICES.get()


def named(devices, count=None):
    """Devices of this machine, as `GPU:0`; a `count` of them, or any."""
    import keras

    given = arguments.texts("devices", devices)
    if keras.backend.backend() != "tensorflow":
        backend = keras.backend.backend()
        raise RuntimeError(f"`devices` needs TensorFlow; this is {backend!r}.")
    here = [
        device.name.rpartition("device:")[2]
        for device in tf.config.list_logical_devices()
    ]
    short = [name.upper().lstrip("/").removeprefix("DEVICE:") for name in given]
    unknown = [name for name, key in zip(given, short) if key not in here]
    rule = f"names of devices of this machine, {here}; {unknown} are none"
    arguments.check("devices", given, not unknown, rule)
    good = count in (None, len(given))
    arguments.check("devices", given, good, f"one for each of {count} levels")
    return tuple(short)


@contextlib.contextmanager
def _within(devices):
    token = _DEVICES.set(devices)
    try:
        yield
    finally:
        _DEVICES.reset(token)


def undivided():
    """The scope in which layers have no devices."""
    return _within(None)


def check_free():
    """Refuses what puts whole layers on devices of its own choice."""
    where = None
    if tf.distribute.has_strategy():
        where = f"the scope of a {type(tf.distribute.get_strategy()).__name__}"
    elif tf.__internal__.get_enclosing_xla_context() is not None:
        where = "a function that XLA compiles, which has one device"
    if where:
        raise RuntimeError(
            f"Layers that `level_devices` divides cannot be used in {where}, "
            "which places layers itself."
        )


def level_devices(
    devices: Sequence[str],
) -> contextlib.AbstractContextManager[None]:
    """A scope that divides the levels of each new PyConv among devices.

    Reference: [Pyramidal Convolution](https://arxiv.org/abs/2006.11538),
    section 3, "Efficiency".

    Each level is computed on one device, with its kernel and its gradients.
    The level with the most multiply-adds is assigned first, and each level
    goes to the device with the least work in this layer so far. All other
    layers, the concatenation and pyramids of one level stay on their device,
    which should be the first. `layer.devices` names the device of each level
    of a built layer.

    Devices are not part of a layer's configuration: a saved model loads on any
    machine, and a copied or loaded model is divided if you create it within
    such a scope. XLA knows one device only, so it is off for the model.

    Args:
        devices: List of names of `tf.config.list_logical_devices()`, such as
            `["GPU:0", "GPU:1"]`, two or more different ones.

    Returns:
        A context manager.

    Raises:
        ValueError: A device does not exist, is given twice, or is the only one.
        RuntimeError: The scope of a `tf.distribute` strategy is active, which
            puts whole layers on devices; or the backend is not TensorFlow.

    Example:

    >>> with keras_pyconv.level_devices(["CPU:0", "CPU:1"]):
    ...     model = keras_pyconv.PyConvResNet50()
    >>> print(model.get_layer("conv2_block1_2_pyconv").devices)
    ('CPU:0', 'CPU:1', 'CPU:1', 'CPU:0')
    """
    found = named(devices)
    good = len(found) == len(set(found)) > 1
    arguments.check("devices", devices, good, "two or more different devices")
    check_free()
    return _within(found)


def place_of(index, devices):
    """The scope of the device of a level, which changes nothing without any."""
    return tf.device(devices[index]) if devices else contextlib.nullcontext()


def compute_on(device, function, *tensors):
    """What `function` makes of tensors on a device, its gradients too."""

    @tf.custom_gradient
    def placed(*tensors):
        with tf.device(device), tf.GradientTape(persistent=True) as tape:
            # Whatever uses it, one copy crosses.
            tensors = [tf.identity(tensor) for tensor in tensors]
            tape.watch(tensors)
            outputs = function(*tensors)

        def gradient(*upstream):
            with tf.device(device):
                upstream = [tf.identity(tensor) for tensor in upstream]
                return tape.gradient(outputs, tensors, upstream)

        return outputs, gradient

    # Variables would be watched by name.
    return placed(*map(tf.convert_to_tensor, tensors))
