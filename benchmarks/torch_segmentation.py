"""Segmentation networks in PyTorch, channels last, beside ours.

The same records, read without the package: dilated backbone, the head of the
paper or of its rivals, the classifier on the small map, and then the
enlargement.

The fact a reader would get wrong: the dilated stages' shortcut pools with
stride 1 and no dilation.
"""

import torch
from torch import nn
from torch.nn import functional

from benchmarks.torch_networks import get_architecture


def records():
    """`architectures.segmentation`, without importing Keras."""
    get_architecture("ResNet50")  # prepares the import of the package's data
    from keras_pyconv.architectures import segmentation

    return segmentation


def _unit(channels, filters, kernel=1, dilation=1, stride=1, groups=1):
    """Convolution, normalization, ReLU."""
    padding = kernel // 2 * dilation
    return nn.Sequential(
        nn.Conv2d(
            channels,
            filters,
            kernel,
            stride,
            padding,
            dilation,
            groups,
            bias=False,
        ),
        nn.BatchNorm2d(filters),
        nn.ReLU(inplace=True),
    )


class Pyramid(nn.Module):
    """Levels over the whole input, concatenated; one normalization, ReLU."""

    def __init__(self, channels, width, levels, stride=1, dilation=1):
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Conv2d(
                channels,
                int(width * level.share),
                level.kernel,
                stride,
                level.kernel // 2 * dilation,
                dilation,
                level.groups,
                bias=False,
            )
            for level in levels
        )
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x):
        x = torch.cat([level(x) for level in self.levels], 1)
        return functional.relu_(self.norm(x))


class Block(nn.Module):
    """1x1, pyramid, 1x1, and the shortcut of the stage."""

    def __init__(self, stage, entering, channels, stride, dilation, first):
        super().__init__()
        self.residual = nn.Sequential(
            _unit(entering, stage.width),
            Pyramid(stage.width, stage.width, stage.levels, stride, dilation),
            nn.Conv2d(stage.width, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.shortcut = nn.Identity()
        if first:
            pooled = stage.shortcut == "pool"
            self.shortcut = nn.Sequential(
                nn.MaxPool2d(3, stride, 1) if pooled else nn.Identity(),
                nn.Conv2d(
                    entering, channels, 1, 1 if pooled else stride, bias=False
                ),
                nn.BatchNorm2d(channels),
            )

    def forward(self, x):
        return functional.relu_(self.residual(x).add_(self.shortcut(x)))


def backbone(record, output_stride):
    """Stem and stages, and the channels of the last."""
    width = record.stem_width
    layers = [_unit(3, width, 7, stride=2)]
    if record.stem_pool:
        layers.append(nn.MaxPool2d(3, 2, 1))
    rows = zip(record.stages, record.channels, record.strides(output_stride))
    for stage, channels, (stride, dilation) in rows:
        for number in range(stage.blocks):
            first = number == 0
            block = Block(
                stage,
                width,
                channels,
                stride if first else 1,
                dilation,
                first,
            )
            layers.append(block)
            width = channels
    return nn.Sequential(*layers), width


def _resized(x, like):
    size = like.shape[2:]
    return functional.interpolate(x, size, mode="bilinear", align_corners=True)


class Parsing(nn.Module):
    """Local and global context, merged (paper, Figure 5)."""

    def __init__(self, channels, head):
        super().__init__()
        self.local, self.whole = (
            nn.Sequential(
                _unit(channels, head.width),
                Pyramid(head.width, head.width, head.levels),
                _unit(head.width, head.width),
            )
            for _ in range(2)
        )
        self.pool = nn.AdaptiveAvgPool2d(head.bins)
        self.merge = _unit(2 * head.width, head.merged_width, 3)
        self.filters = head.merged_width

    def forward(self, x):
        whole = _resized(self.whole(self.pool(x)), x)
        return self.merge(torch.cat([self.local(x), whole], 1))


class Pooling(nn.Module):
    """The map beside its averages over bins, merged by a 3x3 (PSPNet)."""

    def __init__(self, channels, head):
        super().__init__()
        self.parts = nn.ModuleList(
            nn.Sequential(
                nn.AdaptiveAvgPool2d(bins), _unit(channels, head.width)
            )
            for bins in head.bins
        )
        channels += head.width * len(head.bins)
        self.merge = _unit(channels, head.width, 3)
        self.filters = head.width

    def forward(self, x):
        parts = [_resized(part(x), x) for part in self.parts]
        return self.merge(torch.cat([x, *parts], 1))


class Atrous(nn.Module):
    """A 1x1, dilated 3x3s and an image average, merged by a 1x1 (ASPP)."""

    def __init__(self, channels, head):
        super().__init__()
        units = [_unit(channels, head.width)]
        units += [_unit(channels, head.width, 3, rate) for rate in head.rates]
        self.units = nn.ModuleList(units)
        self.image = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), _unit(channels, head.width)
        )
        self.merge = _unit(head.width * (len(units) + 1), head.width)
        self.filters = head.width

    def forward(self, x):
        maps = [unit(x) for unit in self.units]
        return self.merge(torch.cat([*maps, _resized(self.image(x), x)], 1))


HEADS = {
    "ParsingHead": Parsing,
    "PoolingHead": Pooling,
    "AtrousHead": Atrous,
}


class Network(nn.Module):
    """Backbone, head, classifier, enlargement; in inference mode."""

    def __init__(self, record, classes):
        super().__init__()
        self.backbone, channels = backbone(
            record.backbone, record.output_stride
        )
        self.head = HEADS[type(record.head).__name__](channels, record.head)
        self.classifier = nn.Conv2d(self.head.filters, classes, 1)

    def forward(self, images):
        maps = self.classifier(self.head(self.backbone(images)))
        return _resized(maps, images)


def network(backbone, head, output_stride=8, classes=150):
    """The network of `PyConvSegNet(backbone, head=head)` for inference."""
    record = records().make_segmenter(backbone, head, output_stride)
    return Network(record, classes).eval()


def crop_step(backbone, head, output_stride, side, threads):
    """A function that parses one crop, and the number of parameters."""
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    model = network(backbone, head, output_stride)
    model = model.to(memory_format=torch.channels_last)
    images = torch.randn(1, 3, side, side)
    images = images.to(memory_format=torch.channels_last)

    def step():
        with torch.inference_mode():
            model(images)

    return step, sum(parameter.numel() for parameter in model.parameters())
