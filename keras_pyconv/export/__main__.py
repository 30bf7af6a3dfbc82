"""The commands `python -m keras_pyconv.export` `check`, `bench`, `list`."""

import argparse
import json
import pathlib
import sys

import keras_pyconv.export
from keras_pyconv.export.proof import bench as timing
from keras_pyconv.export.serving import ledger
from keras_pyconv.progress import Bar
from keras_pyconv.writing import write_atomically


def _check(options):
    report = keras_pyconv.export.check(options.path)
    print(report)
    return 0 if report.passed else 1


def _list(options):
    rows = ledger.listing(options.folder, options.verify)
    print(ledger.table(rows))
    return 1 if any(state for _, state in rows) else 0


def _bench(options):
    threads = options.threads or timing.default_threads()
    onednn = {"on": True, "off": False}.get(options.onednn)
    cases = len(threads) * len(options.batch_sizes)
    rows = timing.bench(
        options.path,
        options.signature,
        batch_sizes=options.batch_sizes,
        threads=threads,
        seconds=options.seconds,
        size=options.size,
        onednn=onednn,
        progress=Bar(cases, unit_name="case").update,
    )
    print(timing.table(rows))
    if options.json:
        figures = timing.record(options.path, options.signature, rows, onednn)
        write_atomically(options.json, json.dumps(figures, indent=1) + "\n")
    return 0


def _parser():
    parser = argparse.ArgumentParser(prog="python -m keras_pyconv.export")
    commands = parser.add_subparsers(required=True)

    def command(name, run, purpose):
        added = commands.add_parser(name, help=purpose)
        added.set_defaults(run=run)
        return added.add_argument

    path, version = pathlib.Path, "folder of one version: .../net/1"
    numbers = {"nargs": "+", "type": int, "metavar": "N"}
    purpose = "prove that a SavedModel answers in stock TF Serving"
    add = command("check", _check, purpose)
    add("path", help=version)
    purpose = "time a SavedModel by batch size and threads"
    add = command("bench", _bench, purpose)
    add("path", help=version)
    add("--signature", default="serving_default")
    add("--batch-sizes", default=(1, 4, 16), **numbers)
    each = "a process each (default: one, and all that there are)"
    add("--threads", help=each, **numbers)
    each = "for each batch size (default: %(default)s)"
    add("--seconds", type=float, default=2.0, help=each)
    side = "pixels, where any size is taken"
    add("--size", type=int, default=64, help=side)
    switch = "sets TF_ENABLE_ONEDNN_OPTS (default: as it is)"
    add("--onednn", choices=("on", "off"), help=switch)
    add("--json", type=path, help="file to write the figures to")
    purpose = "show what a folder of models holds"
    add = command("list", _list, purpose)
    folder = "folder of the models (default: %(default)s)"
    default = path("saved_models")
    add("folder", nargs="?", type=path, default=default, help=folder)
    verify = "read every file and compare it with its checksum"
    add("--verify", action="store_true", help=verify)
    return parser


def main(arguments=None):
    """Runs one command; returns the exit status.

    Args:
        arguments: list of command line words, or None for the process's own.

    Returns:
        0 where all is well, 1 where a check failed or a model of the ledger
        is not as it should be, 2 where the path holds no SavedModel or is no
        folder of models, or where nothing could be found out.
    """
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (OSError, RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
