"""Residual networks over images and over clips (Tables 1 to 3; supplement).

Layers are called `<block>_<position>_<kind>`, position 0 being the shortcut;
users address layers by these names, and saved files know them.
"""

from functools import partial

from keras_pyconv.networks.net import conv, conv_norm, unit

REDUCTION = 16  # of the channels, within a gate


def _pyramid(stage, strides):
    """The spatial convolution of a stage, as the arguments of `unit`."""
    return stage.filters, stage.kernels, stage.groups, strides, stage.dilation


def bottleneck(net, x, stage, strides, *, name):
    """1x1, PyConv, 1x1 (paper, Figure 4)."""
    pyramid = _pyramid(stage, strides)
    x = unit(net, x, stage.width, name=f"{name}_1", shared=True)
    x = unit(net, x, *pyramid, name=f"{name}_2", shared=True)
    return conv_norm(net, x, stage.channels, name=f"{name}_3")


def basic1(net, x, stage, strides, *, name):
    """PyConv, PyConv (authors' BasicBlock1)."""
    pyramid = _pyramid(stage, strides)
    x = unit(net, x, *pyramid, name=f"{name}_1", shared=True)
    return conv_norm(net, x, *_pyramid(stage, 1), name=f"{name}_2")


def basic2(net, x, stage, strides, *, name):
    """PyConv, 1x1 (authors' BasicBlock2)."""
    pyramid = _pyramid(stage, strides)
    x = unit(net, x, *pyramid, name=f"{name}_1", shared=True)
    return conv_norm(net, x, stage.channels, name=f"{name}_2")


def squeezed(net, x, stage, strides, *, name, use_bias=False):
    """A bottleneck with a gate for each channel (squeeze and excitation)."""
    x = bottleneck(net, x, stage, strides, name=name)
    y = net.global_pool(x, name=f"{name}_gate_pool")
    width = stage.channels // REDUCTION
    y = net.dense(y, width, name=f"{name}_gate_1", use_bias=use_bias)
    y = net.relu(y, name=f"{name}_gate_relu")
    y = net.dense(y, stage.channels, name=f"{name}_gate_2", use_bias=use_bias)
    return net.gate(x, y, name=f"{name}_gate")


# The records call a block by these names (`architectures.BLOCKS`).
BODIES = {
    "bottleneck": bottleneck,
    "basic1": basic1,
    "basic2": basic2,
    "squeezed": squeezed,
    "squeezed_biased": partial(squeezed, use_bias=True),
}


def shortcut(net, x, stage, *, name, project=conv_norm):
    """What a stage's first block adds to its body; a pooling may be all."""
    strides = stage.strides
    if stage.shortcut == "pool":
        x = net.max_pool(x, stage.window, strides, name=f"{name}_pool")
        strides = 1
    if strides in (1, (1, 1, 1)) and net.channels(x) == stage.channels:
        return x
    return project(net, x, stage.channels, strides=strides, name=name)


def residual_block(net, x, stage, *, name, first):
    """The body and the shortcut, their sum, ReLU."""
    body = BODIES.get(stage.block, stage.block)
    y = body(net, x, stage, stage.strides if first else 1, name=name)
    if first:
        x = shortcut(net, x, stage, name=f"{name}_0")
    x = net.add(x, y, name=f"{name}_add")
    return net.relu(x, name=f"{name}_out")


def _activate(net, x, *, name, shared=True):
    x = net.norm(x, name=f"{name}_bn")
    return net.relu(x, name=f"{name}_relu", shared=shared)


def preactivated_block(net, x, stage, *, name, first):
    """A bottleneck, normalized and activated before each convolution.

    A projecting shortcut begins behind the first activation (He et al. 2016,
    "Identity Mappings in Deep Residual Networks").
    """
    pyramid = _pyramid(stage, stage.strides if first else 1)
    y = _activate(net, x, name=f"{name}_preact")
    if first:
        z = shortcut(net, y, stage, name=f"{name}_0", project=conv)
        x = x if z is y else z
    y = conv(net, y, stage.width, name=f"{name}_1")
    y = _activate(net, y, name=f"{name}_1")
    y = conv(net, y, *pyramid, name=f"{name}_2")
    y = _activate(net, y, name=f"{name}_2", shared=False)
    y = conv(net, y, stage.channels, name=f"{name}_3")
    return net.add(x, y, name=f"{name}_out")


def non_local(net, x, *, name):
    """Each position sees all others (embedded Gaussian, half the channels).

    The block starts as its shortcut, since its normalization starts at zero
    (Wang et al. 2018, "Non-local Neural Networks").
    """
    width, seen = net.channels(x) // 2, []
    window = 2 if net.rank == 2 else (1, 2, 2)  # clips keep their frames
    for branch in ("theta", "phi", "g"):
        y, prefix = x, f"{name}_{branch}"
        if branch != "theta":
            y = net.max_pool(
                y, window, window, name=f"{prefix}_pool", padding="valid"
            )
        seen.append(conv(net, y, width, name=prefix, use_bias=True))
    y = net.attend(*seen, name=f"{name}_attention")
    y = conv(net, y, net.channels(x), name=f"{name}_output", use_bias=True)
    y = net.norm(y, name=f"{name}_output_bn", start=0.0)
    return net.add(x, y, name=f"{name}_out")


def residual_stage(net, x, stage, number):
    """A stage: its first block strides and projects, the others do not."""
    preactivated = stage.block == "preactivated"
    block = preactivated_block if preactivated else residual_block
    for index in range(1, stage.blocks + 1):
        name = f"conv{number + 1}_block{index}"
        x = block(net, x, stage, name=name, first=index == 1)
    if stage.non_local:
        x = non_local(net, x, name=f"conv{number + 1}_nonlocal")
    return net.part(x, f"stage {number}")


def stem(net, x, row):
    """A strided convolution, and max pooling where the record has it."""
    kernels = (row.stem_kernel,)
    options = {"strides": row.stem_strides, "name": "conv1"}
    x = unit(net, x, row.stem_width, kernels, **options)
    if row.stem_pool:
        window, strides = row.stem_window, row.stem_strides
        x = net.max_pool(x, window, strides, name="pool1_pool")
    return net.part(x, "stem")


def trunk(net, x, row, **layout):
    """The feature maps of the stem and of each stage of a record."""
    maps = [stem(net, x, row)]
    for number, stage in enumerate(row.layout(**layout), 1):
        maps.append(residual_stage(net, maps[-1], stage, number))
    if stage.block == "preactivated":
        x = _activate(net, maps[-1], name="post", shared=False)
        maps[-1] = net.part(x, "last normalization")
    return maps


def top(net, x, classes, dropout=0.0, activation=None, adaptive=True):
    """Global average pooling, dropout and the linear classifier."""
    x = net.global_pool(x, name="avg_pool", adaptive=adaptive)
    x = net.dropout(x, dropout, name="dropout")
    x = net.dense(x, classes, name="predictions", activation=activation)
    return net.part(x, "classifier")


def classifier(net, x, row, classes, dropout=0.0, include_top=True, **layout):
    """A whole network, from images or clips to logits."""
    x = trunk(net, x, row, **layout)[-1]
    return top(net, x, classes, dropout) if include_top else x
