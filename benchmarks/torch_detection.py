"""Detectors in PyTorch, channels last, and their decoding.

Suppression is a greedy loop over the boxes of a class, sorted by score:
torchvision's own operator is not used, so that PyTorch alone is needed.
"""

import torch

from benchmarks.drawn import drawn_outputs
from benchmarks.plan import CLASSES
from benchmarks.torch_networks import (
    channels_last,
    torch_detector,
    without_keras,
)

SCORE, OVERLAP, DETECTIONS = 0.05, 0.5, 200
VARIANCES = (0.1, 0.1, 0.2, 0.2)


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
    """Detections of a batch: boxes, labels and scores of each image."""
    pairs = zip(decode_boxes(default_boxes, offsets), logits.softmax(-1))
    return [_decode_one(boxes, scores) for boxes, scores in pairs]


def _decode_one(boxes, scores):
    found = [(boxes[:0], scores[:0, 0].long(), scores[:0, 0])]
    for label in range(1, scores.shape[1]):
        chosen = (scores[:, label] > SCORE).nonzero()[:, 0]
        if len(chosen):
            kept = suppress(boxes[chosen], scores[chosen, label])
            chosen = chosen[kept]
            labels = torch.full((len(chosen),), label - 1)
            found.append((boxes[chosen], labels, scores[chosen, label]))
    joined = [torch.cat(part) for part in zip(*found)]
    best = joined[2].argsort(descending=True)[:DETECTIONS]
    return tuple(part[best] for part in joined)


def _torchvision_step(images):
    """torchvision's SSD300 without what it does before and after."""
    from torchvision.models.detection import ssd300_vgg16

    model = ssd300_vgg16(
        weights=None, weights_backbone=None, num_classes=CLASSES["detection"]
    )
    model = channels_last(model.eval())
    return lambda: model.head(list(model.backbone(images).values()))


def steps(case):
    """The network, and ours' decoding of drawn outputs, by name."""
    images = channels_last(torch.randn(case.batch, 3, case.side, case.side))
    if case.contender == "torchvision":
        found = {"inference": _torchvision_step(images)}
    else:
        model = channels_last(torch_detector(case.subject).eval())
        call = without_keras("children").call
        boxes = call("benchmarks.keras_networks:default_boxes", case.subject)
        boxes = torch.from_numpy(boxes)
        drawn = drawn_outputs(case.batch, len(boxes))
        drawn = [torch.from_numpy(one) for one in drawn]
        found = {
            "inference": lambda: model(images),
            "decoding": lambda: decode(boxes, *drawn),
        }
    return {name: torch.inference_mode()(f) for name, f in found.items()}
