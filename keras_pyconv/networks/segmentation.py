"""Segmentation networks and their heads (section 5; supplement, Table 6).

The layers of the heads start as PyTorch starts them, not as the backbone's do.
"""

from keras_pyconv.architectures import AtrousHead, ParsingHead, PoolingHead
from keras_pyconv.architectures.levels import split
from keras_pyconv.networks.net import unit
from keras_pyconv.networks.residual import trunk


def _unit(net, x, *sizes, name):
    return unit(net, x, *sizes, name=name, start="uniform")


def _context(net, x, head, *, name):
    """1x1, PyConv, 1x1."""
    filters = split(head.width, head.levels)
    kernels = tuple(level.kernel for level in head.levels)
    groups = tuple(level.groups for level in head.levels)
    x = _unit(net, x, head.width, name=f"{name}_1")
    x = _unit(net, x, filters, kernels, groups, name=f"{name}_2")
    return _unit(net, x, head.width, name=f"{name}_3")


def parsing_head(net, x, head):
    """Local and global context, merged by a 3x3 (paper, Figure 5)."""
    local = _context(net, x, head, name="local")
    y = net.adaptive_pool(x, head.bins, name="global_pool")
    y = _context(net, y, head, name="global")
    y = net.resize(y, x, name="global_resize")
    x = net.concat([local, y], name="merge_concat")
    return _unit(net, x, head.merged_width, (3,), name="merge")


def pooling_head(net, x, head):
    """The map beside its averages over bins, then a 3x3 (PSPNet)."""
    maps = [x]
    for bins in head.bins:
        name = f"bins{bins}"
        y = net.adaptive_pool(x, bins, name=f"{name}_pool")
        y = _unit(net, y, head.width, name=name)
        maps.append(net.resize(y, x, name=f"{name}_resize"))
    if head.bins:
        x = net.concat(maps, name="merge_concat")
    return _unit(net, x, head.width, (3,), name="merge")


def atrous_head(net, x, head):
    """A 1x1, dilated 3x3s and an image average, then a 1x1 (ASPP)."""
    maps = [_unit(net, x, head.width, name="branch1")]
    for number, rate in enumerate(head.rates, 2):
        dilated = (head.width, (3,), 1, 1, rate)
        maps.append(_unit(net, x, *dilated, name=f"branch{number}"))
    y = net.adaptive_pool(x, 1, name="image_pool")
    y = _unit(net, y, head.width, name="image")
    maps.append(net.resize(y, x, name="image_resize"))
    x = net.concat(maps, name="merge_concat")
    return _unit(net, x, head.width, name="merge")


HEADS = {
    ParsingHead: parsing_head,
    PoolingHead: pooling_head,
    AtrousHead: atrous_head,
}


def _classify(net, x, classes, dropout, *, name, part):
    """Dropout of channels, and a 1x1 with bias."""
    x = net.dropout(x, dropout, name=f"{name}_dropout", of_channels=True)
    options = {"use_bias": True, "start": "uniform", "precise": True}
    x = net.conv(x, classes, name=f"{name}_conv", **options)
    return net.part(x, part)


def segmenter(net, images, row, classes, auxiliary=True):
    """A whole network, from images to logits by their names."""
    *_, before, x = trunk(
        net, images, row.backbone, output_stride=row.output_stride
    )
    x = HEADS[type(row.head)](net, x, row.head)
    x = _classify(net, x, classes, row.dropout, name="classifier", part="head")
    outputs = {"logits": net.resize(x, images, name="logits", precise=True)}
    if auxiliary:
        x = _unit(net, before, row.auxiliary_width, (3,), name="auxiliary_1")
        name, part = "auxiliary_2", "auxiliary head"
        x = _classify(net, x, classes, row.dropout, name=name, part=part)
        outputs["aux_logits"] = net.resize(
            x, images, name="aux_logits", precise=True
        )
    return outputs
