"""The layer of `plan.LAYERS` in PyTorch, channels last."""

import torch
from torch import nn

from benchmarks.plan import LAYER_CHANNELS, LAYERS
from benchmarks.torch_networks import device_of, finish, precision_of


def steps(case):
    """The layer forward, and forward with all gradients, by name."""
    device = device_of(case)
    last = torch.channels_last_3d
    levels = nn.ModuleList(
        nn.Conv3d(
            LAYER_CHANNELS,
            filters,
            kernel,
            padding=tuple(size // 2 for size in kernel),
            groups=groups,
            bias=False,
        )
        for kernel, groups, filters in LAYERS[case.subject]
    ).to(device, memory_format=last)
    shape = (case.batch, LAYER_CHANNELS, case.frames, case.side, case.side)
    inputs = torch.randn(shape, device=device).to(memory_format=last)
    inputs.requires_grad_()

    def layer():
        with precision_of(case, device):
            outputs = [level(inputs) for level in levels]
            return outputs[0] if len(outputs) == 1 else torch.cat(outputs, 1)

    slopes = torch.randn_like(layer())

    def forward():
        with torch.inference_mode():
            layer()
        finish(device)

    def gradients():
        levels.zero_grad()
        inputs.grad = None
        layer().backward(slopes)
        finish(device)

    return {"forward": forward, "gradients": gradients}
