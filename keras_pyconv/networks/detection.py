"""SSD and PyConvSSD (supplement, section 1, Figure 1)."""

from keras_pyconv.architectures.levels import split
from keras_pyconv.networks.net import unit
from keras_pyconv.networks.residual import trunk

COORDINATES = 4  # of a box


def _extra_layer(net, x, layer, *, name):
    """1x1, then the pyramid, each with normalization and ReLU."""
    x = unit(net, x, layer.bottleneck, name=f"{name}_1", start="xavier")
    return unit(
        net,
        x,
        split(layer.filters, layer.levels),
        tuple(level.kernel for level in layer.levels),
        tuple(level.groups for level in layer.levels),
        layer.stride,
        name=f"{name}_2",
        padding=layer.padding,
        start="xavier",
    )


def _prediction(net, x, filters, *, name):
    options = {"use_bias": True, "start": "xavier"}
    return net.conv(x, filters, (3,), name=name, **options)


def detector(net, images, row, classes):
    """A whole network, from images to raw predictions for every box."""
    maps = [trunk(net, images, row.backbone)[-1]]
    for number, layer in enumerate(row.extra_layers, 1):
        name = f"extra{number}"
        maps.append(_extra_layer(net, maps[-1], layer, name=name))
    net.part(maps[-1], "extra layers")
    offsets, logits = [], []
    for number, (x, box_map) in enumerate(zip(maps, row.box_maps), 1):
        filters, name = box_map.boxes * COORDINATES, f"map{number}_boxes"
        offsets.append(_prediction(net, x, filters, name=name))
        filters, name = box_map.boxes * classes, f"map{number}_classes"
        logits.append(_prediction(net, x, filters, name=name))
    net.part(logits[-1], "predictions")
    return {
        "offsets": net.join_boxes(offsets, COORDINATES, row, name="offsets"),
        "logits": net.join_boxes(logits, classes, row, name="logits"),
    }
