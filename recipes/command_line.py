"""A command line from settings; files of settings; mistakes, in one line.

Every field of a recipe's settings is an option, and is known by its path to
`--set` and to the file of `--config`. What stands later has the last word:

    the settings of the recipe, its presets, such as those of `--smoke`,
    the file of `--config`, the values of `--set`, the options by their names.
"""

# tyro 1.0 would replace 75 lines of this; it has no bounds, reads no files,
# does not say which options were named, and its errors take five lines.
import argparse
import contextlib
import importlib.util
import operator
import pathlib
import sys

from .settings import FILE, Anywhere, fields, flat, nearest, override

_METAVARS = {int: "N", float: "X", str: "NAME"}
_METAVARS |= dict.fromkeys((pathlib.Path, Anywhere), "PATH")


class Mistake(ValueError):
    """What the user asked for cannot be done; the message says it all."""


def _parser(settings, doc):
    """The parser; each group of settings has a heading of its own.

    Help begins with what is done and the options; the science follows them.
    """
    purpose, _, science = doc.partition("\n")
    parser = argparse.ArgumentParser(
        usage="%(prog)s [--help] [OPTION ...]",
        description=purpose,
        epilog=science.strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    groups = {"": parser}
    for field in fields(settings):
        name = field.path.rpartition(".")[0]
        if name not in groups:
            about = type(operator.attrgetter(name)(settings)).__doc__
            title, _, rest = about.partition("\n")
            groups[name] = parser.add_argument_group(
                title.rstrip("."), " ".join(rest.split())
            )
        _add_option(groups[name], field)
    group = parser.add_argument_group("settings by file or by path")
    group.add_argument(
        *("--config", "--config_file"),
        metavar="FILE",
        action="append",
        help=f"settings in YAML, such as the {FILE} of a run, which repeats it",
    )
    group.add_argument(
        *("--set", "--params_override"),
        metavar="PATH=VALUE",
        action="append",
        help="one setting by its path in that file; may be repeated",
    )
    return parser


def _add_option(group, field):
    kind, value, text = field.kind, field.value, field.about["help"]
    if value is not None:
        shown = value if isinstance(value, tuple) else (value,)
        text += f" ({' '.join(map(_word, shown))})"
    own = {"action": argparse.BooleanOptionalAction}
    if kind.of is not bool:
        metavar = field.about["metavar"] or _METAVARS[kind.of]
        own = {
            # Settings make the path, and refuse one that is not theirs.
            "type": str if kind.of is pathlib.Path else kind.of,
            "nargs": kind.count,
            "choices": kind.choices,
            "metavar": None if kind.choices else metavar,
        }
    text = text.replace("%", "%%")
    group.add_argument(*field.flags, dest=field.path, help=text, **own)


def _word(value):
    """A value in a text of help."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def parse(doc, settings, argv=None, presets=()):
    """The settings that a command line asks for; `doc` is the help text.

    `presets` are `(path, value, tree)`: where the setting at that path has the
    value, the tree takes the place of the recipe's own settings. A mistake
    ends the process with one line and exit status 2.
    """
    parser = _parser(settings, doc)
    argv = _by_new_names(settings, sys.argv[1:] if argv is None else argv)
    named, unknown = parser.parse_known_args(argv)
    if unknown:
        flags = [flag for field in fields(settings) for flag in field.flags]
        near = nearest(unknown[0].partition("=")[0], flags)
        parser.error(f"Unknown option {unknown[0]}.{near}")
    named = vars(named)
    config, sets = named.pop("config", []), named.pop("set", [])
    try:
        layers = [*_given(config, sets), named]
        return _settle(settings, layers, presets)
    except (ValueError, ImportError, FileNotFoundError) as error:
        parser.error(" ".join(str(error).split()))


def _by_new_names(settings, argv):
    """The words with new names of options, and a line where one was old."""
    renamed = {}
    for field in fields(settings):
        renamed |= field.renamed
    words = []
    for word in argv:
        name, *value = word.split("=", 1)
        if name in renamed:
            new = renamed[name]
            told = f"{name} is called {new} now, and goes with the next version"
            print(told, file=sys.stderr)
            word = "=".join([new, *value])
        words.append(word)
    return words


def _settle(settings, layers, presets):
    """The settings under all layers, with the presets beneath them."""
    values = {f.path: f.value for f in fields(override(settings, *layers))}
    beneath = [tree for path, value, tree in presets if values[path] == value]
    if values.get("run.smoke"):
        beneath.insert(0, _made_by_smoke(settings, layers))
        return override(settings, *beneath, *layers)
    settled = override(settings, *beneath, *layers)
    for field in fields(settled):
        if field.about["needed"] and field.value is None:
            said = field.about["help"]
            raise ValueError(f"{field.flags[0]} is missing: {said}")
    return settled


def _made_by_smoke(settings, layers):
    """None for the settings that name data, which nobody may name then."""
    made = {f.path: f.flags[0] for f in fields(settings) if f.about["is_data"]}
    for path, value in (pair for layer in layers for pair in flat(layer)):
        if path in made and value is not None:
            flag = made[path]
            raise ValueError(f"--smoke makes its own data; leave out {flag}")
    return dict.fromkeys(made)


# Files of settings ------------------------------------------------------------


def _given(files, sets):
    """What files and `PATH=VALUE` name, as nested dictionaries."""
    if not files and not sets:
        return []
    # It imports TensorFlow and tf_keras.
    from keras_pyconv.tasks.library import model_garden

    what = "--config and --set read settings as TF Model Garden does, by"
    params_dict = model_garden("modeling.hyperparams.params_dict", what)
    return [
        *(_of_file(params_dict, file) for file in files),
        *(_of_words(params_dict, words) for words in sets),
    ]


def _of_file(params_dict, file):
    if not pathlib.Path(file).is_file():
        raise FileNotFoundError(f"--config: there is no file {file}.")
    with _read_as(f"--config: {file} is not settings in YAML"):
        return params_dict.read_yaml_to_params_dict(str(file)).as_dict()


def _of_words(params_dict, words):
    takes = "--set takes PATH=VALUE, such as optimizer.rate=0.2. Received: "
    with _read_as(f"{takes}{words!r}"):
        text = params_dict.nested_csv_str_to_json_str(words)
        empty = params_dict.ParamsDict()
        found = params_dict.override_params_dict(empty, text, is_strict=False)
        return found.as_dict()


@contextlib.contextmanager
def _read_as(complaint):
    import yaml

    try:
        yield
    except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{complaint} ({error}).") from error


# Mistakes ---------------------------------------------------------------------


def require(package, extra):
    """Refuses to begin what cannot end without a package; our extra has it."""
    if importlib.util.find_spec(package) is None:
        raise ImportError(
            f"{package} is not installed: pip install '.[{extra}]' in the clone"
        )


@contextlib.contextmanager
def before_the_work():
    """Within this, what cannot be done is the user's to mend: a `Mistake`.

    Training stands outside, where an error is ours and keeps its traceback.
    """
    try:
        yield
    except Mistake:
        raise
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        raise Mistake(" ".join(str(error).split())) from error


def from_shell(main):
    """Runs a recipe's `main`; a mistake of the user's ends it in one line."""
    try:
        main()
    except Mistake as mistake:
        program = pathlib.Path(sys.argv[0]).name
        print(f"{program}: error: {mistake}", file=sys.stderr)
        sys.exit(2)
