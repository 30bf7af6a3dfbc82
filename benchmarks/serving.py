"""PyConvResNet-50 as it is served, beside other ways to serve it.

    python -m benchmarks.serving            about eight minutes on two cores
    python -m benchmarks.serving --smoke    everything tiny, two minutes

Writes the files in a process of its own first, then measures each runtime in
its own, taking turns (see `benchmarks.processes`), at batch 1 and 16, in fp32
and bf16. Prints the tables and writes one record.
"""

import dataclasses
import os
import sys
import tempfile

from benchmarks import machine, report
from benchmarks.plan import Settings, group
from benchmarks.processes import conduct
from benchmarks.progress import Progress
from benchmarks.records import command_line, write_record
from benchmarks.serving_runtimes import FILES
from keras_pyconv.children import call
from keras_pyconv.complexity.grid import grid

CONTENDERS = (
    "served",
    "served_frozen",
    "served_stock",
    "openvino",
    "onnxruntime",
    "torch_compiled",
)
BATCHES = (16, 1)
PRECISIONS = ("fp32", "bf16")
# What is promised of our export at batch 16: (precision, against, bound).
TARGETS = (
    ("fp32", "served_stock", 3.0),
    ("fp32", "openvino", 1.0),
    ("bf16", "torch_compiled", 1.0),
)
FULL = Settings(
    networks=("PyConvResNet50",),
    rounds=4,
    turn=2.0,
    caps={"fp32": 240.0, "bf16": 90.0},
)
SMOKE = Settings(
    networks=("PyConvResNetMini",), batch=2, side=64, rounds=1, turn=0.0
)


def write_files(network, side, folder):
    """Writes our exports, the stock one and the ONNX file."""
    import keras

    from benchmarks.keras_networks import CLASSES, stock_network
    from keras_pyconv import export
    from keras_pyconv.models import build_classifier

    keras.utils.set_random_seed(1)
    model = build_classifier(
        network, input_shape=(side, side, 3), classes=CLASSES
    )
    options = {"server_files": False, "preprocessing": None}
    export.saved_model(model, f"{folder}/ours", 1, **options)
    export.saved_model(model, f"{folder}/frozen", 1, freeze=True, **options)
    stock_network(network, side).export(f"{folder}/stock/1", verbose=False)
    export.onnx(model, f"{folder}/ours.onnx")


def groups(settings, threads, batches=BATCHES, precisions=PRECISIONS):
    """One group for each precision and batch size."""
    sizes = {min(batch, settings.batch): None for batch in batches}
    return [
        group(
            CONTENDERS,
            part="serving",
            subject=settings.networks[0],
            precision=precision,
            batch=batch,
            side=settings.side,
            threads=threads,
        )
        for precision in precisions
        for batch in sizes
    ]


def _cells(rows, row):
    """What one line of a table says."""
    seconds = report.steady(row, "inference")
    if not seconds:
        problem = row["problems"].get("inference", "not measured")
        return [problem, "", ""]
    middle = sorted(seconds)[len(seconds) // 2]
    ratio = report.speedup(rows[0], row, "inference")
    return [
        f"{row['batch'] / middle:.3g}",
        f"{1e3 * middle:.3g}",
        "" if row is rows[0] or ratio is None else f"{ratio:.2f} ×",
    ]


def table(rows):
    """One group's rows as Markdown; ours comes first."""
    first, lines = rows[0], []
    for row in rows:
        first_call = row["first_seconds"].get("inference")
        peak = row["peak_rss_mib"]
        lines.append(
            [
                row["title"],
                *_cells(rows, row),
                "" if first_call is None else f"{first_call:.3g}",
                "" if peak is None else f"{peak / 1024:.1f}",
            ]
        )
    header = ["", "images/s", "ms a call", "ours is"]
    header += ["first call, s", "memory, GiB"]
    title = f"{first['subject']}, {first['precision']}, batch {first['batch']}"
    return f"**{title}**\n\n{grid(header, lines, 'markdown', ('',))}\n"


def verdicts(found, batch):
    """Whether each target is reached, by what was measured."""
    rows = {
        (row["precision"], row["contender"]): row
        for group in found
        for row in group
        if row["batch"] == batch
    }
    judged = []
    for precision, against, bound in TARGETS:
        ours, other = (rows.get((precision, n)) for n in ("served", against))
        ratio = ours and other and report.speedup(ours, other, "inference")
        problems = [
            f"{row['title']}: {row['problems']['inference']}"
            for row in (ours, other)
            if row and row["problems"]
        ]
        judged.append(
            {
                "precision": precision,
                "batch": batch,
                "against": other["title"] if other else against,
                "bound": bound,
                "ratio": ratio and round(ratio, 2),
                "reached": ratio >= bound if ratio else None,
                "problem": "; ".join(problems),
            }
        )
    return judged


def _sentence(verdict):
    reached = {True: "reached", False: "missed", None: "not comparable"}
    measured = verdict["problem"] or f"{verdict['ratio']} ×"
    return (
        f"- {verdict['precision']}, batch {verdict['batch']}, at least "
        f"{verdict['bound']:g} × {verdict['against']}: {measured}, "
        f"{reached[verdict['reached']]}"
    )


def _command_line():
    parser = command_line(__doc__)
    parser.add_argument("--threads", type=int, default=machine.cores())
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--files", help="folder of files that are written")
    parser.add_argument(
        "--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS
    )
    parser.add_argument(
        "--batches", nargs="+", type=int, choices=BATCHES, default=BATCHES
    )
    return parser


def _written(options, settings, folder):
    """The folder of the files; a process of its own writes them."""
    if options.files and os.path.isdir(options.files):
        return options.files
    folder = options.files or folder
    print("Writing the files that are served ...", file=sys.stderr)
    network, side = settings.networks[0], settings.side
    call("benchmarks.serving:write_files", network, side, folder)
    return folder


def measure(options, settings, folder):
    """Runs the plan; returns the record."""
    described = machine.description()
    os.environ[FILES] = str(_written(options, settings, folder))
    plan = groups(
        settings, options.threads, options.batches, options.precisions
    )
    progress = Progress([1] * len(plan), 60 * options.minutes)
    found = []
    for rows in conduct(plan, settings, progress):
        found.append(rows)
        print(table(rows))
    batch = max(rows[0]["batch"] for rows in found)
    return {
        "machine": described,
        "smoke": options.smoke,
        "minutes": round(progress.elapsed() / 60, 1),
        "groups": found,
        "targets": verdicts(found, batch),
    }


def main(arguments=None):
    """Entry point; returns the record."""
    options = _command_line().parse_args(arguments)
    settings = SMOKE if options.smoke else FULL
    if options.rounds:
        settings = dataclasses.replace(settings, rounds=options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        record = measure(options, settings, folder)
    print("\n".join(map(_sentence, record["targets"])))
    write_record(record, "serving", options)
    return record


if __name__ == "__main__":
    main()
