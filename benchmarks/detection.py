"""How many images a second do PyConvSSD and SSD take, and how long decoding?

    python -m benchmarks.detection            about 3 minutes on two cores
    python -m benchmarks.detection --smoke    a minute, small

What do the two detectors of 50 layers cost at 300 x 300, with and without
decoding, beside the same networks in PyTorch, and which share of the time does
decoding take?

Weights are random and float32. Random weights find nothing, so decoding is
fed with drawn outputs, the same for all: in each image so many boxes that a
class of theirs is above the score, the rest background. PyTorch is eager,
channels last. torchvision's SSD300, whose backbone is VGG-16, joins where
torchvision can be imported: the network alone, without what it does to images
before and to boxes after.
"""

import statistics

from benchmarks import run
from benchmarks.plan import Suite
from benchmarks.report import steady, tables


def _mappings(batch, side, *subjects):
    shared = {"part": "detection", "batch": batch, "side": side}
    ours = {**shared, "subject": subjects, "contender": ("ours", "torch")}
    return ours, {
        **shared,
        "subject": ("SSD300, VGG-16",),
        "contender": ("torchvision",),
        "side": 300,
    }


SUITE = Suite(
    name="detection",
    doc=__doc__,
    full=_mappings(4, 300, "PyConvSSDPyConvResNet50", "SSDResNet50"),
    smoke=_mappings(1, 64, "PyConvSSDPyConvResNetMini", "SSDResNetMini"),
)


def _sentence(row):
    network = statistics.median(steady(row, "inference"))
    bare = row["batch"] / network
    text = f"{row['subject']}, {row['title']}: {bare:.2f} images a second"
    if not row["turns"]["decoding"]:
        return f"{text}."
    decoding = statistics.median(steady(row, "decoding"))
    whole = row["batch"] / (network + decoding)
    share = decoding / (network + decoding)
    return f"{text}, {whole:.2f} with decoding, {share:.1%} of the time."


def show(record):
    """The tables and the sentences."""
    rows = [row for row in record["rows"] if row["turns"]["inference"]]
    return "\n".join([tables(record), *map(_sentence, rows)])


def main(arguments=None):
    """Entry point; returns the record."""
    options = run.parser_of(SUITE).parse_args(arguments)
    return run.conduct_suite(SUITE, options, show)


if __name__ == "__main__":
    main()
