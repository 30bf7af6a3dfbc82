"""How long does the whole video network take, beside the same in PyTorch?

    python -m benchmarks.video_network            about 4 minutes on two cores
    python -m benchmarks.video_network --smoke    a minute, small

Question: is PyConvResNet3D-50 at 16 x 224 x 224 at least 2 times as fast at
inference, and 1.5 times in training, as the same network in PyTorch, eager and
channels last? Each lives in a process of its own; the peak of its memory is
that of the process after the measure, the framework included.

The fact a reader would get wrong: a call that takes longer than `PATIENCE` is
measured once, with what PyTorch does at a first call in it, some per cent. Ours
is traced before it is measured.
"""

import argparse
import json
import pathlib
import statistics

from benchmarks import machine
from benchmarks.plan import Case
from benchmarks.processes import ContenderEnded, Process
from benchmarks.records import record_path
from benchmarks.run import write_atomically

NETWORKS = ("PyConvResNet3D50",)
CONTENDERS = ("ours", "torch")
TARGETS = {"inference": 2.0, "training": 1.5}  # times as fast as PyTorch
SIZE = {"batch": 1, "frames": 16, "side": 224}
SMOKE_NETWORKS = ("PyConvResNet3DMini",)
SMOKE_SIZE = {"batch": 1, "frames": 4, "side": 32}
SECONDS = 8.0  # of repeating a step
PATIENCE = 15.0  # seconds of a first call, past which it is the measure
CAP = 400.0  # seconds that any call may take


def measure(network, contender, size, threads):
    """Seconds of each call, and the peak of memory, by measure."""
    case = Case("video_network", network, contender, threads=threads, **size)
    row = {"network": network, "contender": contender, **size}
    with Process(case) as process:
        try:
            process.answer(CAP)
            for name in TARGETS:
                print(f"{network}, {contender}: {name}", flush=True)
                row[name] = _calls(process, name, contender)
        except ContenderEnded as ended:
            row["problem"] = str(ended)
    return row


def _calls(process, name, contender):
    process.ask(measure=name, seconds=0)
    answer = process.answer(CAP)
    first = answer["seconds"][0]
    # Ours traces in its first call, however long that takes.
    if contender == "ours" or first < PATIENCE:
        process.ask(measure=name, seconds=SECONDS)
        answer = process.answer(CAP)
    return {
        "first": first,
        "seconds": answer["seconds"],
        "peak_mib": round(answer["peak_rss_mib"]),
    }


def _cells(row, name):
    if name not in row:
        return [row.get("problem", "not measured"), ""]
    seconds = statistics.median(row[name]["seconds"])
    return [f"{seconds:.2f}", f"{row[name]['peak_mib'] / 1024:.1f}"]


def ratio(rows, network, name):
    """How many times as fast as PyTorch, or None where one is missing."""
    found = {
        row["contender"]: statistics.median(row[name]["seconds"])
        for row in rows
        if row["network"] == network and name in row
    }
    if set(found) != set(CONTENDERS):
        return None
    return found["torch"] / found["ours"]


def table(rows):
    """The rows as Markdown, and the ratios with their targets."""
    from keras_pyconv.complexity.grid import grid

    header = ["network", "in"]
    for name in TARGETS:
        header += [f"{name}, s", "peak, GiB"]
    lines = []
    for row in rows:
        cells = [c for name in TARGETS for c in _cells(row, name)]
        lines.append([row["network"], row["contender"], *cells])
    text = [grid(header, lines, "markdown", words=("network", "in")), ""]
    for network in dict.fromkeys(row["network"] for row in rows):
        for name, target in TARGETS.items():
            found = ratio(rows, network, name)
            if found is not None:
                verdict = "met" if found >= target else "missed"
                text.append(
                    f"{network}, {name}: {found:.2f} times as fast as "
                    f"PyTorch; the target of {target} is {verdict}."
                )
    return "\n".join(text)


def main(arguments=None):
    """Entry point; returns the record."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--networks", nargs="+")
    parser.add_argument("--results", type=pathlib.Path, help="file to write")
    parser.add_argument("--threads", type=int, default=machine.cores())
    options = parser.parse_args(arguments)
    networks = options.networks or (
        SMOKE_NETWORKS if options.smoke else NETWORKS
    )
    size = SMOKE_SIZE if options.smoke else SIZE
    rows = [
        measure(network, contender, size, options.threads)
        for network in networks
        for contender in CONTENDERS
    ]
    described = machine.description()
    path = options.results or record_path(
        described, "video-network", options.smoke
    )
    record = {"machine": described, "threads": options.threads, "rows": rows}
    write_atomically(path, json.dumps(record, indent=1) + "\n")
    print(table(rows))
    print(f"Record: {path}")
    return record


if __name__ == "__main__":
    main()
