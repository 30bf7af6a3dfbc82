"""`keras-pyconv train`, `evaluate`, `networks`, `tables`: doors to the rest."""

import importlib
import importlib.util
import pathlib
import sys
import textwrap

from keras_pyconv.commands import TASKS
from keras_pyconv.finished import constants_of, is_run, task_of, weights_of_run
from keras_pyconv.reading import nearest
from keras_pyconv.storage import is_remote

_TRAIN = """usage: keras-pyconv train RECIPE [OPTION ...]

Train a model with a recipe. Run keras-pyconv train RECIPE --help for its
options.

{recipes}

  keras-pyconv train quickstart --smoke
  keras-pyconv train finetune_folder --smoke --export-root saved_models/smoke
"""
_EVALUATE = """usage: keras-pyconv evaluate RUN [OPTION ...]
       keras-pyconv evaluate RECIPE [OPTION ...]

Evaluate a trained model. RUN is a training run's folder, or weights that come
with the package; it sets the network, the weights and the data, and other
options are those of the recipe below that fits its task. To evaluate other
weights, name the RECIPE:

{recipes}

  keras-pyconv evaluate runs/pets --report
  keras-pyconv evaluate digits_in_photos --per-class
"""
_NETWORKS = """
  keras-pyconv networks --task segmentation
  keras-pyconv networks --max-parameters 30 --has-weights
"""
# The recipe that judges a run of each task, and where the run has its options.
_TESTS = {
    "classification": (
        "evaluate",
        {
            "network": "variant",
            "sides": "data.side",
            "held-back": "data.held_back",
            "multi-label": "data.multi_label",
        },
    ),
    "detection": (
        "evaluate_detection",
        {
            "head": "network.head",
            "backbone": "network.backbone",
            "side": "network.side",
        },
    ),
    "segmentation": (
        "evaluate_segmentation",
        {
            "head": "network.head",
            "backbone": "network.backbone",
            "head-width": "network.head_width",
            "output-stride": "network.output_stride",
        },
    ),
    "video": (
        "recognize_kinetics",
        {
            "network": "variant",
            "side": "data.side",
            "frames": "data.frames",
            "stride": "data.stride",
            "test-side": "test.side",
            "test-clips": "test.clips",
            "test-crops": "test.crops",
        },
    ),
}


def options(name, parser, words):
    """The options of the words."""
    return {
        "train": _train,
        "evaluate": _evaluate,
        "networks": _networks,
        "tables": _tables,
    }[name](parser, words)


# Recipes ---------------------------------------------------------------------


def recipe(name):
    """The module of a recipe, installed or in the clone."""
    room = "keras_pyconv.recipes"
    if importlib.util.find_spec(room) is None:
        room = "recipes"
    return importlib.import_module(f"{room}.{name}" if name else room)


def recipes():
    """`{name: first line of the docstring}` of those that run."""
    folder = pathlib.Path(recipe("").__file__).parent
    texts = {f.stem: f.read_text("utf-8") for f in sorted(folder.glob("*.py"))}
    return {
        name: text[3:].partition("\n")[0].rstrip('."')
        for name, text in texts.items()
        if '__name__ == "__main__"' in text
    }


def _listed(known, wanted):
    return "\n".join(
        f"  {name:26}{textwrap.shorten(text, 50, placeholder=' ...')}"
        for name, text in known.items()
        if wanted(name)
    )


def _is_test(name):
    return name.startswith("evaluate")


def _train(parser, words):
    known = recipes()
    shown = _listed(known, lambda name: not _is_test(name))
    return _of_recipe(parser, words, known, _TRAIN.format(recipes=shown))


def _evaluate(parser, words):
    known = recipes()
    words = words_of_run(parser, words)
    if words and not words[0].startswith("-") and words[0] not in known:
        _refuse_run(parser, words[0], [*filter(_is_test, known)])
    shown = _listed(known, _is_test)
    return _of_recipe(parser, words, known, _EVALUATE.format(recipes=shown))


def _refuse_run(parser, name, recipes):
    from keras_pyconv.weights.shipped import shipped_weights

    shipped = [row.name for row in shipped_weights()]
    near = nearest(name, recipes + shipped)
    parser.error(
        f"{name!r} is no run's folder, weights or recipe.{near} Weights: "
        f"{', '.join(shipped)}. Recipes: {', '.join(recipes)}"
    )


def _of_recipe(parser, words, known, told):
    """Options that run a recipe; its `--help` is answered here."""
    if not words or words[0] in ("-h", "--help"):
        print(told, end="")
        sys.exit(0)
    name, *rest = words
    if name not in known:
        near, listed = nearest(name, known), ", ".join(known)
        parser.error(f"unknown recipe {name!r}.{near} Known: {listed}")
    found = parser.parse_args([])
    found.run = lambda _: _run_recipe(parser, name, rest)
    if {"-h", "--help"} & set(rest):
        found.run(found)
    return found


def _run_recipe(parser, name, words):
    module, sys.argv[0] = recipe(name), f"{parser.prog} {name}"
    mistake = sys.modules[f"{module.__package__}.command_line"].Mistake
    try:
        module.main(words)
    # Any other error is not the user's, and keeps its traceback.
    except mistake as error:
        parser.error(str(error))


def words_of_run(parser, words):
    """The recipe and its options where the first word is a run's folder."""
    if words and is_remote(words[0]):
        parser.error(f"a run is on this machine: copy {words[0]}")
    if not words or not is_run(folder := pathlib.Path(words[0])):
        return _words_of_shipped(parser, words)
    try:
        file, (recipe, given) = weights_of_run(folder), _test_of(folder)
    except ValueError as error:
        parser.error(str(error))
    given["only-test" if "frames" in given else "weights"] = file
    given.setdefault("data", _source(folder))
    given["output"] = folder / "report"  # of --report
    options = [
        word
        for flag, value in given.items()
        if value is not None
        for word in _option(flag, value)
    ]
    return [recipe, *options, *words[1:]]


def _option(flag, value):
    if isinstance(value, bool):
        return [f"--{'' if value else 'no-'}{flag}"]
    return [f"--{flag}", str(value)]


def _words_of_shipped(parser, words):
    """The same where the first word names weights of the package."""
    if not words or not words[0].startswith("digits_in_photos"):
        return words
    from keras_pyconv.weights.shipped import shipped_named

    try:
        row = shipped_named(words[0])
    except ValueError as error:
        parser.error(str(error))
    return [*row.test, *words[1:]] if row else words


def _test_of(folder):
    """The recipe that judges a run, and the options of its network."""
    made = constants_of(folder)
    task = task_of(made)
    if task is None:
        raise ValueError(f"no recipe can evaluate the run in {folder}")
    recipe, options = _TESTS[task]
    return recipe, {flag: made.get(place) for flag, place in options.items()}


def _source(folder):
    """The data of a run, by the settings that it wrote."""
    try:
        import yaml
    except ImportError:
        return None
    file = folder / "settings.yaml"
    tree = yaml.safe_load(file.read_text("utf-8")) if file.is_file() else {}
    return tree.get("data", {}).get("source")


# Tables ----------------------------------------------------------------------


def _tables(parser, words):
    from keras_pyconv.tables import __main__ as tables

    found = tables.parser("keras-pyconv tables").parse_args(words)
    found.run, found.reads_records = tables.run, not found.measure
    return found


def _networks(parser, words):
    add = parser.add_argument
    parser.usage, parser.epilog = "%(prog)s [OPTION ...]", _NETWORKS
    add("--task", choices=TASKS, help="list only networks for this task")
    most = "list only networks with at most M million parameters"
    add("--max-parameters", type=float, metavar="M", help=most)
    published = "list only networks with published weights"
    add("--has-weights", action="store_true", help=published)
    found = parser.parse_args(words)
    found.run, found.reads_records = _print_networks, True
    return found


def _print_networks(options):
    from keras_pyconv import architectures
    from keras_pyconv.complexity import complexity
    from keras_pyconv.complexity.grid import grid
    from keras_pyconv.weights.catalog import published_sets

    of_task = {
        "segmentation": architectures.SEGMENTERS,
        "detection": architectures.DETECTORS,
        "video": architectures.VIDEO_ARCHITECTURES,
    }
    rows = []
    for name in architectures.RECORDS:
        task = next((t for t, all in of_task.items() if name in all), TASKS[0])
        sets = ", ".join(published_sets(name))
        if options.has_weights and not sets:
            continue
        if options.task not in (None, task):
            continue
        count = complexity(name)
        millions = count.parameters / 1e6
        if millions <= (options.max_parameters or millions):
            cost = f"{count.paper_ops / 1e9:.2f}"
            rows.append([name, task, f"{millions:.2f}", cost, sets])
    header = ["Network", "Task", "Parameters, M", "Operations, G", "Weights"]
    print(grid(header, rows, "text", words=("Network", "Task", "Weights")))
    return int(not rows)
