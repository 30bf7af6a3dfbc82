"""PyConvSSD and SSD in PyTorch, from the same records, and their decoding.

Channels last, eager. Suppression is a greedy loop over the boxes of a class,
sorted by score: torchvision's own operator is not used, so that PyTorch alone
is needed.

The fact a reader would get wrong: PyTorch's maps have channels first, so the
predictions are turned before they are joined, or the boxes would come in
another order than ours.
"""

import torch
from torch import nn

from benchmarks.torch_networks import Bottleneck, get_architecture

SCORE, OVERLAP, DETECTIONS = 0.05, 0.5, 200
VARIANCES = (0.1, 0.1, 0.2, 0.2)


def get_detector(name):
    """A record, read without the package, which would import Keras here."""
    get_architecture("ResNet50")
    from keras_pyconv.architectures import DETECTORS

    return DETECTORS[name]


class Levels(nn.Module):
    """Convolutions side by side over the whole input."""

    def __init__(self, channels, layer):
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Conv2d(
                channels,
                int(layer.filters * level.share),
                level.kernel,
                layer.stride,
                level.kernel // 2 if layer.padding == "same" else 0,
                groups=level.groups,
                bias=False,
            )
            for level in layer.levels
        )

    def forward(self, inputs):
        return torch.cat([level(inputs) for level in self.levels], 1)


def _extra_layer(channels, layer):
    return nn.Sequential(
        nn.Conv2d(channels, layer.bottleneck, 1, bias=False),
        nn.BatchNorm2d(layer.bottleneck),
        nn.ReLU(inplace=True),
        Levels(layer.bottleneck, layer),
        nn.BatchNorm2d(layer.filters),
        nn.ReLU(inplace=True),
    )


def _trunk(architecture):
    """Stem and stages; the layers of `torch_networks` without the top."""
    width = architecture.stem_width
    layers = [
        nn.Conv2d(3, width, 7, 2, 3, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    ]
    if architecture.stem_pool:
        layers.append(nn.MaxPool2d(3, 2, 1))
    for stage, channels in zip(architecture.stages, architecture.channels):
        for block in range(stage.blocks):
            layers.append(Bottleneck(stage, width, channels, block == 0))
            width = channels
    return nn.Sequential(*layers), width


class TorchDetector(nn.Module):
    """A detector of a record, to raw offsets and logits.

    Args:
        detector: a name of `keras_pyconv.architectures.DETECTORS`.
        classes: with the background.
    """

    def __init__(self, detector, classes=81):
        super().__init__()
        record = get_detector(detector)
        self.trunk, width = _trunk(record.backbone)
        widths, extra = [width], []
        for layer in record.extra_layers:
            extra.append(_extra_layer(widths[-1], layer))
            widths.append(layer.filters)
        self.extra = nn.ModuleList(extra)
        self.classes = classes
        self.boxes_head, self.classes_head = (
            nn.ModuleList(
                nn.Conv2d(channels, row.boxes * numbers, 3, padding=1)
                for channels, row in zip(widths, record.box_maps)
            )
            for numbers in (4, classes)
        )

    def forward(self, images):
        maps = [self.trunk(images)]
        for layer in self.extra:
            maps.append(layer(maps[-1]))
        joined = []
        for heads, numbers in (
            (self.boxes_head, 4),
            (self.classes_head, self.classes),
        ):
            rows = [
                head(x).permute(0, 2, 3, 1).reshape(len(x), -1, numbers)
                for head, x in zip(heads, maps)
            ]
            joined.append(torch.cat(rows, 1))
        return joined


def decode_boxes(default_boxes, offsets):
    """Offsets to corners ymin, xmin, ymax, xmax, as fractions."""
    offsets = offsets * torch.tensor(VARIANCES)
    centres = default_boxes[:, :2] + offsets[..., :2] * default_boxes[:, 2:]
    sides = default_boxes[:, 2:] * torch.exp(offsets[..., 2:])
    low, high = centres - sides / 2, centres + sides / 2
    return torch.cat([low.flip(-1), high.flip(-1)], -1)


def suppress(boxes, scores):
    """Indices of the boxes that stay, best first."""
    order = scores.argsort(descending=True)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        low = torch.maximum(boxes[best, :2], boxes[order, :2])
        high = torch.minimum(boxes[best, 2:], boxes[order, 2:])
        common = (high - low).clamp(min=0).prod(1)
        union = areas[best] + areas[order] - common
        order = order[common <= OVERLAP * union]
    return torch.stack(kept) if kept else order


def decode(default_boxes, offsets, logits):
    """Detections of a batch: boxes, labels and scores of each picture."""
    all_boxes = decode_boxes(default_boxes, offsets)
    all_scores = logits.softmax(-1)
    answers = []
    for boxes, scores in zip(all_boxes, all_scores):
        found = []
        for label in range(1, scores.shape[1]):
            chosen = (scores[:, label] > SCORE).nonzero()[:, 0]
            if len(chosen):
                kept = suppress(boxes[chosen], scores[chosen, label])
                chosen = chosen[kept]
                found.append(
                    (
                        boxes[chosen],
                        torch.full((len(chosen),), label - 1),
                        scores[chosen, label],
                    )
                )
        if not found:
            answers.append((boxes[:0], scores[:0, 0].long(), scores[:0, 0]))
            continue
        joined = [torch.cat(part) for part in zip(*found)]
        best = joined[2].argsort(descending=True)[:DETECTIONS]
        answers.append(tuple(part[best] for part in joined))
    return answers
