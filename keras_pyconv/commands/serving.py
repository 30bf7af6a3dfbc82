"""`keras-pyconv check`, `bench`, `serve` and `list`: what stands for a server.

`python -m keras_pyconv.export` has all but `serve` too.
"""

import json
import pathlib

from keras_pyconv.commands import local_path

_FOLDER = pathlib.Path("saved_models")
_VERSION = "folder of one version, such as saved_models/pets/1"
_EXAMPLES = {
    "check": """
  keras-pyconv check saved_models/pets/1
  keras-pyconv check saved_models/digits/2
""",
    "bench": """
  keras-pyconv bench saved_models/pets/1
  keras-pyconv bench saved_models/pets/1 --batch-sizes 1 32 --seconds 5
""",
    "serve": """
  keras-pyconv serve
  keras-pyconv serve saved_models
""",
    "list": """
  keras-pyconv list
  keras-pyconv list saved_models --verify
""",
}


def options(name, parser, words):
    """The options of the words."""
    _ARGUMENTS[name](parser)
    parser.epilog = _EXAMPLES[name]
    found = parser.parse_args(words)
    found.run, found.reads_records = _RUNS[name], name == "list"
    return found


def _of_check(parser):
    parser.add_argument("path", help=_VERSION)


def _of_bench(parser):
    add, numbers = parser.add_argument, {"nargs": "+", "type": int}
    numbers["metavar"] = "N"
    add("path", help=_VERSION)
    signature = "signature to time (default: %(default)s)"
    add("--signature", default="serving_default", help=signature)
    sizes = "batch sizes to time (default: 1 4 16)"
    add("--batch-sizes", default=(1, 4, 16), help=sizes, **numbers)
    each = "thread counts to time (default: 1, and all cores)"
    add("--threads", help=each, **numbers)
    each = "time for each batch size (default: %(default)s)"
    add("--seconds", type=float, default=2.0, help=each)
    side = "image size, if the model accepts any (default: %(default)s)"
    add("--size", type=int, default=64, help=side)
    switch = "set TF_ENABLE_ONEDNN_OPTS (default: leave it unchanged)"
    add("--onednn", choices=("on", "off"), help=switch)
    add("--json", type=local_path, help="also write the figures to this file")


def _of_folder(parser):
    about = {"nargs": "?", "type": local_path, "default": _FOLDER}
    about["help"] = f"folder of exported models (default: {_FOLDER})"
    parser.add_argument("folder", **about)


def _of_list(parser):
    _of_folder(parser)
    parser.set_defaults(folder=None)
    verify = "also compare every file with its checksum"
    parser.add_argument("--verify", action="store_true", help=verify)


def _check(options):
    from keras_pyconv import export

    report = export.check(options.path)
    print(report)
    return 0 if report.passed else 1


def _list(options):
    from keras_pyconv.export.serving import ledger

    folder = options.folder
    if folder is None:
        from keras_pyconv.weights.catalog import shipped_table

        print(shipped_table())
        folder = _FOLDER
        if not any(folder.glob("*/*/saved_model.pb")):
            return 0
        print()
    rows = ledger.listing(folder, options.verify)
    print(ledger.table(rows))
    return 1 if any(state for _, state in rows) else 0


def _bench(options):
    from keras_pyconv.export.proof import bench as timing
    from keras_pyconv.progress import Bar
    from keras_pyconv.storage import fetched
    from keras_pyconv.writing import write_atomically

    threads = options.threads or timing.default_threads()
    onednn = {"on": True, "off": False}.get(options.onednn)
    cases = len(threads) * len(options.batch_sizes)
    with fetched(options.path) as path:
        rows = timing.bench(
            path,
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


def _serve(options):
    from keras_pyconv.export.serving.guide import START
    from keras_pyconv.export.serving.saved_model import BATCH_SIZES
    from keras_pyconv.export.serving.server_files import write_missing

    folder = options.folder
    found = {file.parents[1] for file in folder.glob("*/*/saved_model.pb")}
    if not found:
        raise ValueError(
            f"{folder} contains no exported model; write one with "
            f"keras-pyconv export MODEL {folder / 'pets'}"
        )
    names = sorted(path.name for path in found)
    write_missing(folder, names, BATCH_SIZES)
    count = f"{len(names)} model{'s' * (len(names) > 1)}"
    print(f"# {count}: {', '.join(names)}\ncd {folder}\n{START}")


_ARGUMENTS = {
    "check": _of_check,
    "bench": _of_bench,
    "serve": _of_folder,
    "list": _of_list,
}
_RUNS = {"check": _check, "bench": _bench, "serve": _serve, "list": _list}
