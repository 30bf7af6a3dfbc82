"""A record's network in PyTorch, straight from a checkpoint's arrays.

Written from the record and PyTorch's own functions, so that it says what the
authors' framework makes of a checkpoint, independently of Keras.

The fact a reader would get wrong: nothing here is a module. Weights are looked
up by name where they are used, and the shape of a kernel says its groups.
"""

import numpy as np

from keras_pyconv.architectures import get_architecture
from keras_pyconv.weights.torch_shapes import shortcut_index

EPSILON = 1e-5


class _Network:
    """The functions of a network over its arrays, by module name."""

    def __init__(self, arrays):
        import torch

        self.torch, self.functions = torch, torch.nn.functional
        self.tensors = {
            name: torch.from_numpy(np.array(array))
            for name, array in arrays.items()
        }

    def conv(self, x, name, stride=1):
        kernel = self.tensors[f"{name}.weight"]
        side, groups = kernel.shape[-1], x.shape[1] // kernel.shape[1]
        return self.functions.conv2d(
            x, kernel, None, stride, side // 2, 1, groups
        )

    def pyramid(self, x, name, stride=1):
        if f"{name}.weight" in self.tensors:
            return self.conv(x, name, stride)
        prefix = f"{name}.conv2_"
        levels = sorted(n for n in self.tensors if n.startswith(prefix))
        maps = [self.conv(x, n.removesuffix(".weight"), stride) for n in levels]
        return self.torch.cat(maps, 1)

    def normalize(self, x, name):
        names = ("running_mean", "running_var", "weight", "bias")
        values = [self.tensors[f"{name}.{one}"] for one in names]
        return self.functions.batch_norm(x, *values, eps=EPSILON)

    def relu(self, x):
        return self.functions.relu(x)

    def pool(self, x, stride):
        return self.functions.max_pool2d(x, 3, stride, 1)

    def classify(self, x):
        weights = self.tensors["fc.weight"], self.tensors["fc.bias"]
        return self.functions.linear(x.mean((2, 3)), *weights)


def _body(net, x, name, block, stride):
    """A block without its shortcut; the pyramid strides."""
    spatial = 2 if block == "bottleneck" else 1
    last = 3 if block == "bottleneck" else 2
    for position in range(1, last + 1):
        step = stride if position == spatial else 1
        x = net.pyramid(x, f"{name}.conv{position}", step)
        x = net.normalize(x, f"{name}.bn{position}")
        if position < last:
            x = net.relu(x)
    return x


def _shortcut(net, x, name, stage, outputs):
    index, stride = shortcut_index(stage, x.shape[1], outputs), stage.stride
    if stage.shortcut == "pool":
        x, stride = net.pool(x, stride), 1
    if index is None:
        return x
    x = net.conv(x, f"{name}.downsample.{index}", stride)
    return net.normalize(x, f"{name}.downsample.{index + 1}")


def torch_outputs(architecture, arrays, images) -> dict[str, np.ndarray]:
    """What PyTorch computes with a checkpoint's arrays.

    Args:
        architecture: An `Architecture`, or the name of a row of
            `ARCHITECTURES`.
        arrays: From the authors' names to arrays.
        images: float32 array `(batch, height, width, channels)`.

    Returns:
        `"stage1"` to `"stage4"`, `(batch, height, width, channels)`, and
        `"logits"` `(batch, classes)` where the arrays have a classifier.

    Raises:
        ImportError: if PyTorch is not installed.
    """
    architecture = get_architecture(architecture)
    net = _Network(arrays)
    outputs = {}
    with net.torch.inference_mode():
        x = net.torch.from_numpy(np.moveaxis(images, -1, 1).copy())
        x = net.relu(net.normalize(net.conv(x, "conv1", 2), "bn1"))
        if architecture.stem_pool:
            x = net.pool(x, 2)
        rows = zip(architecture.stages, architecture.channels)
        for number, (stage, channels) in enumerate(rows, 1):
            for block in range(stage.blocks):
                name = f"layer{number}.{block}"
                stride = 1 if block else stage.stride
                y = _body(net, x, name, architecture.block, stride)
                if not block:
                    x = _shortcut(net, x, name, stage, channels)
                x = net.relu(x + y)
            outputs[f"stage{number}"] = np.moveaxis(x.numpy(), 1, -1)
        if "fc.weight" in net.tensors:
            outputs["logits"] = net.classify(x).numpy()
    return outputs
