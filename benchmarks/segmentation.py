"""How long do PyConvSegNet and its rivals take for a crop and for an image?

    python -m benchmarks.segmentation            10 minutes on two cores
    python -m benchmarks.segmentation --smoke    a minute, small and untrained

Beside PSPNet and DeepLabv3 (ASPP), as the paper's supplement, Table 6 compares
them by counting, and beside the same in PyTorch. All have ResNet-50 as backbone
and no auxiliary head, which the paper's GFLOPs count. "Crop" is 473 x 473 at
output stride 8; "image" is the paper's multi-scale protocol on one of 683 x 512
at output stride 16, at 8 it would be three times as long.
"""

from benchmarks import run
from benchmarks.plan import Patience, Suite
from benchmarks.records import rows_of
from benchmarks.report import middle, tables
from keras_pyconv.architectures import make_segmenter
from keras_pyconv.complexity import complexity
from keras_pyconv.complexity.grid import grid

HEADS = ("pyconv", "ppm", "aspp")  # of PyConvSegNet, PSPNet, DeepLabv3


def _mapping(backbone, side):
    subjects = tuple(f"{backbone} with {head}" for head in HEADS)
    parts = {"part": ["crop", "image"], "subject": subjects}
    return {**parts, "batch": 1, "side": side}


SUITE = Suite(
    name="segmentation",
    doc=__doc__,
    full=(_mapping("ResNet50", 473),),
    smoke=(_mapping("ResNetMini", 65),),
    patience=Patience(rounds=3),
)


def _seconds(rows, part, measure):
    """Our medians of a part by subject, with all that the processor has."""
    wanted = {"part": part, "contender": "ours", "onednn": "1", "isa": "all"}
    return {
        row["subject"]: middle(row, measure)
        for row in rows
        if wanted.items() <= row.items() and row["turns"][measure]
    }


def table(rows):
    """What our networks cost, with ratios to the first, as Markdown."""
    crops = _seconds(rows, "crop", "inference")
    images, side = _seconds(rows, "image", "protocol"), rows[0]["side"]
    lines = []
    for subject in crops:
        record = make_segmenter(*subject.split(" with "))
        cost = complexity(record, (side, side, 3), auxiliary=False)
        cells = [subject, f"{cost.parameters / 1e6:.2f}"]
        cells.append(f"{cost.multiply_adds / 1e9:.1f}")
        for seconds in (crops, images):
            own, first = seconds.get(subject), next(iter(seconds.values()), 0)
            cells += [f"{own:.2f}", f"{own / first:.2f} ×"] if own else ["", ""]
        lines.append(cells)
    header = ["network", "parameters, M", "multiply-adds, G"]
    header += ["crop, s", "of the first's", "image, s", "of the first's"]
    return grid(header, lines, "markdown", words=("network",))


def show(*records):
    """All tables, the last of the record that was measured last."""
    newest = max(records, key=lambda record: record["machine"]["date"])
    return f"{tables(*records)}\n{table(rows_of(newest))}"


main = run.main_of(SUITE, show)

if __name__ == "__main__":
    main()
