"""Is this checkout as fast as another one? Networks side by side.

    git worktree add ../before COMMIT
    python -m benchmarks.checkouts ../before            half an hour, two cores
    python -m benchmarks.checkouts ../before --smoke    a minute

Three processes take turns: this checkout, the other one, and this one again,
which shows how far a commit is from itself. A ratio is the time of the other
by that of this one: above 1, this one is faster. "slower" stands where the
median ratio is below all that this checkout has to itself. Networks have at
most two blocks a stage, one of each kind; `--whole` takes all.
"""

import os
import pathlib
import statistics

from benchmarks import run
from benchmarks.plan import MEASURES, OTHER_CHECKOUT, WHOLE, Patience, Suite
from benchmarks.report import middle, ratios
from keras_pyconv.complexity.grid import grid

_IMAGES = {"side": 224, "batch": 8}
_CLIP = {"side": 112, "frames": 16, "batch": 1}
SUBJECTS = {
    "PyConvResNet50": _IMAGES,
    "PyConvHGResNet50": _IMAGES,
    "PyConvSSD-50": {"side": 300, "batch": 2},
    "PyConvResNet3D50": _CLIP,
}
MAPPINGS = tuple(
    {
        "part": "checkout",
        "subject": subject,
        "precision": precision,
        "onednn": onednn,
        **sizes,
    }
    for precision in ("fp32", "bf16")
    for onednn in ("1", "0")
    for subject, sizes in SUBJECTS.items()
)
SUITE = Suite(
    name="checkouts",
    doc=__doc__,
    full=MAPPINGS,
    smoke=MAPPINGS[:1],
    patience=Patience(turn=0.8, caps={"fp32": 300.0, "bf16": 300.0}),
    minutes=30,
)


def _cells(this, other, again, measure):
    """A line of the table."""
    onednn = "oneDNN" if this["onednn"] == "1" else "no oneDNN"
    title = f"{this['subject']}, {onednn}, {this['precision']}, {measure}"
    pair = [ratios(this, row, measure) for row in (other, again)]
    if not all(pair):
        return [title, "not measured", *[""] * 4]
    ratio = statistics.median(pair[0])
    spread = [f"{found[0]:.3f} to {found[-1]:.3f}" for found in pair]
    now = 1000 * middle(this, measure)
    verdict = "slower" if ratio < min(1, pair[1][0]) else ""
    return [title, f"{now:.0f}", f"{ratio:.3f}", *spread, verdict]


def table(record):
    """The rows, three by three, as Markdown."""
    lines = [
        _cells(*record["rows"][begin : begin + 3], measure)
        for begin in range(0, len(record["rows"]), 3)
        for measure in MEASURES["checkout"]
    ]
    header = ["", "ms", "other / this", "from, to", "again / this", " "]
    return grid(header, lines, "markdown", words=("",))


def main(arguments=None):
    """Entry point; returns the record."""
    parser = run.parser_of(SUITE)
    parser.add_argument("other", type=pathlib.Path, help="the other checkout")
    parser.add_argument("--whole", action="store_true", help="all blocks")
    options = parser.parse_args(arguments)
    os.environ[OTHER_CHECKOUT] = str(options.other.resolve())
    os.environ[WHOLE] = "1" if options.whole else ""
    return run.conduct_suite(SUITE, options, table)


if __name__ == "__main__":
    main()
