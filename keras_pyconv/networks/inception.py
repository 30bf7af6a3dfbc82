"""Inception-ResNet-v2, and PyConv in its place (supplement, section 5).

The printed 16.75 G of Inception-ResNet-v2 are inflated: its residual 1x1
convolutions have biases, which count as much as their weights by the paper's
convention. By plain multiply-adds it has 13.16 G.
"""

from keras_pyconv.architectures import Mixed, Pool, branch_name
from keras_pyconv.networks.net import conv_norm, unit
from keras_pyconv.networks.residual import top

EPSILON = 1e-3
WINDOW = 3


def _step(net, x, step, *, name):
    """A pooling, or a unit of one or more levels."""
    if isinstance(step, Pool):
        name = f"{name}_pool"
        if step.kind == "average":
            return net.average_pool(x, WINDOW, name=name)
        return net.max_pool(x, WINDOW, 2, name=name, padding="valid")
    kernels, filters, groups = zip(*step.levels)
    sizes = (filters, kernels, groups, step.stride)
    options = {"padding": step.padding, "epsilon": EPSILON}
    return unit(net, x, *sizes, name=name, **options)


def _branches(net, x, part, *, name, joined):
    """Every branch of a part over `x`, side by side."""
    outputs = []
    for number, branch in enumerate(part.branches, 1):
        y, prefix = x, branch_name(part, name, number)
        for position, step in enumerate(branch, 1):
            y = _step(net, y, step, name=f"{prefix}_{position}")
        outputs.append(y)
    return net.concat(outputs, name=joined) if outputs[1:] else outputs[0]


def _residual(net, x, part, *, name):
    """Branches, a 1x1 back to the width of `x`, addition."""
    y = _branches(net, x, part, name=name, joined=f"{name}_mixed")
    width, name_up = net.channels(x), f"{name}_up"
    if part.normalized:
        y = conv_norm(net, y, width, name=name_up, epsilon=EPSILON)
    else:
        y = net.conv(y, width, name=f"{name_up}_conv", use_bias=True)
    if part.scale != 1:
        y = net.scale(y, part.scale, name=f"{name}_scale")
    x = net.add(x, y, name=f"{name}_add")
    return net.relu(x, name=f"{name}_out") if part.final_relu else x


def inception_trunk(net, x, row):
    """All parts: images to the last feature map."""
    for part in row.parts:
        if isinstance(part, Mixed):
            x = _branches(net, x, part, name=part.name, joined=part.name)
        else:
            for block in range(1, part.blocks + 1):
                x = _residual(net, x, part, name=f"{part.name}_{block}")
        x = net.part(x, part.name)
    return x


def inception(net, x, row, classes, include_top=True):
    """A whole network, from images to logits."""
    x = inception_trunk(net, x, row)
    if not include_top:
        return x
    # The port that the paper counts pools by a window as large as its map.
    return top(net, x, classes, adaptive=False)
