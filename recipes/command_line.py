"""A command line from settings; files of settings; mistakes, in one line.

Every field of a recipe's settings is an option, called as the field is, and is
known by its path to `--set` and to the file that `--config` names. What stands
later in this list has the last word:

    the settings of the recipe, its presets, such as those of `--smoke`,
    the file of `--config`, the values of `--set`, the options by their names.
"""

# Tried with tyro 1.0, which makes a command line of dataclasses too. It would
# replace `_parser` to `_flags` and the search for unknown options, 75 of the
# 530 lines of this file and settings.py. It has no bounds and reads no files,
# does not say which options were named, so that presets and files could stand
# beneath them, and frames its errors in five lines or more where ours have one.
import argparse
import contextlib
import dataclasses
import importlib.util
import pathlib
import sys

from recipes.settings import (
    FILE,
    fields,
    flat,
    is_group,
    kinds,
    nearest,
    nested,
    override,
)

_METAVARS = {int: "N", float: "X", pathlib.Path: "PATH", str: "NAME"}


class Mistake(ValueError):
    """What the user asked for cannot be done; the message says it all."""


def _parser(settings, doc):
    parser = argparse.ArgumentParser(
        usage="%(prog)s [--help] [OPTION ...]",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    _add(parser, settings)
    group = parser.add_argument_group("settings by file or by path")
    group.add_argument(
        "--config",
        "--config_file",
        metavar="FILE",
        action="append",
        help=f"settings in YAML, such as the {FILE} of a run, which repeats it",
    )
    group.add_argument(
        "--set",
        "--params_override",
        metavar="PATH=VALUE",
        action="append",
        help="one setting by its path in that file; may be repeated",
    )
    return parser


def _add(parser, settings, path=""):
    """The options of a dataclass; a group has a heading of its own."""
    for field in dataclasses.fields(settings):
        value, here = getattr(settings, field.name), f"{path}{field.name}"
        if is_group(field):
            title, _, rest = type(value).__doc__.partition("\n")
            words = " ".join(rest.split())
            group = parser.add_argument_group(title.rstrip("."), words)
            _add(group, value, f"{here}.")
        else:
            kind = kinds(settings)[field.name]
            _add_option(parser, here, field.metadata, kind, value)


def _add_option(parser, path, about, kind, value):
    shown = value if isinstance(value, tuple) else (value,)
    words = " ".join(map(_word, shown))
    text = about["help"] if value is None else f"{about['help']} ({words})"
    own = {"action": argparse.BooleanOptionalAction}
    if kind.of is not bool:
        metavar = about["metavar"] or _METAVARS[kind.of]
        own = {
            "type": kind.of,
            "nargs": kind.count,
            "choices": kind.choices,
            "metavar": None if kind.choices else metavar,
        }
    text = text.replace("%", "%%")
    parser.add_argument(*_flags(path, about), dest=path, help=text, **own)


def _word(value):
    """A value in a text of help."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _flags(path, about):
    """All names of an option, the first one first."""
    names = about["flag"] or path.rpartition(".")[2]
    names = (names,) if isinstance(names, str) else names
    return ["--" + name.replace("_", "-") for name in names]


def parse(doc, settings, argv=None, presets=(), check=None):
    """The settings that a command line asks for.

    Args:
        doc: the recipe's docstring; it is the help text.
        settings: those of the recipe.
        argv: the words, or None for those of the shell.
        presets: `(path, value, tree)` for values that go with another one,
            such as small ones with `--smoke`: where the setting at that path
            has the value, the nested dictionary takes the place of the
            recipe's own settings.
        check: function of the settings, to refuse by a `ValueError` what is
            wrong of them as a whole.

    Returns:
        Settings of the same type. A mistake ends the process with one line
        and exit status 2.
    """
    parser = _parser(settings, doc)
    named, unknown = parser.parse_known_args(argv)
    if unknown:
        flags = [
            flag
            for path, field, _ in fields(settings)
            for flag in _flags(path, field.metadata)
        ]
        near = nearest(unknown[0].partition("=")[0], flags)
        parser.error(f"Unknown option {unknown[0]}.{near}")
    named = vars(named)
    config, sets = named.pop("config", []), named.pop("set", [])
    try:
        layers = [*_given(config, sets), nested(named)]
        settled = _settle(settings, layers, presets)
        if check is not None:
            check(settled)
        return settled
    except (ValueError, ImportError, FileNotFoundError) as error:
        parser.error(" ".join(str(error).split()))


def _settle(settings, layers, presets):
    """The settings under all layers, with the presets beneath them."""
    wanted = override(settings, *layers)
    values = {path: value for path, _, value in fields(wanted)}
    beneath = [tree for path, value, tree in presets if values[path] == value]
    if values.get("run.smoke"):
        beneath.insert(0, _made_by_smoke(settings, layers))
    settled = override(settings, *beneath, *layers)
    if not values.get("run.smoke"):
        _check_needed(settled)
    return settled


def _check_needed(settings):
    for path, field, value in fields(settings):
        if field.metadata["needed"] and value is None:
            flag, *_ = _flags(path, field.metadata)
            raise ValueError(f"{flag} is missing: {field.metadata['help']}")


def _made_by_smoke(settings, layers):
    """None for the settings that name data, which nobody may name then."""
    made = {p: f.metadata for p, f, _ in fields(settings)}
    made = {path: about for path, about in made.items() if about["is_data"]}
    for path, value in (pair for layer in layers for pair in flat(layer)):
        if path in made and value is not None:
            flag, *_ = _flags(path, made[path])
            raise ValueError(f"--smoke makes its own data; leave out {flag}")
    return nested(dict.fromkeys(made))


# Files of settings ------------------------------------------------------------


def _given(files, sets):
    """What files and `PATH=VALUE` name, as nested dictionaries."""
    if not files and not sets:
        return []
    params_dict = _params_dict()
    return [
        *(_of_file(params_dict, file) for file in files),
        *(_of_words(params_dict, words) for words in sets),
    ]


def _params_dict():
    # It imports TensorFlow and tf_keras.
    try:
        from official.modeling.hyperparams import params_dict
    except ImportError as error:
        raise ImportError(
            "--config and --set read settings as TF Model Garden does, by "
            "tf-models-official, which cannot be imported here "
            f"({error}): pip install '.[official]' in the clone"
        ) from error
    return params_dict


def _of_file(params_dict, file):
    import yaml

    if not pathlib.Path(file).is_file():
        raise FileNotFoundError(f"--config: there is no file {file}.")
    try:
        return params_dict.read_yaml_to_params_dict(str(file)).as_dict()
    except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"--config: {file} is not settings in YAML ({error})."
        ) from error


def _of_words(params_dict, words):
    import yaml

    try:
        text = params_dict.nested_csv_str_to_json_str(words)
        empty = params_dict.ParamsDict()
        found = params_dict.override_params_dict(empty, text, is_strict=False)
        return found.as_dict()
    except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            "--set takes PATH=VALUE, such as optimizer.rate=0.2. "
            f"Received: {words!r} ({error})"
        ) from error


# Mistakes ---------------------------------------------------------------------


def require(package, extra):
    """Refuses to begin what cannot end without a package.

    Args:
        package: as it is imported.
        extra: of ours that installs it.

    Raises:
        ImportError: it is not installed.
    """
    if importlib.util.find_spec(package) is None:
        raise ImportError(
            f"{package} is not installed: pip install '.[{extra}]' in the clone"
        )


@contextlib.contextmanager
def before_the_work():
    """Within this, what cannot be done is the user's to mend: a `Mistake`.

    Data are opened and networks built in it; training stands outside, where
    an error is ours and keeps its traceback.
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
