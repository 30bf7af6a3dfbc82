"""The supplement's tables of networks: rows, and what is printed in them.

Tables 2 and 3 of the supplement show one pair of video networks and stand
here as one.

Errors and accuracies are printed ones
throughout. Nothing in this file was measured here.
"""

from keras_pyconv.architectures.published import CODE_TOP_1, COSTS, ERRORS
from keras_pyconv.tables.paper import TOP_1, TOP_5
from keras_pyconv.tables.records import Row, Table

# Parameters and GFLOPs; the AP and the AR of COCO in the order of the table.
_DETECTORS = {
    "baseline SSD-50": "22.89 20.92"
    " 26.20 43.97 26.96 8.12 28.22 42.64 24.50 35.41 37.07 12.61 40.76 57.25",
    "PyConvSSD-50": "21.55 19.71"
    " 29.16 47.26 30.24 9.31 31.21 47.79 26.14 37.81 39.61 13.79 43.87 60.98",
    "baseline SSD-101": "41.89 48.45"
    " 29.58 47.69 30.80 9.38 31.96 47.64 26.47 38.00 39.64 14.09 43.54 61.03",
    "PyConvSSD-101": "39.01 45.02"
    " 31.27 50.00 32.67 10.65 33.76 51.75 27.33 39.33 41.07 15.48 45.53 63.44",
}


def _detector(label):
    parameters, operations, *accuracy = _DETECTORS[label].split()
    head, depth = label.removeprefix("baseline ").split("-")
    family = head.replace("SSD", "ResNet")
    printed = float(parameters), float(operations)
    return Row(label, f"{head}{family}{depth}", printed, tuple(accuracy), 300)


TABLE_S1 = Table(
    "s1",
    "Supplement, Table 1: PyConvSSD, COCO val2017",
    (
        *("AP", "AP50", "AP75", "AP S", "AP M", "AP L"),
        *("AR 1", "AR 10", "AR 100", "AR S", "AR M", "AR L"),
    ),
    tuple(map(_detector, _DETECTORS)),
)

TABLE_S2 = Table(
    "s2",
    "Supplement, Tables 2 and 3: video networks, Kinetics-400",
    TOP_5,
    (
        Row("ResNet3D-50", "ResNet3D50", (47.00, 93.26), ("37.01", "15.41")),
        Row(
            "PyConvResNet3D-50",
            "PyConvResNet3D50",
            (44.91, 91.81),
            ("34.56", "13.34"),
            note="the printed parameters are those of 174 classes, "
            "not of the 400 of Kinetics",
        ),
        Row(
            "PyConvResNet3D-50, 174 classes",
            "PyConvResNet3D50",
            (44.91, 91.81),
            ("", ""),
            classes=174,
            note="not a row of the paper; the target is the figure above, "
            "which is that of this network",
            in_paper=False,
        ),
    ),
    drawn=True,
)

CUTMIX = "imagenet_cutmix"


def _crop(name, training, size):
    key = (name, training, size)
    label = name.replace("Net", "Net-")
    if training == CUTMIX:
        label += " + augment"
    code = (CODE_TOP_1.get(key, ""),)
    return Row(label, name, COSTS[name, size], ERRORS[key], size, code=code)


TABLE_S4 = Table(
    "s4",
    "Supplement, Table 4: training settings and test crops, ImageNet",
    TOP_5,
    tuple(
        _crop(name, training, size)
        for name in ("PyConvResNet50", "PyConvResNet101")
        for training in ("imagenet", CUTMIX)
        for size in (224, 320)
    ),
    TOP_1,
)

UNKNOWN = "our reconstruction: the paper does not say how blocks are replaced"
CANDIDATE = f"{UNKNOWN}; not a row of the paper, but another candidate"

TABLE_S5 = Table(
    "s5",
    "Supplement, Table 5: Inception architecture, ImageNet",
    (*TOP_5, "s/batch", "images/s"),
    (
        Row(
            "Inception-ResNet-v2",
            "InceptionResNetV2",
            (55.84, 16.75),
            ("20.49", "5.29", "0.965", "265"),
            299,
        ),
        Row(
            "PyConvInception",
            "PyConvInceptionResNetV2",
            (43.48, 11.92),
            ("20.31", "5.21", "0.738", "347"),
            299,
            note=f"{UNKNOWN}. The printed errors and speeds are those of the "
            "authors' network, which is unknown, and not of ours",
        ),
        Row(
            "PyConvInception, with a branch",
            "PyConvInceptionResNetV2Branch",
            (43.48, 11.92),
            ("",) * 4,
            299,
            note=f"{CANDIDATE}, which has both printed figures",
            in_paper=False,
        ),
        Row(
            "PyConvInception, levels 4, 3, 2",
            "PyConvInceptionResNetV2Levels432",
            (43.48, 11.92),
            ("",) * 4,
            299,
            note=f"{CANDIDATE}, which has the paper's own pyramids",
            in_paper=False,
        ),
    ),
)


# Parameters; at output strides 8 and 16 GFLOPs, mean IoU, pixel accuracy.
_HEADS = {
    "baseline: 3x3 conv": "Baseline 35.42 131.37 37.87 78.17 39.52 36.84 77.84",
    "DeepLabv3: ASPP": "DeepLabv3 41.48 151.17 40.91 79.92 44.47 40.34 79.44",
    "PSPNet: PPM": "PSPNet 49.06 165.42 41.24 80.01 48.08 39.75 79.17",
    "PyConvSegNet: PyConvPH": "PyConvSegNet 34.40 116.84 41.54 80.18"
    " 36.08 40.43 79.45",
}


def _head(label):
    name, parameters, *figures = _HEADS[label].split()
    for stride, suffix in ((8, ""), (16, "Stride16")):
        operations, *accuracy = figures[:3]
        printed = float(parameters), float(operations)
        title = f"{label}, output stride {stride}"
        name_there = f"{name}ResNet50{suffix}"
        yield Row(title, name_there, printed, tuple(accuracy), 473)
        figures = figures[3:]


TABLE_S6 = Table(
    "s6",
    "Supplement, Table 6: heads on ResNet-50, ADE20K",
    ("mIoU, %", "pixel acc., %"),
    tuple(row for label in _HEADS for row in _head(label)),
)
