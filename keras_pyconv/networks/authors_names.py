"""The authors' names of layers and variables, from ours.

`conv2_block1_2_pyconv/kernel_3` is `layer1.0.conv2.conv2_3.weight`: `conv2_3`
counts levels from 1, whatever convolution of the block it is. Layers in a block
that the authors do not have keep their own name there.
"""

import re
from collections.abc import Iterable

# Our variable's name -> the authors', for layers other than pyramids.
_VARIABLES = {
    "kernel": "weight",
    "kernel_1": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_CLASSIFIER = {
    "conv1_conv": "conv1",
    "conv1_bn": "bn1",
    "predictions": "fc",
    # Ours: the last normalization of a pre-activation network.
    "post_bn": "post_bn",
}
_BLOCK = re.compile(r"conv(\d+)_block(\d+)_(.+)")
_POSITION = re.compile(r"(\d)_(conv|pyconv|bn)")
# As in timm, for the authors have no gates.
_GATES = {"gate_1": "se.fc1", "gate_2": "se.fc2"}
_NON_LOCAL = re.compile(r"conv(\d+)_nonlocal_(.+)")
# Segmentation networks: their stem, and the layers of their heads.
_SEGMENTER = {
    "conv1_conv": "layer0.0",
    "conv1_bn": "layer0.1",
    "auxiliary_1_conv": "aux.0",
    "auxiliary_1_bn": "aux.1",
    "auxiliary_2_conv": "aux.4",
}
_CONTEXTS = {
    # The global branch counts its pooling.
    "local": ("local_context.layers", 0),
    "global": ("global_context.features", 1),
}
_PARSING = {
    f"{context}_{position + 1}_{kind}": (
        f"pyconvhead.{module}.{first + 3 * position + int(kind == 'bn')}"
    )
    for context, (module, first) in _CONTEXTS.items()
    for position in range(3)
    for kind in ("conv", "pyconv", "bn")
} | {
    "merge_conv": "pyconvhead.merge_context.features.0",
    "merge_bn": "pyconvhead.merge_context.features.1",
    "classifier_conv": "cls.1",
}
_POOLING = {
    "merge_conv": "cls.0",
    "merge_bn": "cls.1",
    "classifier_conv": "cls.4",
}


def is_segmenter(layers: Iterable[str]) -> bool:
    """Whether layers of these names make a segmentation network."""
    return "classifier_conv" in layers


def has_no_names(layers: Iterable[str]) -> bool:
    """Whether the network is DeepLabv3, which the authors do not have."""
    return "branch1_conv" in layers and is_segmenter(layers)


def _head(layers):
    """The authors' modules of the heads; poolings by number, not by bins."""
    if "local_1_conv" in layers:
        return _PARSING
    if has_no_names(layers):
        return {}
    bins = [re.fullmatch(r"bins(\d+)_conv", name) for name in layers]
    bins = sorted(int(match[1]) for match in bins if match)
    pooled = {
        f"bins{count}_{kind}": f"ppm.features.{number}.{index}"
        for number, count in enumerate(bins)
        for index, kind in enumerate(("conv", "bn"), 1)
    }
    return {**_POOLING, **pooled}


def _in_block(name, layers):
    """The module of a layer of a residual block."""
    stage, block, rest = _BLOCK.fullmatch(name).groups()
    module = f"layer{int(stage) - 1}.{int(block) - 1}"
    match = _POSITION.fullmatch(rest)
    if not match:
        return f"{module}.{_GATES.get(rest, rest)}"
    position, kind = match.groups()
    if position == "0":
        pool = f"{name.removesuffix(f'_{kind}')}_pool"
        index = int(pool in layers) + int(kind == "bn")
        return f"{module}.downsample.{index}"
    return f"{module}.{'bn' if kind == 'bn' else 'conv'}{position}"


def module_names(layers: Iterable[str]) -> dict[str, str]:
    """The authors' module for each layer of a network that has one."""
    layers = set(layers)
    known = _CLASSIFIER
    if is_segmenter(layers):
        known = {**_SEGMENTER, **_head(layers)}
    found = {name: known[name] for name in layers & set(known)}
    for name in layers:
        if _BLOCK.fullmatch(name):
            found[name] = _in_block(name, layers)
        elif match := _NON_LOCAL.fullmatch(name):
            found[name] = f"nonlocal{int(match[1]) - 1}.{match[2]}"
    return found


def parameter_name(module: str, layer: str, variable: str) -> str:
    """The authors' name of a variable of a layer, by its module."""
    level = re.fullmatch(r"kernel_(\d+)", variable)
    if level and layer.endswith("_pyconv"):
        return f"{module}.conv2_{level[1]}.weight"
    return f"{module}.{_VARIABLES.get(variable, variable)}"


def fits(shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    """Whether an array is one of PyTorch's shapes of a variable."""
    # A matrix may be the kernel of a 1x1 convolution, as timm has its gates.
    matrix = len(expected) == 2 and (*expected, 1, 1)
    return tuple(shape) in (tuple(expected), matrix)


def torch_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A variable's shape in PyTorch's order of axes: outputs, inputs first."""
    if len(shape) < 2:
        return tuple(shape)
    return (shape[-1], shape[-2], *shape[:-2])
