"""The reader of `networks` that counts: layers, each with shape and cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from operator import attrgetter
from typing import Any

from keras_pyconv.architectures import Detector
from keras_pyconv.arguments import PerAxis, integers
from keras_pyconv.complexity.cost import (
    Cost,
    adaptive_pool_cost,
    average_pool_cost,
    batch_norm_cost,
    conv_cost,
    dense_cost,
    max_pool_cost,
    output_size,
    relu_cost,
)
from keras_pyconv.networks import Net

Shape = tuple[int, ...]


def _of_cost(name) -> Any:
    return property(attrgetter(f"cost.{name}"))


class Counted:
    """Anything with a `cost`; the figures of `Cost` can be read directly."""

    parameters: int = _of_cost("parameters")
    non_trainable: int = _of_cost("non_trainable")
    total_parameters: int = _of_cost("total_parameters")
    multiply_adds: int = _of_cost("multiply_adds")
    paper_ops: int = _of_cost("paper_ops")


@dataclass(frozen=True)
class LevelCost(Counted):
    """One level of one pyramid."""

    kernel: tuple[int, ...]
    filters: int
    groups: int
    cost: Cost


@dataclass(frozen=True)
class LayerCost(Counted):
    """One layer, by the name it has in the Keras model.

    `output_shape` is without the batch, channels last. `levels` is empty but
    for convolutions whose filters are given level by level. `variables` are
    names and shapes, as in Keras. `input_shape` is known of convolutions.
    """

    name: str
    output_shape: Shape
    cost: Cost = Cost()
    levels: tuple[LevelCost, ...] = ()
    variables: tuple[tuple[str, Shape], ...] = ()
    input_shape: Shape = ()

    @property
    def channels(self) -> int:
        """Channels of the output."""
        return self.output_shape[-1]

    @property
    def sizes(self) -> Shape:
        """Sizes of the output along its axes."""
        return self.output_shape[:-1]


@dataclass(frozen=True)
class PartCost(Counted):
    """A stem, a stage or a classifier: layers under one name."""

    name: str
    layers: tuple[LayerCost, ...]

    @property
    def cost(self) -> Cost:
        """The layers' costs together."""
        return sum((layer.cost for layer in self.layers), Cost())

    @property
    def output_shape(self) -> Shape:
        """Shape after the last layer."""
        return self.layers[-1].output_shape

    @property
    def levels(self) -> tuple[LevelCost, ...]:
        """The pyramid levels of all layers, alike ones added together."""
        found = {}
        for layer in self.layers:
            for level in layer.levels:
                key = (level.kernel, level.filters, level.groups)
                found[key] = found.get(key, Cost()) + level.cost
        return tuple(LevelCost(*key, cost) for key, cost in found.items())


class Counter(Net):
    """Notes the layers of a description with what they cost.

    A feature map is the layer that made it. Noted are layers that compute, and
    the last of each part.

    Args:
        shape: shape of the input without the batch, channels last.

    Attributes:
        input: the feature map to start from.
        layers: a `LayerCost` for each layer, in order.
        parts: a `PartCost` for each part that the description named.
    """

    def __init__(self, shape: Shape):
        self.rank = len(integers("shape", shape)) - 1
        self.input = LayerCost("input", tuple(shape))
        self.layers, self.parts, self._counted = [], [], 0

    def _note(self, name, shape, *counted, **more):
        layer = LayerCost(name, tuple(shape), *counted, **more)
        self.layers.append(layer)
        return layer

    def part(self, x: LayerCost, name: str) -> LayerCost:
        if x is not self.layers[-1]:
            self.layers.append(x)
        layers = self.layers[self._counted :]
        self._counted = len(self.layers)
        self.parts.append(PartCost(name, tuple(layers)))
        return x

    def channels(self, x: LayerCost) -> int:
        return x.channels

    def conv(
        self,
        x: LayerCost,
        filters: PerAxis,
        kernels: Sequence[PerAxis] = (1,),
        groups: PerAxis = 1,
        strides: PerAxis = 1,
        dilation: PerAxis = 1,
        *,
        name: str,
        padding: str = "same",
        use_bias: bool = False,
        **_: Any,
    ) -> LayerCost:
        rows = self.levels(filters, kernels, groups)
        largest = [max(sizes) for sizes in zip(*(row[0] for row in rows))]
        sizes = self._slide(x, largest, strides, padding)
        positions, levels, variables = prod(sizes), [], []
        for number, (kernel, count, groups) in enumerate(rows, 1):
            problem = x.channels, count, kernel, positions, groups, use_bias
            levels.append(LevelCost(kernel, count, groups, conv_cost(*problem)))
            shape = (*kernel, x.channels // groups, count)
            variables.append((f"kernel_{number}", shape))
        shape = (*sizes, sum(level.filters for level in levels))
        variables += [("bias", shape[-1:])] * use_bias
        cost = sum((level.cost for level in levels), Cost())
        listed = tuple(levels) if isinstance(filters, tuple) else ()
        figures = cost, listed, tuple(variables), x.output_shape
        return self._note(name, shape, *figures)

    def norm(
        self,
        x: LayerCost,
        *,
        name: str,
        epsilon: float = 1e-5,
        start: float = 1.0,
    ) -> LayerCost:
        cost = batch_norm_cost(x.channels, prod(x.sizes))
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        variables = tuple((variable, (x.channels,)) for variable in names)
        return self._note(name, x.output_shape, cost, variables=variables)

    def relu(
        self, x: LayerCost, *, name: str, shared: bool = False
    ) -> LayerCost:
        cost = Cost() if shared else relu_cost(prod(x.output_shape))
        return self._note(name, x.output_shape, cost)

    def add(self, shortcut: LayerCost, x: LayerCost, *, name: str) -> LayerCost:
        return self._note(name, x.output_shape)

    def scale(self, x: LayerCost, factor: float, *, name: str) -> LayerCost:
        return LayerCost(name, x.output_shape)

    def concat(self, maps: Sequence[LayerCost], *, name: str) -> LayerCost:
        channels = sum(one.channels for one in maps)
        return LayerCost(name, (*maps[0].sizes, channels))

    def max_pool(
        self,
        x: LayerCost,
        window: PerAxis,
        strides: PerAxis,
        *,
        name: str,
        padding: str = "same",
    ) -> LayerCost:
        shape = (*self._slide(x, window, strides, padding), x.channels)
        return self._note(name, shape, max_pool_cost(prod(shape), window))

    def average_pool(
        self, x: LayerCost, window: PerAxis, *, name: str
    ) -> LayerCost:
        cost = average_pool_cost(prod(x.output_shape), window)
        return self._note(name, x.output_shape, cost)

    def adaptive_pool(
        self, x: LayerCost, bins: PerAxis, *, name: str
    ) -> LayerCost:
        bins = self.axes(bins)
        cost = adaptive_pool_cost(x.channels, x.sizes, bins)
        return self._note(name, (*bins, x.channels), cost)

    def global_pool(
        self, x: LayerCost, *, name: str, adaptive: bool = True
    ) -> LayerCost:
        cost = adaptive_pool_cost(x.channels, x.sizes, self.axes(1))
        if not adaptive:
            # A window written as one number, as large as the map.
            cost = average_pool_cost(x.channels, x.sizes[-1])
        return self._note(name, (x.channels,), cost)

    def resize(
        self, x: LayerCost, like: LayerCost, *, name: str, precise: bool = False
    ) -> LayerCost:
        return LayerCost(name, (*like.sizes, x.channels))

    def dropout(
        self, x: LayerCost, rate: float, *, name: str, of_channels: bool = False
    ) -> LayerCost:
        return x

    def dense(
        self,
        x: LayerCost,
        units: int,
        *,
        name: str,
        activation: str | None = None,
        use_bias: bool = True,
    ) -> LayerCost:
        cost = dense_cost(x.channels, units, use_bias)
        variables = [("kernel", (x.channels, units)), ("bias", (units,))]
        variables = tuple(variables[: 1 + use_bias])
        return self._note(name, (units,), cost, variables=variables)

    def gate(self, x: LayerCost, weights: LayerCost, *, name: str) -> LayerCost:
        return LayerCost(name, x.output_shape)

    def attend(
        self,
        queries: LayerCost,
        keys: LayerCost,
        values: LayerCost,
        *,
        name: str,
    ) -> LayerCost:
        # Products of two maps, of which neither count knows anything.
        return LayerCost(name, queries.output_shape)

    def join_boxes(
        self,
        maps: Sequence[LayerCost],
        width: int,
        detector: Detector,
        *,
        name: str,
    ) -> LayerCost:
        numbers = sum(prod(one.output_shape) for one in maps)
        return LayerCost(name, (numbers // width, width))

    def _slide(self, x, window, strides, padding):
        axes = zip(x.sizes, self.axes(window), self.axes(strides))
        return tuple(output_size(*axis, padding) for axis in axes)
