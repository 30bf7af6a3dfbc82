"""Every file of weights that the authors publish, and what they say of it.

From their repositories (https://github.com/iduta/pyconv, .../pyconvsegnet) and
the paper. "imagenet_cutmix" is the same network as "imagenet", trained for 300
epochs with CutMix (Table 3, last rows); it exists for two networks.
"""

from dataclasses import dataclass

from keras_pyconv.architectures.levels import check_fields
from keras_pyconv.architectures.published import CODE_ADE20K, CODE_TOP_1, ERRORS
from keras_pyconv.arguments import text
from keras_pyconv.complexity.grid import grid
from keras_pyconv.reading import plain, short
from keras_pyconv.weights.shipped import Shipped, shipped_weights

CLASSIFICATION_SETS = ("imagenet", "imagenet_cutmix")
SEGMENTATION_SETS = ("ade20k", "ade20k_trainval")
SETS = CLASSIFICATION_SETS + SEGMENTATION_SETS

# RGB in [0, 1], normalized by ImageNet's mean and standard deviation.
PREPROCESSING = "imagenet"
LICENCE = "not stated for the file; the repository is under the MIT licence"
SEGMENTATION_LICENCE = "not stated"


@dataclass(frozen=True)
class Published:
    """One file of weights.

    Attributes:
        variant: the record's name, in `ARCHITECTURES` or `SEGMENTERS`.
        set: what `weights=` takes.
        drive_id: of the file on Google Drive.
        figures: what the authors say of it, by the name of the quantity.
        source: where the figures are printed.
        preprocessing: what the network expects, by a name of
            `keras_pyconv.tasks.PREPROCESSING`.
        licence: of the file, as far as it is stated.
        remark: what else one must know.
    """

    variant: str
    set: str
    drive_id: str
    figures: dict[str, float]
    source: str = "authors' README; errors: paper, Table 3"
    preprocessing: str = PREPROCESSING
    licence: str = LICENCE
    remark: str = ""

    def __post_init__(self):
        check_fields(self)
        names = ("variant", "set", "drive_id", "source")
        for name in (*names, "preprocessing", "licence"):
            text(name, getattr(self, name))

    @property
    def address(self) -> str:
        """The direct link."""
        return f"https://drive.google.com/uc?id={self.drive_id}"

    @property
    def page(self) -> str:
        """The page for a browser."""
        return f"https://drive.google.com/file/d/{self.drive_id}/view"

    @property
    def name(self) -> str:
        """File name of the converted weights, without its ending."""
        return f"{self.variant.lower()}_{self.set}"


def _imagenet(variant, drive_id, training="imagenet", sizes=(224,), **more):
    figures = {}
    for size in sizes:
        key = (variant, training, size)
        figures[f"top-1 at {size}, %"] = float(CODE_TOP_1[key])
        figures[f"top-5 error at {size}, %"] = float(ERRORS[key][1])
    return Published(variant, training, drive_id, figures, **more)


def _cutmix(variant, drive_id):
    remark = "the authors publish no code that loads it"
    sizes = (224, 320)
    return _imagenet(variant, drive_id, "imagenet_cutmix", sizes, remark=remark)


def _ade20k(backbone, drive_id):
    names = ("mIoU, %", "pixel accuracy, %")
    return Published(
        f"PyConvSegNet{backbone}",
        "ade20k",
        drive_id,
        dict(zip(names, map(float, CODE_ADE20K[backbone]))),
        source="authors' README; validation, several scales; paper, Table 4",
        licence=SEGMENTATION_LICENCE,
    )


_ROWS = (
    _imagenet("ResNet50", "176TS0b6O0NALBbfzpz4mM1b47s4dwSVH"),
    _imagenet("ResNet101", "1bermctRPLs5DIsHB0c4iDIGHvjfERPLG"),
    _imagenet("ResNet152", "1FAggTH4m7Kec8MyRe8dx-ugI_yh-nLzL"),
    _imagenet("PyConvHGResNet50", "14x0uss32ASXr4FJTE7pip004XZpwNrZe"),
    _imagenet("PyConvHGResNet101", "1Fm48GfOfn2Ivf5nBiR1SMhp66k67ePRh"),
    _imagenet("PyConvHGResNet152", "1LRmdQWTceDkepnIxZ2mWbpEE2lFxy0QO"),
    _imagenet("PyConvResNet50", "128iMzBnHQSPNehgb8nUF5cJyKBIB7do5"),
    _imagenet("PyConvResNet101", "1fn0eKdtGG7HA30O5SJ1XrmGR_FsQxTb1"),
    _imagenet("PyConvResNet152", "1zR6HOTaHB0t15n6Nh12adX86AhBMo46m"),
    _cutmix("PyConvResNet50", "19RFyaDnJ34IeqwS8QOX29JWH9I0r_ewM"),
    _cutmix("PyConvResNet101", "12PXOwgIF4eiApxDL5QrAMnjbiX69YQOi"),
    _ade20k("ResNet50", "1uIliL_0ZpP20JP6cT9jwrA9nvtriS3v_"),
    _ade20k("PyConvResNet50", "1wHK9WrW2YituFg6FLOSU06bPODASdZoT"),
    _ade20k("ResNet101", "1C7NPjy0EEZajKrAAfpfOvjr_22O7JozQ"),
    _ade20k("PyConvResNet101", "1RVS_nODNQeioBYvdTPS4DYvTozMMIAlh"),
    _ade20k("ResNet152", "1YoZhCOBxTGQuZkLokAd_eiaY7R0E36eE"),
    _ade20k("PyConvResNet152", "1P2qJNt72bCCDEO9FeKkWY4uakFLz-Ncb"),
    Published(
        "PyConvSegNetPyConvResNet152",
        "ade20k_trainval",
        "1MdR9CeECFmMFspcYR8pbJLqo8AXEpMZz",
        {"test mIoU, %": 39.13, "test pixel accuracy, %": 73.91},
        source="authors' README; the benchmark's test set",
        licence=SEGMENTATION_LICENCE,
        remark="trained on the validation images too, for 120 epochs",
    ),
)

PUBLISHED = {(row.variant, row.set): row for row in _ROWS}


def published_sets(variant: str) -> tuple[str, ...]:
    """Names that `weights=` takes for a variant; empty where there are none."""
    if variant is not None:
        text("variant", variant)
    return tuple(own for known, own in _every_row() if known == variant)


def _every_row():
    """`PUBLISHED` and what the package holds itself, likewise."""
    own = {(row.variant, row.set): row for row in shipped_weights()}
    return PUBLISHED | own


def get_published(variant: str, set_name: str) -> Published | Shipped:
    """The file of a variant and a set; a ValueError names what there is."""
    text("variant", variant)
    text("set_name", set_name)
    rows = _every_row()
    if row := rows.get((variant, set_name)):
        return row
    others = [row.variant for row in rows.values() if row.set == set_name]
    having = f" {set_name!r} exists for {', '.join(others)}." if others else ""
    if known := published_sets(variant):
        raise ValueError(
            f"No weights set_name={short(set_name)} are published for "
            f"{variant}. Known: {', '.join(map(repr, known))}.{having}"
        )
    raise ValueError(
        f"No weights are published for {plain(variant)} (set_name="
        f"{short(set_name)}).{having}"
    )


def catalogue_table() -> str:
    """The catalogue in Markdown."""
    lines = [
        "| Network | `weights=` | The authors say | File |",
        "| --- | --- | --- | --- |",
    ]
    for row in _ROWS:
        figures = "; ".join(f"{k} {v:.2f}" for k, v in row.figures.items())
        remark = f"; {row.remark}" if row.remark else ""
        lines.append(
            f'| {row.variant} | `"{row.set}"` | {figures}{remark} | '
            f"[Drive]({row.page}) |"
        )
    return "\n".join(lines)


def shipped_table(style="text") -> str:
    """The weights in the package, as measured on the whole test split."""
    rows = []
    for row in shipped_weights():
        figures = "; ".join(
            f"{k} {100 * v:.2f}" for k, v in row.figures.items()
        )
        size = f"{row.path.stat().st_size / 1e6:.1f}"
        rows.append([row.name, row.variant, size, figures])
    header = ["`--model`", "Network", "MB", "Measured, %"]
    if style == "text":
        header[0] = "Weights"
    words = tuple(title for title in header if title != "MB")
    return grid(header, rows, style, words=words)
