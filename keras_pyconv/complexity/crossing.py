"""What crosses between devices where the levels of pyramids are divided.

Each device but the first, where the rest of the network is, gets the input of
a layer once, whatever the number of its levels, and gives their outputs; in
the backward pass the gradients of both go the other way. Kernels stay where
they are used.
"""

from collections.abc import Iterable
from math import prod
from typing import Any, NamedTuple

from keras_pyconv.arguments import check, instance, integer, one_of
from keras_pyconv.complexity.counter import LayerCost
from keras_pyconv.complexity.grid import grid
from keras_pyconv.complexity.network import Complexity
from keras_pyconv.placement import allotted

CROSSING_RULE = (
    "Forward, backward: bytes a step that cross between devices. Saved: "
    "multiply-adds a step of the forward pass that the first device need not "
    "wait for. Kernels: bytes of those on other devices, which an optimizer "
    "moves twice a step or more."
)


class Crossing(NamedTuple):
    """What crosses in a step, of a layer or of several, and what that saves.

    Attributes:
        forward: bytes that cross in the forward pass.
        backward: bytes that cross in the backward pass.
        saved: multiply-adds of the forward pass, less those of the device
            that has the most to do.
        kernels: bytes of the kernels that are not on the first device, in
            float32.
    """

    forward: int = 0
    backward: int = 0
    saved: int = 0
    kernels: int = 0


def _of_layer(layer, devices, batch_size, number_bytes):
    costs = [level.multiply_adds for level in layer.levels]
    places = allotted(costs, devices)
    loads, numbers, kernels = [0] * devices, 0, 0
    for level, place in zip(layer.levels, places):
        loads[place] += level.multiply_adds
        if place:
            numbers += prod(layer.sizes) * level.filters
            kernels += level.multiply_adds // prod(layer.sizes)
    numbers += len({*places} - {0}) * prod(layer.input_shape)
    crossed = batch_size * number_bytes * numbers
    saved = batch_size * (sum(costs) - max(loads))
    return Crossing(crossed, crossed, saved, 4 * kernels)


def crossing(
    layers: Iterable[LayerCost],
    devices: int = 2,
    batch_size: int = 1,
    number_bytes: int = 4,
) -> Crossing:
    """What crosses if pyramids are divided as `level_devices` does.

    Args:
        layers: `LayerCost`s, as `complexity(name).layers` or those of a part;
            only pyramids of several levels count.
        devices: how many there are; the first has all other layers.
        batch_size: examples a step.
        number_bytes: 4 of float32, 2 under a policy of 16 bits, 8 of float64.

    Returns:
        A `Crossing`.

    Example:

    >>> from keras_pyconv.complexity import complexity, crossing
    >>> crossing(complexity("PyConvResNet50").layers, batch_size=32).forward
    385351680
    """
    good = isinstance(layers, (list, tuple))
    good = good and all(isinstance(layer, LayerCost) for layer in layers)
    check("layers", layers, good, "a list of `LayerCost`s", TypeError)
    integer("devices", devices, 2)
    integer("batch_size", batch_size)
    one_of("number_bytes", number_bytes, (2, 4, 8))
    pyramids = [layer for layer in layers if len(layer.levels) > 1]
    found = [_of_layer(x, devices, batch_size, number_bytes) for x in pyramids]
    return Crossing(*map(sum, zip(Crossing(), *found)))


def crossing_table(
    count: Complexity, style: str = "text", **options: Any
) -> str:
    """A `Complexity`, one part a row: what crosses, and what that saves.

    Args:
        count: what `complexity` gives for a network.
        style: `"text"` or `"markdown"`.
        options: of `crossing`.
    """
    instance("count", count, Complexity)
    title = count.architecture.name
    rows = [(part.name, part.layers) for part in count.parts]
    lines = []
    for name, layers in [*rows, ("in all", count.layers)]:
        found = crossing(layers, **options)
        figures = found.forward, found.backward, found.saved, found.kernels
        lines.append([name, *(f"{figure:,}" for figure in figures)])
    header = [title, "Forward, bytes", "Backward, bytes", "Saved", "Kernels"]
    return grid(header, lines, style, words=(title,))
