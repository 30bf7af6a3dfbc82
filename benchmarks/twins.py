"""What do networks with PyConv learn beside plain ones of equal cost?

    python -m benchmarks.twins                          three hours of one core
    python -m benchmarks.twins --tasks video --seeds 1

Trains the network of each task's weights in the package, and its plain twin, by
the command in their record, with three seeds, and measures both on the test
split of `digits_in_photos`. The first seed of the pyramids is that of the
weights in the package. The same command resumes; several may run side by side,
each with other tasks, and one with all tasks then writes the record.
"""

import json
import pathlib
import shlex
import statistics
import subprocess
import sys
import textwrap

from benchmarks import records
from benchmarks import shipped as figures
from keras_pyconv.architectures import get_detector, make_segmenter
from keras_pyconv.commands.opening import open_model
from keras_pyconv.complexity import complexity
from keras_pyconv.complexity.grid import grid
from keras_pyconv.reading import read_json
from keras_pyconv.weights import shipped
from keras_pyconv.weights.description import TASKS
from keras_pyconv.writing import write_atomically

# Both twins of a task: the classifier or the backbone, and the head.
NETWORKS = {
    "classification": (("PyConvResNetMini",), ("ResNetMini",)),
    "detection": (("PyConvResNetMini", "PyConvSSD"), ("ResNetMini", "SSD")),
    "segmentation": (("PyConvResNetMini", "pyconv"), ("ResNetMini", "conv")),
    "video": (("PyConvResNet3DTiny",), ("ResNet3DTiny",)),
}


def shipped_of(task):
    """The record of a task's weights in the package."""
    return shipped.shipped_named(f"{shipped.SET}/{task}")


def first_seed(task):
    """The seed of the weights in the package."""
    return shipped_of(task).training["constants"]["seed"]


def command(task, network, seed, workdir):
    """Arguments of the recipe, and the folder of its run.

    The recipe of the classifier trains both twins.
    """
    folder = workdir / f"{task}-{seed}"
    _, *arguments = shlex.split(shipped_of(task).training["command"])
    arguments += ["--seed", str(seed), "--workdir", str(folder)]
    if task == "classification":
        pyramid, plain = NETWORKS[task]  # whose weights others start from
        arguments += ["--networks", *plain, *pyramid]
        arguments += ["--export-root", str(folder / "export")]
        return arguments, folder / network[0]
    folder = folder / "-".join(network)
    arguments += ["--workdir", str(folder)]
    if task == "video":
        return [*arguments, "--network", network[0]], folder
    backbone, head = network
    arguments += ["--backbone", backbone, "--head", head]
    arguments += ["--backbone-weights", classifier_of(backbone, workdir)]
    return arguments, folder


def classifier_of(backbone, workdir):
    """The weights that heads start from: the classifier's first seed."""
    task = "classification"
    if (backbone,) == NETWORKS[task][0]:
        return shipped.SET
    _, folder = command(task, (backbone,), first_seed(task), workdir)
    return str(folder / f"{backbone}.weights.h5")


def measured(task, network, seed, workdir):
    """The figures of a network on the test split, trained if it is not yet.

    Those of a pyramid with the first seed stand in the package's record.
    """
    row = shipped_of(task)
    if (network, seed) == (NETWORKS[task][0], first_seed(task)):
        return row.figures
    arguments, folder = command(task, network, seed, workdir)
    path = folder / "figures.json"
    if not path.is_file():
        if len(network) > 1:
            first = "classification"
            measured(first, network[:1], first_seed(first), workdir)
        subprocess.run([sys.executable, *arguments], check=True)
        found = figures.measure(row, trained(row, network, folder))
        write_atomically(path, json.dumps(found) + "\n")
    return read_json(path)


def trained(row, network, folder):
    """The model of a run's folder, like that of a row of the package."""
    if row.task != "classification":
        return open_model(str(folder)).model
    file = str(folder / f"{network[0]}.weights.h5")
    side, classes = row.build["input_shape"][0], row.build["classes"]
    return open_model(file, network[0], classes=classes, side=side).model


def cost(task, network):
    """Parameters and multiply-adds of one input, without auxiliary heads."""
    build, more = shipped_of(task).build, {}
    record, shape = network[0], build["input_shape"]
    if task == "detection":
        record, shape = get_detector(network[1], network[0]), None
    elif task == "segmentation":
        record = make_segmenter(*network, **build["network"])
        more["auxiliary"] = False
    return complexity(record, shape, build["classes"], **more)


def line(row):
    """A network's line of the table: means over the seeds, and spreads."""
    cells = [row["title"], f"{row['parameters']:,}"]
    cells.append(f"{row['multiply_adds'] / 1e6:.1f}")
    for name in row["figures"][0]:
        shares = [100 * one[name] for one in row["figures"]]
        spread = f" ± {statistics.stdev(shares):.1f}" if shares[1:] else ""
        cells.append(f"{statistics.mean(shares):.1f}{spread}")
    return cells


def table(rows):
    """The twins of a task as Markdown."""
    header = ["", "parameters", "M multiply-adds", *rows[0]["figures"][0]]
    return grid(header, list(map(line, rows)), "markdown", words=header[:1])


def draw(rows, path):
    """A panel for each task, a dot for each seed, to a PNG; its path."""
    from matplotlib.figure import Figure

    tasks = list(dict.fromkeys(row["task"] for row in rows))
    figure = Figure(figsize=(9, 2.6 * len(tasks)), layout="constrained")
    axes = figure.subplots(len(tasks), squeeze=False).flat
    for axis, task in zip(axes, tasks):
        both = [row for row in rows if row["task"] == task]
        names = list(both[0]["figures"][0])
        for number, row in enumerate(both):
            places = [place + 0.2 * number for place in range(len(names))]
            for one in row["figures"]:
                shares = [100 * one[name] for name in names]
                axis.plot(places, shares, f"C{number}o", alpha=0.5)
            axis.lines[-1].set_label(row["title"])
        labels = [textwrap.fill(name, 12) for name in names]
        axis.set_xticks([place + 0.1 for place in range(len(names))], labels)
        low, high = axis.get_ylim()
        axis.set_ylim(min(low, high - 10))  # less than a point is no gap
        axis.set_ylabel("%")
        axis.set_title(task, loc="left")
        axis.grid(axis="y", alpha=0.3)
        axis.legend(
            fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5)
        )
    figure.savefig(path, dpi=120)
    return path


def rows_of(task, seeds, workdir):
    """Both twins of a task, with the figures of each seed."""
    first, rows = first_seed(task), []
    seeds = list(range(first, first + seeds))
    for network in NETWORKS[task]:
        counted = cost(task, network)
        found = [measured(task, network, seed, workdir) for seed in seeds]
        rows.append(
            {
                **{"task": task, "title": ", ".join(network), "seeds": seeds},
                "parameters": counted.parameters,
                "multiply_adds": counted.multiply_adds,
                "figures": found,
            }
        )
    return rows


def main(argv=None):
    """Entry point; returns the record, or the rows of some of the tasks."""
    parser = records.command_line(__doc__, has_smoke=False)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument(
        "--workdir", type=pathlib.Path, default=pathlib.Path("runs/twins")
    )
    options = parser.parse_args(argv)
    rows = []
    for task in options.tasks:
        both = rows_of(task, options.seeds, options.workdir)
        print(f"\n{table(both)}", flush=True)
        rows += both
    if set(options.tasks) < set(TASKS):
        return rows
    print(draw(rows, records.record_path(options, "twins").with_suffix(".png")))
    return records.write_record(options, "twins", rows=rows)


if __name__ == "__main__":
    main()
