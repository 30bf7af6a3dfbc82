"""How fast are stock Keras networks with groups, and as `native_groups` copies?

    python -m benchmarks.native_groups          about half an hour on two cores
    python -m benchmarks.native_groups --smoke  two minutes, small

ConvNeXtTiny of `keras.applications`, and ResNeXt-50 and RegNetX-400MF built
from `keras.layers.Conv2D(groups=...)`: images/s at inference and in training,
the first training step, and whether TensorFlow Serving would take what
`model.export` writes. MobileNet, whose groups are `DepthwiseConv2D` layers, is
beside them to see that nothing gets slower where there is nothing to do.
"""

import collections
import tempfile
import warnings

import keras

import keras_pyconv
from benchmarks import report, run
from benchmarks.keras_networks import StockNet, classifier_steps, stock_network
from benchmarks.plan import Patience, Suite
from benchmarks.records import rows_of
from keras_pyconv.architectures import StageLayout
from keras_pyconv.children import ChildEnded, call
from keras_pyconv.complexity.grid import grid
from keras_pyconv.networks import top, unit
from keras_pyconv.networks.residual import residual_stage

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
    inputs, net = keras.Input((side, side, 3)), StockNet()
    x = unit(net, inputs, 32, (3,), 1, 2, name="stem")
    for number, (blocks, width) in enumerate(zip(depths, widths), 1):
        stage = StageLayout(
            block="bottleneck",
            blocks=blocks,
            width=width,
            channels=width,
            filters=(width,),
            kernels=(3,),
            groups=(width // group,),
            strides=2,
            dilation=1,
            shortcut="conv",
        )
        x = residual_stage(net, x, stage, number)
    return keras.Model(inputs, top(net, x, classes, activation="softmax"))


def network(subject, contender, side):
    """A network of stock layers, or its copy."""
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
    keras.utils.set_random_seed(1)
    model = network(case.subject, case.contender, case.side)
    return classifier_steps(model, case.batch)


def findings(subject, contender, side):
    """What keeps a server from an export, by `export.audit`, and how often."""
    model = network(subject, contender, side)
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, verbose=False)
        found = keras_pyconv.export.audit(folder)
    return dict(collections.Counter(finding.kind for finding in found))


def add_served(rows):
    """Adds to each row what TensorFlow Serving would do with its export."""
    for row in rows:
        try:
            found = call(
                "benchmarks.native_groups:findings",
                *(row["subject"], row["contender"], row["side"]),
                environment=row["environment"],
                timeout=CAP,
            )
        except (ChildEnded, TimeoutError) as ended:
            row["served"] = f"not tried: {ended}"
            continue
        told = ", ".join(f"{kind} {n} times" for kind, n in found.items())
        row["served"] = f"refused: {told}" if told else "taken"


def show(*records):
    """The tables, and what a server does with each export."""
    names = ("subject", "title", "served")
    lines = [[row[name] for name in names] for row in rows_of(*records)]
    header = ["", "contender", "TensorFlow Serving"]
    served = grid(header, lines, "markdown", words=header)
    return f"{report.tables(*records)}\n{served}\n"


main = run.main_of(SUITE, show, add_served)

if __name__ == "__main__":
    main()
