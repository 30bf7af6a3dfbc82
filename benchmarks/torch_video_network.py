"""The video networks in PyTorch, channels last, eager, in-place activations.

Parameters have the names that the authors' networks of images give them, so
that `keras_pyconv.weights.from_torch` loads them: a test compares both.

The fact a reader would get wrong: `memory_format` alone makes nothing channels
last; parameters and clips both have to be moved to `channels_last_3d`.
"""

import torch
from torch import nn

from benchmarks.torch_networks import (
    device_of,
    finish,
    get_architecture,
    precision_of,
)

CLASSES = 400


def _record(name):
    # Makes the records importable without the package and its Keras.
    get_architecture("ResNet50")
    from keras_pyconv.architectures import get_video_architecture

    return get_video_architecture(name)


def _convolution(channels, filters, kernel, stride=1, groups=1):
    padding = tuple(size // 2 for size in kernel)
    return nn.Conv3d(
        channels, filters, kernel, stride, padding, 1, groups, bias=False
    )


def _point(channels, filters, stride=1):
    return _convolution(channels, filters, (1, 1, 1), stride)


class Pyramid(nn.Module):
    """Levels side by side over the whole input, concatenated on channels."""

    def __init__(self, row, number, stride):
        super().__init__()
        stage = row.base.stages[number]
        levels = zip(row.kernels(number), stage.filters, stage.groups)
        for level, (kernel, filters, groups) in enumerate(levels, 1):
            convolution = _convolution(
                stage.width, filters, kernel, stride, groups
            )
            self.add_module(f"conv2_{level}", convolution)

    def forward(self, inputs):
        return torch.cat([level(inputs) for level in self.children()], 1)


class Bottleneck(nn.Module):
    """1x1x1, pyramid, 1x1x1, and the shortcut of the stage."""

    def __init__(self, row, number, entering, first):
        super().__init__()
        stage, channels = row.base.stages[number], row.base.channels[number]
        stride = row.strides(number) if first else 1
        self.conv1 = _point(entering, stage.width)
        self.bn1 = nn.BatchNorm3d(stage.width)
        if len(stage.levels) > 1:
            self.conv2 = Pyramid(row, number, stride)
        else:
            (kernel,) = row.kernels(number)
            self.conv2 = _convolution(stage.width, stage.width, kernel, stride)
        self.bn2 = nn.BatchNorm3d(stage.width)
        self.conv3 = _point(stage.width, channels)
        self.bn3 = nn.BatchNorm3d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = nn.Identity()
        if first:
            layers = []
            if stage.shortcut == "pool":
                window = row.pool_window(number)
                padding = tuple(size // 2 for size in window)
                layers.append(nn.MaxPool3d(window, stride, padding))
                stride = 1
            layers.append(_point(entering, channels, stride))
            layers.append(nn.BatchNorm3d(channels))
            self.downsample = nn.Sequential(*layers)

    def forward(self, inputs):
        outputs = self.relu(self.bn1(self.conv1(inputs)))
        outputs = self.relu(self.bn2(self.conv2(outputs)))
        outputs = self.bn3(self.conv3(outputs))
        return self.relu(outputs.add_(self.downsample(inputs)))


class VideoNetwork(nn.Module):
    """A record's network, from (batch, 3, frames, height, width) to logits."""

    def __init__(self, row, classes):
        super().__init__()
        width = row.base.stem_width
        self.conv1 = _convolution(3, width, row.stem_kernel, (1, 2, 2))
        self.bn1 = nn.BatchNorm3d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity()
        if row.base.stem_pool:
            self.maxpool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        for number, stage in enumerate(row.base.stages):
            blocks = []
            for block in range(stage.blocks):
                blocks.append(Bottleneck(row, number, width, block == 0))
                width = row.base.channels[number]
            self.add_module(f"layer{number + 1}", nn.Sequential(*blocks))
        self.dropout = nn.Dropout(row.dropout)
        self.fc = nn.Linear(width, classes)

    def forward(self, clips):
        outputs = self.maxpool(self.relu(self.bn1(self.conv1(clips))))
        for name, stage in self.named_children():
            if name.startswith("layer"):
                outputs = stage(outputs)
        outputs = outputs.mean((2, 3, 4))
        return self.fc(self.dropout(outputs))


def torch_video_network(name, classes=CLASSES):
    """A video network of bottlenecks.

    Args:
        name: A name of `keras_pyconv.architectures.VIDEO_ARCHITECTURES`.
        classes: Outputs of the classifier.
    """
    return VideoNetwork(_record(name), classes)


def steps(case):
    """One inference and one training step, by name.

    Args:
        case: A `benchmarks.plan.Case`.
    """
    device = device_of(case)
    torch.manual_seed(1)
    last = torch.channels_last_3d
    model = torch_video_network(case.subject).to(device, memory_format=last)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    shape = (case.batch, 3, case.frames, case.side, case.side)
    clips = torch.randn(shape, device=device).to(memory_format=last)
    labels = torch.randint(CLASSES, (case.batch,), device=device)

    def inference():
        model.eval()
        with torch.inference_mode(), precision_of(case, device):
            model(clips)
        finish(device)

    def training():
        model.train()
        optimizer.zero_grad()
        with precision_of(case, device):
            loss = nn.functional.cross_entropy(model(clips), labels)
        loss.backward()
        optimizer.step()
        finish(device)

    return {"inference": inference, "training": training}
