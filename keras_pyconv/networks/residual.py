"""Residual networks over images and over clips (Tables 1 to 3; supplement).

The paper's Figure 4 and the two basic blocks of the authors' code. Layers are
called `<block>_<position>_<kind>`, position 0 being the shortcut; names are
public, since users address layers by them, and saved files know them.

The fact a reader would get wrong: every window larger than 1x1 is padded by
half its size on both sides, as the authors do, at stride 2 too.
"""

from keras_pyconv.networks.net import conv_norm, unit


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


# The records call a block by these names (`architectures.BLOCKS`).
BODIES = {"bottleneck": bottleneck, "basic1": basic1, "basic2": basic2}


def shortcut(net, x, stage, *, name):
    """What a stage's first block adds to its body.

    A pooled shortcut whose channels do not change is the pooling alone, as
    in stage 1 of PyConvResNet-18.
    """
    strides = stage.strides
    if stage.shortcut == "pool":
        x = net.max_pool(x, stage.window, strides, name=f"{name}_pool")
        strides = 1
    if strides in (1, (1, 1, 1)) and net.channels(x) == stage.channels:
        return x
    return conv_norm(net, x, stage.channels, strides=strides, name=name)


def residual_stage(net, x, stage, number):
    """A stage: its first block strides and projects, the others do not."""
    body, strides = BODIES.get(stage.block, stage.block), stage.strides
    for block in range(1, stage.blocks + 1):
        name = f"conv{number + 1}_block{block}"
        y = body(net, x, stage, strides, name=name)
        if block == 1:
            x, strides = shortcut(net, x, stage, name=f"{name}_0"), 1
        x = net.add(x, y, name=f"{name}_add")
        x = net.relu(x, name=f"{name}_out")
    return net.part(x, f"stage {number}")


def stem(net, x, row):
    """A strided convolution, and max pooling where the record has it."""
    kernels = (row.stem_kernel,)
    x = unit(
        net,
        x,
        row.stem_width,
        kernels,
        strides=row.stem_strides,
        name="conv1",
    )
    if row.stem_pool:
        window, strides = row.stem_window, row.stem_strides
        x = net.max_pool(x, window, strides, name="pool1_pool")
    return net.part(x, "stem")


def trunk(net, x, row, **layout):
    """Stem and stages; the feature map of each, shallowest first.

    Args:
        row: `Architecture` or `VideoArchitecture`.
        layout: arguments of the record's `layout`.
    """
    maps = [stem(net, x, row)]
    for number, stage in enumerate(row.layout(**layout), 1):
        maps.append(residual_stage(net, maps[-1], stage, number))
    return maps


def top(net, x, classes, dropout=0.0, activation=None, adaptive=True):
    """Global average pooling, dropout and the linear classifier."""
    x = net.global_pool(x, name="avg_pool", adaptive=adaptive)
    x = net.dropout(x, dropout, name="dropout")
    x = net.dense(x, classes, name="predictions", activation=activation)
    return net.part(x, "classifier")


def classifier(net, x, row, classes, dropout=0.0):
    """A whole network, from images or clips to logits."""
    return top(net, trunk(net, x, row)[-1], classes, dropout)
