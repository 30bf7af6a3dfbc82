"""The paper's tables of networks: which rows, and what is printed in them.

Figures that more than one place shows stand in `architectures.published`,
everything else that the paper prints here. Table 5 of the paper is missing, for
it compares published results, not networks.

The fact a reader would get wrong: errors and accuracies are printed ones
throughout. Nothing in this file was measured here.
"""

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


def _image(name, label=None):
    """A network of ours at 224 x 224, with its errors of Table 3."""
    for family in ("PyConvHGResNet", "PyConvResNet", "ResNet"):
        if name.startswith(family):
            label = label or f"{family}-{name.removeprefix(family)}"
            break
    key = (name, "imagenet", 224)
    code = (CODE_TOP_1[key],)
    return Row(label, name, COSTS[name, 224], ERRORS[key], code=code)


TABLE_1 = Table(
    "1",
    "Table 1: PyConvResNet and PyConvHGResNet",
    TOP_5,
    tuple(map(_image, ("ResNet50", "PyConvResNet50", "PyConvHGResNet50"))),
    TOP_1,
    drawn=True,
)


def _ablation(label, name, *errors):
    return Row(label, name, COSTS[name, 224], errors)


TABLE_2 = Table(
    "2",
    "Table 2: ablation experiments, ImageNet",
    TOP_5,
    (
        _ablation("(1, 1, 1, 1) baseline", "Ablation1111", "23.88", "7.06"),
        _ablation("(2, 2, 2, 1)", "Ablation2221", "23.12", "6.58"),
        _ablation("(3, 3, 2, 1)", "Ablation3321", "22.98", "6.62"),
        _ablation("(4, 3, 2, 1)", "Ablation4321", "22.97", "6.56"),
        _ablation("top(4, 3, 2, 1)", "AblationTop4321", "23.18", "6.60"),
        _ablation("(5, 4, 3, 2)", "Ablation5432", "23.03", "6.56"),
        _ablation("(4, 3, 2, 1) max", "Ablation4321Max", "22.46", "6.24"),
        _ablation("(4, 3, 2, 1) final", "Ablation4321Final", "22.12", "6.20"),
    ),
)

# Table 3 by depth: parameters, GFLOPs, top-1 and top-5 errors as printed.
COMPARED = {
    "pre-act. ResNet": (
        "PreActResNet",
        (25.56, 4.14, "23.77", "7.04"),
        (44.55, 7.88, "22.11", "6.26"),
        (60.19, 11.62, "21.41", "5.78"),
    ),
    "NL-ResNet": (
        "NLResNet",
        (36.72, 6.18, "22.91", "6.42"),
        (55.71, 9.91, "21.40", "5.83"),
        (71.35, 13.66, "21.91", "6.11"),
    ),
    "SE-ResNet": (
        "SEResNet",
        (28.07, 4.15, "22.74", "6.37"),
        (49.29, 7.90, "21.31", "5.79"),
        (66.77, 11.65, "21.38", "5.80"),
    ),
    "ResNeXt": (
        "ResNeXt",
        (25.03, 4.30, "22.44", "6.25"),
        (44.18, 8.07, "21.03", "5.66"),
        (59.95, 11.84, "20.98", "5.48"),
    ),
}
COPIED = (
    "the printed figures are those of the plain ResNet; ours are of the "
    "ordinary pre-activation network"
)


def _compared(label, depth, place):
    name, *figures = COMPARED[label]
    parameters, operations, *errors = figures[place]
    return Row(
        f"{label}-{depth}",
        f"{name}{depth}",
        (parameters, operations),
        tuple(errors),
        note=COPIED if name == "PreActResNet" else "",
    )


def _table_3_rows():
    for place, depth in enumerate((50, 101, 152)):
        yield _image(f"ResNet{depth}")
        for label in COMPARED:
            yield _compared(label, depth, place)
        yield _image(f"PyConvHGResNet{depth}")
        yield _image(f"PyConvResNet{depth}")


TABLE_3 = Table(
    "3",
    "Table 3: comparison on ImageNet",
    TOP_5,
    tuple(_table_3_rows()),
    TOP_1,
)


def _segmenter(label, backbone, printed, *accuracy):
    return Row(
        label,
        f"PyConvSegNet{backbone}",
        printed,
        accuracy,
        473,
        code=CODE_ADE20K[backbone],
    )


TABLE_4 = Table(
    "4",
    "Table 4: PyConvSegNet with different backbones, ADE20K",
    (
        "mIoU SS, %",
        "mIoU MS, %",
        "pixel acc. SS, %",
        "pixel acc. MS, %",
    ),
    tuple(
        _segmenter(label, label.replace("-", ""), *figures)
        for label, *figures in (
            ("ResNet-50", (34.40, 116.84), "41.54", "42.88", "80.18", "80.97"),
            (
                "PyConvResNet-50",
                (33.69, 114.18),
                *("42.08", "43.31", "80.31", "81.18"),
            ),
            ("ResNet-101", (53.39, 185.47), "42.88", "44.39", "80.75", "81.60"),
            (
                "PyConvResNet-101",
                (51.15, 177.29),
                *("42.93", "44.58", "80.91", "81.77"),
            ),
            ("ResNet-152", (69.03, 242.00), "44.04", "45.28", "81.18", "81.89"),
            (
                "PyConvResNet-152",
                (65.48, 229.11),
                *("44.36", "45.64", "81.54", "82.36"),
            ),
        )
    ),
    ("mIoU MS, %", "pixel acc. MS, %"),
)
