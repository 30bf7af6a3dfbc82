"""Layers written down one after the other, each with its shape and cost.

A `Walk` repeats the order of a network's layers without making one: every
method notes one layer and moves on to its output shape.
"""

from dataclasses import dataclass
from math import prod

from keras_pyconv.complexity.cost import (
    Cost,
    adaptive_pool_cost,
    batch_norm_cost,
    conv_cost,
    dense_cost,
    max_pool_cost,
    output_size,
    relu_cost,
)

Shape = tuple[int, ...]


class Counted:
    """Anything with a `cost`; its figures can be read directly."""

    @property
    def parameters(self) -> int:
        """Trainable scalars."""
        return self.cost.parameters

    @property
    def non_trainable(self) -> int:
        """Moving statistics of batch normalization."""
        return self.cost.non_trainable

    @property
    def total_parameters(self) -> int:
        """What `count_params()` of a Keras model says."""
        return self.cost.total_parameters

    @property
    def multiply_adds(self) -> int:
        """Of convolutions and dense layers, for one input."""
        return self.cost.multiply_adds

    @property
    def paper_ops(self) -> int:
        """For one input, by the paper's convention."""
        return self.cost.paper_ops


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
    for the spatial convolutions of residual blocks.
    """

    name: str
    output_shape: Shape
    cost: Cost
    levels: tuple[LevelCost, ...] = ()


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


class Walk:
    """The layers met so far, and the shape of the last one's output.

    Args:
        shape: shape of the input without the batch, channels last.
    """

    def __init__(self, shape: Shape):
        self.shape = tuple(shape)
        self.layers = []

    @property
    def channels(self) -> int:
        """Channels of the present shape."""
        return self.shape[-1]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Spatial sizes of the present shape."""
        return self.shape[:-1]

    def note(self, name, shape, cost, levels=()):
        """Adds a layer, whatever it is."""
        self.layers.append(LayerCost(name, tuple(shape), cost, levels))
        self.shape = tuple(shape)

    def pyconv(self, name, levels, stride=1, use_bias=False, padding="same"):
        """Parallel convolutions; a level is (kernel, filters, groups)."""
        rank = len(self.sizes)
        levels = [(_each(k, rank), count, g) for k, count, g in levels]
        sizes = self._slide(levels[0][0], stride, padding)
        costs = tuple(
            LevelCost(
                kernel,
                count,
                groups,
                conv_cost(
                    self.channels, count, kernel, prod(sizes), groups, use_bias
                ),
            )
            for kernel, count, groups in levels
        )
        filters = sum(level.filters for level in costs)
        cost = sum((level.cost for level in costs), Cost())
        self.note(name, (*sizes, filters), cost, costs)

    def conv(self, name, filters, kernel=1, stride=1, **options):
        """One ordinary convolution; its only level is not listed."""
        self.pyconv(name, [(kernel, filters, 1)], stride, **options)
        last = self.layers.pop()
        self.note(name, last.output_shape, last.cost)

    def batch_norm(self, name):
        """Batch normalization over the channels."""
        cost = batch_norm_cost(self.channels, prod(self.sizes))
        self.note(name, self.shape, cost)

    def relu(self, name, shared=False):
        """ReLU; `shared` if a later call of its object is what counts."""
        cost = Cost() if shared else relu_cost(prod(self.shape))
        self.note(name, self.shape, cost)

    def max_pool(self, name, window, stride, padding="same"):
        """Max pooling; the window counts as it is written."""
        sizes = self._slide(window, stride, padding)
        shape = (*sizes, self.channels)
        self.note(name, shape, max_pool_cost(prod(shape), window))

    def adaptive_pool(self, name, outputs):
        """Average pooling to `outputs` positions along each axis."""
        cost = adaptive_pool_cost(self.channels, self.sizes, outputs)
        self.note(name, (*outputs, self.channels), cost)

    def global_pool(self, name):
        """Global average pooling."""
        self.adaptive_pool(name, (1,) * len(self.sizes))
        last = self.layers.pop()
        self.note(name, (self.channels,), last.cost)

    def dense(self, name, outputs, use_bias=True):
        """A dense layer on a vector."""
        cost = dense_cost(self.channels, outputs, use_bias)
        self.note(name, (outputs,), cost)

    def _slide(self, window, stride, padding):
        rank = len(self.sizes)
        axes = zip(self.sizes, _each(window, rank), _each(stride, rank))
        return tuple(output_size(*axis, padding) for axis in axes)


def _each(value, rank):
    return (value,) * rank if isinstance(value, int) else tuple(value)
