"""Segmentation networks in PyTorch, channels last, beside ours.

Read from the same descriptions: dilated backbone, the head of the paper or of
its rivals, the classifier on the small map, and then the enlargement.
"""

import torch

from benchmarks.torch_networks import (
    channels_last,
    torch_module,
    without_keras,
)


def network(backbone, head, output_stride=8, classes=150):
    """The network of `PyConvSegNet(backbone, head=head)` for inference."""
    records = without_keras("architectures")
    record = records.make_segmenter(backbone, head, output_stride, dropout=0.0)
    module = torch_module("segmenter", record, classes, auxiliary=False)
    return module.eval()


def crop_step(backbone, head, output_stride, side, threads):
    """A function that parses one crop, and the number of parameters."""
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    model = channels_last(network(backbone, head, output_stride))
    images = channels_last(torch.randn(1, 3, side, side))

    def step():
        with torch.inference_mode():
            model(images)

    return step, sum(parameter.numel() for parameter in model.parameters())
