"""`keras-pyconv doctor`: finds problems in a data set."""

import collections
import csv
import operator

from keras_pyconv.commands import TASKS, local_path

_EXAMPLES = """
DATA is what the recipes train on: class folders, a COCO folder, images/ and
annotations/ as in ADE20K, folders of videos, a CSV of images or videos, or a
pattern of TFRecord. The exit status is 1 if a problem would stop the training
or drop files from it.

  keras-pyconv doctor pets
  keras-pyconv doctor clips --task video --page clips.html
"""
_SHOWN = 3  # examples of each kind that are printed


def options(name, parser, words):
    """The options of the words."""
    add = parser.add_argument
    parser.usage = "%(prog)s DATA [OPTION ...]"
    parser.epilog = _EXAMPLES
    data = "folder, CSV file or TFRecord"
    add("data", metavar="DATA", type=local_path, help=data)
    task = "default: guessed from the layout of DATA"
    add("--task", choices=TASKS, help=task)
    classes = "mask classes: names (cat,dog), a file of names, or a number"
    add("--classes", metavar="NAMES", help=classes)
    rule = "how masks number classes, see docs/segmentation.md"
    add("--label-rule", metavar="RULE", help=rule)
    add("--split", help="split to check, if DATA is a CSV (train)")
    root = "folder that the paths in a CSV are relative to"
    add("--root", type=local_path, help=root)
    processes = "number of processes that decode videos"
    add("--processes", type=int, metavar="N", help=processes)
    seconds = "time limit per video (%(default)s)"
    add("--timeout", type=float, default=600, metavar="SECONDS", help=seconds)
    table = "write the problems to a CSV, one row per file"
    add("--table", type=local_path, metavar="CSV", help=table)
    page = "write an HTML report with thumbnails"
    add("--page", type=local_path, metavar="HTML", help=page)
    found = parser.parse_args(words)
    found.run = run
    return found


def run(options):
    """Prints what was found; 1 where training would stop."""
    from keras_pyconv.commands.examining import examine, task_of
    from keras_pyconv.datasets.tfrecord import is_tfrecord

    if not is_tfrecord(options.data) and not options.data.exists():
        raise FileNotFoundError(f"{options.data} does not exist")
    task = options.task or task_of(options.data)
    counts, findings = examine(task, options)
    title = f"{options.data}: {task}"
    text = _summary(counts, findings)
    print(f"{title}\n{text}")
    if options.table:
        _write_table(options.table, findings)
    if options.page:
        _write_page(options.page, title, text, findings)
    return int(any(one.stops for one in findings))


def _summary(counts, findings):
    """Counts by split and class, and what was found by its kind."""
    lines = []
    for split, classes in counts.items():
        total, shown = sum(classes.values()), classes.most_common(10)
        more = f", and {len(classes) - 10} more" if len(classes) > 10 else ""
        each = ", ".join(f"{name} {count}" for name, count in shown)
        lines.append(f"  {split}: {total} ({each}{more})")
    kinds = collections.defaultdict(list)
    for one in findings:
        kinds[one.stops, one.kind].append(one)
    for (stops, kind), all_ in sorted(kinds.items(), reverse=True):
        mark = "STOPS TRAINING" if stops else "to look at"
        lines.append(f"{mark}: {kind}, {len(all_)}")
        for one in all_[:_SHOWN]:
            lines.append(
                f"    {' | '.join(filter(None, (one.path, one.said)))}"
            )
    return "\n".join(lines + ([] if findings else ["No problems found."]))


def _write_table(path, findings):
    from keras_pyconv.writing import replacing

    columns = ("path", "kind", "stops", "said")
    rows = map(operator.attrgetter(*columns), findings)
    text = {"newline": "", "encoding": "utf-8"}
    with replacing(path) as beside, open(beside, "w", **text) as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *rows])


def _write_page(path, title, text, findings):
    from keras_pyconv.page import page
    from keras_pyconv.tasks.image import read_image

    with page(path, title, text) as shown:
        for one in findings:
            pixels = read_image(one.path) if one.is_readable else None
            shown.add(one.path, one.kind, one.said, pixels)
