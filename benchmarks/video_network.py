"""How long does the whole video network take, beside the same in PyTorch?

    python -m benchmarks.video_network              a quarter of an hour on
                                                    two cores
    python -m benchmarks.video_network --batches 1  four minutes of it
    python -m benchmarks.video_network --smoke      a minute, small

Question: is PyConvResNet3D-50 at 16 x 224 x 224 at least 2 times as fast at
inference, and 1.5 times in training, as the same network in PyTorch, eager and
channels last? Each lives in a process of its own, and the two take turns, so
that a drift of the machine meets both; the peak of memory is that of a process
after the measure, the framework included.

A ratio is taken round by round, and its
median is printed; it need not equal the ratio of the two medians above it.
"""

import statistics

from benchmarks import machine, report
from benchmarks.plan import Settings, group
from benchmarks.processes import conduct
from benchmarks.progress import Progress
from benchmarks.records import command_line, write_record

CONTENDERS = ("ours", "torch")
TARGETS = {"inference": 2.0, "training": 1.5}  # times as fast as PyTorch
FULL = Settings(networks=("PyConvResNet3D50",), turn=4.0)
SMOKE = Settings(
    networks=("PyConvResNet3DMini",), side=32, frames=4, rounds=1, turn=0.0
)
BATCHES = (1, 4)  # clips
MINUTES = 20


def groups(settings, batches, threads):
    """Groups of both contenders: each network with each batch."""
    return [
        group(
            CONTENDERS,
            part="video_network",
            subject=network,
            batch=batch,
            side=settings.side,
            frames=settings.frames,
            threads=threads,
        )
        for network in settings.networks
        for batch in batches
    ]


def measure(settings, batches, threads):
    """The rows of both contenders, group by group."""
    plan = groups(settings, batches, threads)
    progress = Progress([1] * len(plan), 60 * MINUTES)
    return list(conduct(plan, settings, progress))


def _cells(row, name):
    turns = report.steady(row, name)
    if not turns:
        return [row["problems"].get(name, "not measured"), ""]
    peak = row["peak_rss_mib_after"][name]
    return [f"{statistics.median(turns):.2f}", f"{peak / 1024:.1f}"]


def verdicts(rows):
    """A sentence on each target of one network and batch."""
    ours, torch = rows
    for name, target in TARGETS.items():
        ratio = report.speedup(ours, torch, name)
        if ratio is not None:
            verdict = "met" if ratio >= target else "missed"
            yield (
                f"{ours['subject']}, clips: {ours['batch']}, {name}: "
                f"{ratio:.2f} times as fast as PyTorch; the target of "
                f"{target} is {verdict}."
            )


def table(found):
    """The rows as Markdown, and the ratios with their targets."""
    from keras_pyconv.complexity.grid import grid

    header = ["network", "in", "clips"]
    for name in TARGETS:
        header += [f"{name}, s", "peak, GiB"]
    lines = [
        [row["subject"], row["contender"], str(row["batch"])]
        + [cell for name in TARGETS for cell in _cells(row, name)]
        for rows in found
        for row in rows
    ]
    text = [grid(header, lines, "markdown", words=("network", "in")), ""]
    for rows in found:
        text += verdicts(rows)
    return "\n".join(text)


def main(arguments=None):
    """Entry point; returns the record."""
    parser = command_line(__doc__)
    parser.add_argument("--threads", type=int, default=machine.cores())
    parser.add_argument(
        "--batches", nargs="+", type=int, choices=BATCHES, default=BATCHES
    )
    options = parser.parse_args(arguments)
    described = machine.description()
    settings = SMOKE if options.smoke else FULL
    found = measure(settings, options.batches, options.threads)
    record = {"machine": described, "groups": found}
    write_record(record, "video-network", options)
    print(table(found))
    return record


if __name__ == "__main__":
    main()
