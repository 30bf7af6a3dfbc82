"""How many images a second do PyConvSSD and SSD take, and how long decoding?

    python -m benchmarks.detection            about 3 minutes on two cores
    python -m benchmarks.detection --smoke    a minute, small

Both detectors of 50 layers at 300 x 300, beside the same in PyTorch, eager and
channels last. Random weights find nothing, so decoding is fed with drawn
outputs, the same for all. torchvision's SSD300, whose backbone is VGG-16, joins
where it can be imported: the network alone.
"""

from benchmarks import run
from benchmarks.plan import MEASURES, Suite
from benchmarks.records import rows_of
from benchmarks.report import middle, processor, tables

_OURS = {"part": "detection", "contender": ("ours", "torch")}
_VGG = {"part": "detection", "contender": ("torchvision",)}
_VGG |= {"subject": "SSD300, VGG-16", "side": 300}
_NETWORKS = ("PyConvSSDPyConvResNet50", "SSDResNet50")
_SMALL = ("PyConvSSDPyConvResNetMini", "SSDResNetMini")
SUITE = Suite(
    name="detection",
    doc=__doc__,
    full=(
        {**_OURS, "subject": _NETWORKS, "batch": 4, "side": 300},
        {**_VGG, "batch": 4},
    ),
    smoke=(
        {**_OURS, "subject": _SMALL, "batch": 1, "side": 64},
        {**_VGG, "batch": 1},
    ),
)


def _sentence(row):
    network, decoding = (middle(row, one) for one in MEASURES["detection"])
    bare = row["batch"] / network
    who = f"{row['subject']}, {row['title']}, {processor(row)}"
    text = f"{who}: {bare:.2f} images a second"
    if decoding is None:
        return f"{text}."
    whole = row["batch"] / (network + decoding)
    share = decoding / (network + decoding)
    return f"{text}, {whole:.2f} with decoding, {share:.1%} of the time."


def show(*records):
    """The tables and the sentences."""
    rows = [row for row in rows_of(*records) if row["turns"]["inference"]]
    return "\n".join([tables(*records), *map(_sentence, rows)])


main = run.main_of(SUITE, show)

if __name__ == "__main__":
    main()
