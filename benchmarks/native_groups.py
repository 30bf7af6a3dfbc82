"""How fast are stock Keras networks with groups, and as `native_groups` copies?

    python -m benchmarks.native_groups          about half an hour on two cores
    python -m benchmarks.native_groups --smoke  two minutes, small

ConvNeXtTiny of `keras.applications`, and ResNeXt-50 and RegNetX-400MF built
from `keras.layers.Conv2D(groups=...)`: images/s at inference and in training,
the first training step, and whether TensorFlow Serving would take what
`model.export` writes. MobileNet, whose groups are `DepthwiseConv2D` layers, is
beside them to see that nothing gets slower where there is nothing to do.
"""

import tempfile
import warnings

from benchmarks import report, run
from benchmarks.plan import Patience, Suite
from benchmarks.records import rows_of
from keras_pyconv.children import ChildEnded, call
from keras_pyconv.complexity.grid import grid

# Depths, widths and the width of a group (Radosavovic et al., "Designing
# Network Design Spaces", CVPR 2020, as torchvision's regnet_x_400mf).
REGNETS = {
    "RegNetX400MF": ((1, 2, 7, 12), (32, 64, 160, 400), 16),
    "RegNetMini": ((1, 2), (16, 32), 8),
}
CAP = 600.0  # seconds to write and to read an export


_NETWORKS = ["ConvNeXtTiny", "ResNeXt50", "RegNetX400MF", "MobileNet"]
_MINI = {"subject": ["RegNetMini", "MobileNet"], "batch": 2, "side": 32}
SUITE = Suite(
    name="native-groups",
    doc=__doc__,
    full=({"part": "groups", "subject": _NETWORKS, "batch": 8},),
    smoke=({"part": "groups", **_MINI},),
    patience=Patience(turn=4.0),
    minutes=45,
)


def regnet(depths, widths, group, side, classes=1000):
    """A RegNetX of stock layers, for images of `side` x `side`."""
    import keras

    from benchmarks.keras_networks import StockNet
    from keras_pyconv.networks.net import conv_norm, unit

    inputs, net = keras.Input((side, side, 3)), StockNet()
    x = unit(net, inputs, 32, (3,), 1, 2, name="stem")
    for stage, (depth, width) in enumerate(zip(depths, widths), 1):
        for block in range(1, depth + 1):
            name, strides = f"stage{stage}_block{block}", 1 + (block == 1)
            sizes, shortcut = (width, (3,), width // group, strides), x
            y = unit(net, x, width, name=f"{name}_a")
            y = unit(net, y, *sizes, name=f"{name}_b")
            y = conv_norm(net, y, width, name=f"{name}_c")
            if block == 1:
                sizes = width, (1,), 1, strides
                shortcut = conv_norm(net, x, *sizes, name=f"{name}_0")
            x = net.add(shortcut, y, name=f"{name}_add")
            x = net.relu(x, name=f"{name}_out")
    x = net.global_pool(x, name="pool")
    x = net.dense(x, classes, activation="softmax", name="predictions")
    return keras.Model(inputs, x)


def network(subject, contender, side):
    """A network of stock layers, or its copy."""
    import keras

    import keras_pyconv
    from benchmarks.keras_networks import stock_network

    if subject in REGNETS:
        model = regnet(*REGNETS[subject], side)
    elif subject in ("ConvNeXtTiny", "MobileNet"):
        make = getattr(keras.applications, subject)
        model = make(weights=None, input_shape=(side, side, 3))
    else:
        model = stock_network(subject, side)
    if contender == "stock":
        return model
    with warnings.catch_warnings():
        # That there is nothing to do is in the table.
        warnings.simplefilter("ignore", UserWarning)
        return keras_pyconv.native_groups(model)


def steps(case):
    """Inference and training of a case, for `worker`."""
    import keras

    from benchmarks.keras_networks import classifier_steps

    keras.utils.set_random_seed(1)
    model = network(case.subject, case.contender, case.side)
    return classifier_steps(model, case.batch)


def findings(subject, contender, side):
    """What keeps a server from an export, by `export.audit`, and how often."""
    import keras_pyconv

    model = network(subject, contender, side)
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, verbose=False)
        found = keras_pyconv.export.audit(folder)
    kinds = [finding.kind for finding in found]
    return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}


def _served(row):
    """What TensorFlow Serving would do with the export."""
    asked = row["subject"], row["contender"], row["side"]
    try:
        found = call(
            "benchmarks.native_groups:findings",
            *asked,
            environment=row["environment"],
            timeout=CAP,
        )
    except (ChildEnded, TimeoutError) as ended:
        return f"not tried: {ended}"
    told = ", ".join(f"{kind} {count} times" for kind, count in found.items())
    return f"refused: {told}" if told else "taken"


def add_served(rows):
    """Adds to each row what a server does with its export."""
    for row in rows:
        row["served"] = _served(row)


def show(*records):
    """The tables, and what a server does with each export."""
    rows = [row for record in records for row in rows_of(record)]
    names = ("subject", "title", "served")
    lines = [[row[name] for name in names] for row in rows]
    header = ["", "contender", "TensorFlow Serving"]
    served = grid(header, lines, "markdown", words=header)
    return f"{report.tables(*records)}\n{served}\n"


main = run.main_of(SUITE, show, add_served)

if __name__ == "__main__":
    main()
