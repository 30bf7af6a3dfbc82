"""The same networks in PyTorch, channels last, eager, in-place activations.

The fact a reader would get wrong: bf16 is `torch.autocast` over float32
parameters, which is what Keras's "mixed_bfloat16" does; a network cast to
bfloat16 as a whole would be another one.
"""

import contextlib
import pathlib
import sys
import types

import torch
from torch import nn

CLASSES = 1000


def get_architecture(name):
    """A record, read without the package, which would import Keras here."""
    if "keras_pyconv" not in sys.modules:
        package = types.ModuleType("keras_pyconv")
        root = pathlib.Path(__file__).parent.parent
        package.__path__ = [str(root / "keras_pyconv")]
        sys.modules["keras_pyconv"] = package
    from keras_pyconv import architectures

    return architectures.get_architecture(name)


def _convolution(channels, filters, kernel, stride=1, groups=1):
    return nn.Conv2d(
        channels, filters, kernel, stride, kernel // 2, 1, groups, bias=False
    )


class Pyramid(nn.Module):
    """Levels side by side over the whole input, concatenated on channels."""

    def __init__(self, stage, stride):
        super().__init__()
        self.levels = nn.ModuleList(
            _convolution(
                stage.width, filters, level.kernel, stride, level.groups
            )
            for level, filters in zip(stage.levels, stage.filters)
        )

    def forward(self, inputs):
        outputs = [level(inputs) for level in self.levels]
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs, 1)


class Bottleneck(nn.Module):
    """1x1, pyramid, 1x1, and the shortcut of the stage."""

    def __init__(self, stage, entering, channels, first):
        super().__init__()
        stride = stage.stride if first else 1
        self.residual = nn.Sequential(
            _convolution(entering, stage.width, 1),
            nn.BatchNorm2d(stage.width),
            nn.ReLU(inplace=True),
            Pyramid(stage, stride),
            nn.BatchNorm2d(stage.width),
            nn.ReLU(inplace=True),
            _convolution(stage.width, channels, 1),
            nn.BatchNorm2d(channels),
        )
        self.shortcut = nn.Identity()
        if first:
            pooled = stage.shortcut == "pool"
            pool = nn.MaxPool2d(3, stride, 1) if pooled else nn.Identity()
            self.shortcut = nn.Sequential(
                pool,
                _convolution(entering, channels, 1, 1 if pooled else stride),
                nn.BatchNorm2d(channels),
            )
        self.activation = nn.ReLU(inplace=True)

    def forward(self, inputs):
        outputs = self.residual(inputs)
        return self.activation(outputs.add_(self.shortcut(inputs)))


def torch_network(architecture):
    """A network of bottlenecks.

    Args:
        architecture: A name of `keras_pyconv.architectures`.
    """
    architecture = get_architecture(architecture)
    width = architecture.stem_width
    layers = [
        _convolution(3, width, 7, 2),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    ]
    if architecture.stem_pool:
        layers.append(nn.MaxPool2d(3, 2, 1))
    for stage, channels in zip(architecture.stages, architecture.channels):
        for block in range(stage.blocks):
            layers.append(Bottleneck(stage, width, channels, block == 0))
            width = channels
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, CLASSES))
    return nn.Sequential(*layers, *head)


def device_of(case):
    """The torch device of a case, threads and autotuning set."""
    torch.set_num_threads(case.threads)
    torch.backends.cudnn.benchmark = True
    return "cuda" if case.device == "gpu" else "cpu"


def finish(device):
    """Waits for work that was only queued."""
    if device == "cuda":
        torch.cuda.synchronize()


def precision_of(case, device):
    """A context of the case's precision."""
    if case.precision == "bf16":
        return torch.autocast(device, torch.bfloat16)
    return contextlib.nullcontext()


def steps(case):
    """One inference and one training step, by name.

    Args:
        case: A `benchmarks.plan.Case`.
    """
    device = device_of(case)
    torch.manual_seed(1)
    last = torch.channels_last
    model = torch_network(case.subject).to(device, memory_format=last)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    images = torch.randn(case.batch, 3, case.side, case.side, device=device)
    images = images.to(memory_format=last)
    labels = torch.randint(CLASSES, (case.batch,), device=device)

    def inference():
        model.eval()
        with torch.inference_mode(), precision_of(case, device):
            model(images)
        finish(device)

    def training():
        model.train()
        optimizer.zero_grad()
        with precision_of(case, device):
            loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        finish(device)

    return {"inference": inference, "training": training}
