"""The tables of networks in the paper and its supplement, as printed.

Figures that more than one place shows stand in `architectures.published`.
"""

from dataclasses import replace

from keras_pyconv.architectures.published import (
    CODE_ADE20K,
    CODE_TOP_1,
    COSTS,
    ERRORS,
)
from keras_pyconv.tables.records import Row, Table

TOP_5 = ("top-1 err, %", "top-5 err, %")
# The README of the authors' code says 100 - top-1 error.
TOP_1 = ("top-1, %",)


def _read(text, size=224, **notes):
    """Rows from lines of cells: label, network, costs, accuracies.

    Costs are parameters (10^6) and GFLOPs. A row without accuracies is ours.
    """
    for line in text.strip().splitlines():
        label, network, costs, figures = map(str.strip, line.split("|"))
        costs = tuple(map(float, costs.split())) or None
        accuracy = tuple(figure.strip("-") for figure in figures.split())
        note, printed = notes.get(network, ""), any(accuracy)
        yield Row(
            *(label, network, costs, accuracy, size),
            note=note,
            in_paper=printed,
        )


def _image(name, label=None, training="imagenet", size=224, note=""):
    """A network for classification, with what is published of it."""
    key = name, training, size
    return Row(
        label or name.replace("Net", "Net-"),
        name,
        COSTS[name, size],
        ERRORS[key],
        size,
        code=(CODE_TOP_1[key],) if key in CODE_TOP_1 else (),
        note=note,
    )


_ABLATIONS = {
    "Ablation1111": "(1, 1, 1, 1) baseline",
    "Ablation2221": "(2, 2, 2, 1)",
    "Ablation3321": "(3, 3, 2, 1)",
    "Ablation4321": "(4, 3, 2, 1)",
    "AblationTop4321": "top(4, 3, 2, 1)",
    "Ablation5432": "(5, 4, 3, 2)",
    "Ablation4321Max": "(4, 3, 2, 1) max",
    "Ablation4321Final": "(4, 3, 2, 1) final",
}
_COPIED = (
    "the printed figures are those of the plain ResNet; ours are of the "
    "ordinary pre-activation network"
)


def _compared(depth):
    """The rows of Table 3 of one depth."""
    yield _image(f"ResNet{depth}")
    label = f"pre-act. ResNet-{depth}"
    yield _image(f"PreActResNet{depth}", label, note=_COPIED)
    for family in ("NL-ResNet", "SE-ResNet", "ResNeXt"):
        label = f"{family}-{depth}"
        yield _image(label.replace("-", ""), label)
    yield _image(f"PyConvHGResNet{depth}")
    yield _image(f"PyConvResNet{depth}")


# Mean IoU and pixel accuracy at one scale.
_SEGMENTERS = """
ResNet-50        | PyConvSegNetResNet50        | 34.40 116.84 | 41.54 80.18
PyConvResNet-50  | PyConvSegNetPyConvResNet50  | 33.69 114.18 | 42.08 80.31
ResNet-101       | PyConvSegNetResNet101       | 53.39 185.47 | 42.88 80.75
PyConvResNet-101 | PyConvSegNetPyConvResNet101 | 51.15 177.29 | 42.93 80.91
ResNet-152       | PyConvSegNetResNet152       | 69.03 242.00 | 44.04 81.18
PyConvResNet-152 | PyConvSegNetPyConvResNet152 | 65.48 229.11 | 44.36 81.54
"""


def _at_several_scales(row):
    """The row with the accuracies that the authors' code has, too."""
    code = CODE_ADE20K[row.network.removeprefix("PyConvSegNet")]
    one_scale = row.accuracy
    both = one_scale[0], code[0], one_scale[1], code[1]
    return replace(row, accuracy=both, code=code)


# Most are published results of others, whose networks have no record.
_ADE20K = """
FCN        | | | 29.39 71.32 -     -     44.80
DilatedNet | | | 32.31 73.55 -     -     45.67
SegNet     | | | 21.64 71.00 -     -     40.79
RefineNet  | | | 40.70 -     -     -     -
UperNet    | | | 41.22 79.98 -     -     -
PSANet     | | | 43.77 81.51 -     -     -
KE-GAN     | | | 37.10 80.50 -     -     -
CFNet      | | | 44.89 -     -     -     -
CiSS-Net   | | | 42.56 80.77 -     -     -
EncNet     | | | 44.65 81.69 -     -     55.67
PSPNet-152 | PSPNetResNet152 | | 43.51 81.38 - - -
PSPNet-269 | PSPNetResNet269 | | 44.94 81.69 - - 55.38
"""
_PYCONVSEGNET = Row(
    "PyConvSegNet-152",
    "PyConvSegNetPyConvResNet152",
    None,
    ("45.64", "82.36", "37.75", "73.61", "55.68"),
    473,
)
_COMMAND = "docs/segmentation.md has the command"
_VARIANTS = (
    replace(
        _PYCONVSEGNET,
        label="PyConvSegNet-152, 617",
        accuracy=("45.99", "82.49", "", "", ""),
        size=617,
        note="crops of 617 x 617 at inference alone (the paper's dagger); "
        f"{_COMMAND}",
    ),
    replace(
        _PYCONVSEGNET,
        label="PyConvSegNet-152, train + val.",
        accuracy=("", "", "39.13", "73.91", "56.52"),
        note="120 epochs on training and validation images (the paper's "
        f"asterisk); {_COMMAND}",
    ),
)

_DETECTORS = """
baseline SSD-50  | SSDResNet50          | 22.89 20.92 | \
26.20 43.97 26.96 8.12 28.22 42.64 24.50 35.41 37.07 12.61 40.76 57.25
PyConvSSD-50     | PyConvSSDPyConvResNet50  | 21.55 19.71 | \
29.16 47.26 30.24 9.31 31.21 47.79 26.14 37.81 39.61 13.79 43.87 60.98
baseline SSD-101 | SSDResNet101         | 41.89 48.45 | \
29.58 47.69 30.80 9.38 31.96 47.64 26.47 38.00 39.64 14.09 43.54 61.03
PyConvSSD-101    | PyConvSSDPyConvResNet101 | 39.01 45.02 | \
31.27 50.00 32.67 10.65 33.76 51.75 27.33 39.33 41.07 15.48 45.53 63.44
"""

# Tables 2 and 3 of the supplement show one pair of networks.
_VIDEO = """
ResNet3D-50       | ResNet3D50       | 47.00 93.26 | 37.01 15.41
PyConvResNet3D-50 | PyConvResNet3D50 | 44.91 91.81 | 34.56 13.34
"""
_OF_174_CLASSES = Row(
    "PyConvResNet3D-50, 174 classes",
    "PyConvResNet3D50",
    (44.91, 91.81),
    ("", ""),
    classes=174,
    note="not a row of the paper; the target is the figure above, "
    "which is that of this network",
    in_paper=False,
)

_INCEPTION = """
Inception-ResNet-v2 | InceptionResNetV2 | 55.84 16.75 | 20.49 5.29 0.965 265
PyConvInception | PyConvInceptionResNetV2 | 43.48 11.92 | 20.31 5.21 0.738 347
PyConvInception, with a branch | PyConvInceptionResNetV2Branch | 43.48 11.92 \
| - - - -
PyConvInception, levels 4, 3, 2 | PyConvInceptionResNetV2Levels432 \
| 43.48 11.92 | - - - -
"""
_UNKNOWN = "our reconstruction: the paper does not say how blocks are replaced"
_CANDIDATE = f"{_UNKNOWN}; not a row of the paper, but another candidate"

_HEADS = """
baseline: 3x3 conv, output stride 8 | BaselineResNet50 \
| 35.42 131.37 | 37.87 78.17
baseline: 3x3 conv, output stride 16 | BaselineResNet50Stride16 \
| 35.42 39.52 | 36.84 77.84
DeepLabv3: ASPP, output stride 8 | DeepLabv3ResNet50 \
| 41.48 151.17 | 40.91 79.92
DeepLabv3: ASPP, output stride 16 | DeepLabv3ResNet50Stride16 \
| 41.48 44.47 | 40.34 79.44
PSPNet: PPM, output stride 8 | PSPNetResNet50 \
| 49.06 165.42 | 41.24 80.01
PSPNet: PPM, output stride 16 | PSPNetResNet50Stride16 \
| 49.06 48.08 | 39.75 79.17
PyConvSegNet: PyConvPH, output stride 8 | PyConvSegNetResNet50 \
| 34.40 116.84 | 41.54 80.18
PyConvSegNet: PyConvPH, output stride 16 | PyConvSegNetResNet50Stride16 \
| 34.40 36.08 | 40.43 79.45
"""

_TABLES = (
    Table(
        "1",
        "Table 1: PyConvResNet and PyConvHGResNet",
        TOP_5,
        tuple(map(_image, ("ResNet50", "PyConvResNet50", "PyConvHGResNet50"))),
        TOP_1,
        drawn=True,
    ),
    Table(
        "2",
        "Table 2: ablation experiments, ImageNet",
        TOP_5,
        tuple(_image(*row) for row in _ABLATIONS.items()),
    ),
    Table(
        "3",
        "Table 3: comparison on ImageNet",
        TOP_5,
        tuple(row for depth in (50, 101, 152) for row in _compared(depth)),
        TOP_1,
    ),
    Table(
        "4",
        "Table 4: PyConvSegNet with different backbones, ADE20K",
        ("mIoU SS, %", "mIoU MS, %", "pixel acc. SS, %", "pixel acc. MS, %"),
        tuple(map(_at_several_scales, _read(_SEGMENTERS, 473))),
        ("mIoU MS, %", "pixel acc. MS, %"),
    ),
    Table(
        "5",
        "Table 5: comparison on ADE20K, single model, several scales",
        (
            *("mIoU val., %", "pixel acc. val., %"),
            *("mIoU test, %", "pixel acc. test, %", "score test"),
        ),
        (*_read(_ADE20K, 473), _PYCONVSEGNET, *_VARIANTS),
    ),
    Table(
        "s1",
        "Supplement, Table 1: PyConvSSD, COCO val2017",
        (
            *("AP", "AP50", "AP75", "AP S", "AP M", "AP L"),
            *("AR 1", "AR 10", "AR 100", "AR S", "AR M", "AR L"),
        ),
        tuple(_read(_DETECTORS, 300)),
    ),
    Table(
        "s2",
        "Supplement, Tables 2 and 3: video networks, Kinetics-400",
        TOP_5,
        (
            *_read(
                _VIDEO,
                PyConvResNet3D50="the printed parameters are those of 174 "
                "classes, not of the 400 of Kinetics",
            ),
            _OF_174_CLASSES,
        ),
        drawn=True,
    ),
    Table(
        "s4",
        "Supplement, Table 4: training settings and test crops, ImageNet",
        TOP_5,
        tuple(
            _image(name, name.replace("Net", "Net-") + words, training, size)
            for name in ("PyConvResNet50", "PyConvResNet101")
            for words, training in (
                ("", "imagenet"),
                (" + augment", "imagenet_cutmix"),
            )
            for size in (224, 320)
        ),
        TOP_1,
    ),
    Table(
        "s5",
        "Supplement, Table 5: Inception architecture, ImageNet",
        (*TOP_5, "s/batch", "images/s"),
        tuple(
            _read(
                _INCEPTION,
                299,
                PyConvInceptionResNetV2=f"{_UNKNOWN}. The printed errors and "
                "speeds are those of the authors' network, which is unknown, "
                "and not of ours",
                PyConvInceptionResNetV2Branch=f"{_CANDIDATE}, which has both "
                "printed figures",
                PyConvInceptionResNetV2Levels432=f"{_CANDIDATE}, which has "
                "the paper's own pyramids",
            )
        ),
    ),
    Table(
        "s6",
        "Supplement, Table 6: heads on ResNet-50, ADE20K",
        ("mIoU, %", "pixel acc., %"),
        tuple(_read(_HEADS, 473)),
    ),
)
TABLES = {table.key: table for table in _TABLES}
