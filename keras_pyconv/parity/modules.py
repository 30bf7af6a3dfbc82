"""The reader of `networks` that makes PyTorch modules, without Keras.

It makes a graph of `torch.fx`, a `torch.nn.Module` whose parameters have the
authors' names, or those of our layers where they have none. Activations and
sums are in place, as the authors compute. Images are channels first.
"""

import operator
from dataclasses import dataclass

import numpy as np
import torch
from torch import fx, nn
from torch.nn import functional

from keras_pyconv.architectures import get_architecture
from keras_pyconv.networks import Net, top, trunk
from keras_pyconv.networks.authors_names import module_names

_CONVOLUTIONS = {2: nn.Conv2d, 3: nn.Conv3d}
_NORMALIZATIONS = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_COUNTER = ".num_batches_tracked"
_MAX_POOLINGS = {2: functional.max_pool2d, 3: functional.max_pool3d}


@dataclass(frozen=True)
class Map:
    """A feature map: its node in the graph, and its channels."""

    node: fx.Node
    channels: int


def resized(x, like):
    """Bilinear, corners kept in place."""
    size = like.shape[2:]
    return functional.interpolate(x, size, mode="bilinear", align_corners=True)


def boxes_last(x, width):
    """Predictions of one map, positions row by row: (batch, boxes, width)."""
    return x.permute(0, 2, 3, 1).reshape(len(x), -1, width)


def gated(x, weights):
    """Each channel times the sigmoid of its number."""
    axes = (..., *[None] * (x.ndim - 2))
    return x * torch.sigmoid(weights)[axes]


def attended(queries, keys, values):
    """Means of the values, weighted by the softmax of query times key."""
    flat = [x.flatten(2).transpose(1, 2) for x in (queries, keys, values)]
    weights = torch.softmax(flat[0] @ flat[1].transpose(1, 2), dim=-1)
    return (weights @ flat[2]).transpose(1, 2).reshape(queries.shape)


class TorchNet(Net):
    """Makes the module of a description, over images (2) or clips (3)."""

    def __init__(self, rank=2, channels=3):
        self.rank = rank
        self.graph = fx.Graph()
        self.input = Map(self.graph.placeholder("images"), channels)
        self._modules, self._names = {}, []

    def module(self, outputs) -> fx.GraphModule:
        """The module from the input to one map, or to maps by names."""
        if isinstance(outputs, dict):
            nodes = {name: x.node for name, x in outputs.items()}
        else:
            nodes = outputs.node
        self.graph.output(nodes)
        names = module_names(self._names)
        modules = {}
        for node in self.graph.nodes:
            if node.op == "call_module":
                layer, level = node.target.split("/")
                made = self._modules[node.target]
                node.target = names.get(layer, layer) + level
                modules[node.target] = made
        return fx.GraphModule(modules, self.graph)

    def _layer(self, x, name, module, channels, level=""):
        """A module with parameters; `level` goes behind its name."""
        self._names.append(name)
        self._modules[f"{name}/{level}"] = module
        node = self.graph.call_module(f"{name}/{level}", (x.node,))
        return Map(node, channels)

    def _call(self, function, maps, *arguments, name="", **options):
        """A function without parameters, channels as those of the first."""
        self._names.append(name)
        nodes = [x.node for x in maps]
        node = self.graph.call_function(function, (*nodes, *arguments), options)
        return Map(node, maps[0].channels)

    def channels(self, x):
        return x.channels

    def conv(
        self,
        x,
        filters,
        kernels=(1,),
        groups=1,
        strides=1,
        dilation=1,
        *,
        name,
        padding="same",
        use_bias=False,
        **_,
    ):
        levels, maps = self.levels(filters, kernels, groups), []
        for number, (kernel, count, divisor) in enumerate(levels, 1):
            margins = [size // 2 * dilation for size in kernel]
            convolution = _CONVOLUTIONS[self.rank](
                x.channels,
                count,
                kernel,
                strides,
                margins if padding == "same" else 0,
                dilation,
                divisor,
                use_bias,
            )
            level = f".conv2_{number}" if len(levels) > 1 else ""
            maps.append(self._layer(x, name, convolution, count, level))
        return self.concat(maps, name=name) if maps[1:] else maps[0]

    def norm(self, x, *, name, epsilon=1e-5, start=1.0):
        norm = _NORMALIZATIONS[self.rank](x.channels, epsilon)
        nn.init.constant_(norm.weight, start)
        return self._layer(x, name, norm, x.channels)

    def relu(self, x, *, name, shared=False):
        return self._call(functional.relu, [x], name=name, inplace=True)

    def add(self, shortcut, x, *, name):
        return self._call(operator.iadd, [x, shortcut], name=name)

    def scale(self, x, factor, *, name):
        return self._call(operator.mul, [x], factor, name=name)

    def concat(self, maps, *, name):
        nodes = [x.node for x in maps]
        self._names.append(name)
        node = self.graph.call_function(torch.cat, (nodes, 1))
        return Map(node, sum(x.channels for x in maps))

    def max_pool(self, x, window, strides, *, name, padding="same"):
        window = self.axes(window)
        margins = [size // 2 for size in window] if padding == "same" else 0
        sizes = (window, strides, margins)
        return self._call(_MAX_POOLINGS[self.rank], [x], *sizes, name=name)

    def average_pool(self, x, window, *, name):
        return self._call(
            functional.avg_pool2d,
            [x],
            *(window, 1, window // 2),
            name=name,
            count_include_pad=False,
        )

    def adaptive_pool(self, x, bins, *, name):
        return self._call(functional.adaptive_avg_pool2d, [x], bins, name=name)

    def global_pool(self, x, *, name, adaptive=True):
        axes = tuple(range(2, 2 + self.rank))
        return self._call(torch.mean, [x], axes, name=name)

    def resize(self, x, like, *, name, precise=False):
        return self._call(resized, [x, like], name=name)

    def dropout(self, x, rate, *, name, of_channels=False):
        if not rate:
            return x
        drop = nn.Dropout2d if of_channels else nn.Dropout
        return self._layer(x, name, drop(rate), x.channels)

    def dense(self, x, units, *, name, activation=None, use_bias=True):
        linear = nn.Linear(x.channels, units, use_bias)
        return self._layer(x, name, linear, units)

    def gate(self, x, weights, *, name):
        return self._call(gated, [x, weights], name=name)

    def attend(self, queries, keys, values, *, name):
        return self._call(attended, [queries, keys, values], name=name)

    def join_boxes(self, maps, width, detector, *, name):
        rows = [self._call(boxes_last, [x], width) for x in maps]
        node = self.graph.call_function(torch.cat, ([x.node for x in rows], 1))
        return Map(node, width)


def torch_module(describe, *arguments, rank=2, channels=3, **options):
    """The PyTorch module of a whole network, by a function of `networks`.

    >>> module = torch_module(networks.classifier, record, 1000)
    """
    net = TorchNet(rank, channels)
    return net.module(describe(net, net.input, *arguments, **options))


def load_arrays(module, arrays):
    """Fills a module with arrays by its parameters' names, each with one."""
    tensors = {n: torch.from_numpy(np.array(a)) for n, a in arrays.items()}
    missing, left_over = module.load_state_dict(tensors, strict=False)
    missing = [name for name in missing if not name.endswith(_COUNTER)]
    if missing or left_over:
        raise ValueError(f"Missing: {missing}; left over: {left_over}")
    return module.eval()


def torch_outputs(architecture, arrays, images) -> dict[str, np.ndarray]:
    """What PyTorch computes with a checkpoint's arrays, by their names.

    `"stage1"` to `"stage4"`, and `"logits"` where the arrays have a classifier,
    all of them and the images channels last.
    """
    net = TorchNet(channels=images.shape[-1])
    maps = trunk(net, net.input, get_architecture(architecture))
    outputs = {f"stage{n}": x for n, x in enumerate(maps[1:], 1)}
    if "fc.bias" in arrays:
        outputs["logits"] = top(net, maps[-1], len(arrays["fc.bias"]))
    module = load_arrays(net.module(outputs), arrays)
    with torch.inference_mode():
        found = module(torch.from_numpy(np.moveaxis(images, -1, 1).copy()))
    found = {name: value.numpy() for name, value in found.items()}
    return {name: np.moveaxis(value, 1, -1) for name, value in found.items()}
