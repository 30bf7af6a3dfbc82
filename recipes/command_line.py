"""A command line from settings, a file of settings from a run, and back.

A recipe's settings are one frozen dataclass; its fields, made by `option`, are
numbers, words, paths, flags, tuples of these, or further dataclasses, which are
groups. Every field is an option of the command line, called as the field is,
and has a path, such as `optimizer.rate`, by which `--set` and the file that
`--config` names know it. What stands later in this list has the last word:

    the settings of the recipe, its small ones under `--smoke`,
    the file of `--config`, the values of `--set`, the options by their names.

Nothing here imports TensorFlow, so that `--help` answers at once.
"""

import argparse
import contextlib
import dataclasses
import difflib
import functools
import operator
import pathlib
import sys
import types
import typing
from typing import Annotated

FILE = "settings.yaml"  # in the folder of a run
_WORDS = {
    bool: "true or false",
    float: "a number",
    int: "a whole number",
    pathlib.Path: "a path",
    str: "text",
}
# Of which types a value may be, in a file or from the shell.
_TYPES = {
    bool: (bool,),
    float: (float, int, str),
    int: (int, str),
    pathlib.Path: (str, type(pathlib.Path())),
    str: (str, int, float),
}
_METAVARS = {int: "N", float: "X", pathlib.Path: "PATH", str: "NAME"}
_BOUNDS = {
    "above": operator.gt,
    "at least": operator.ge,
    "at most": operator.le,
    "below": operator.lt,
}


class Mistake(ValueError):
    """What the user asked for cannot be done; the message says it all."""


# Fields -----------------------------------------------------------------------


# Numbers within bounds; the words are those of `_BOUNDS`.
Natural = Annotated[int, ("at least", 0)]
Positive = Annotated[int, ("at least", 1)]
Rate = Annotated[float, ("above", 0)]
Decay = Annotated[float, ("at least", 0)]
Share = Annotated[float, ("at least", 0), ("at most", 1)]
Fraction = Annotated[float, ("above", 0), ("at most", 1)]
Part = Annotated[float, ("above", 0), ("below", 1)]


def option(default, help, *, flag=None, metavar=None, **about):
    """A field of a dataclass of settings.

    Args:
        default: its value where nobody names another.
        help: what it is, for `--help`.
        flag: name of the option, or several; None for the field's own. One
            that is true or false has `--no-NAME` beside it.
        metavar: what stands for the value in `--help`.
        **about: `decides=False` where the value cannot change the result of a
            run; `recorded=False` where it says nothing about the run at all;
            `is_data=True` where it names what `--smoke` makes by itself;
            `needed=True` where it must not be None but under `--smoke`.
    """
    about = {
        **{"decides": True, "recorded": True, "is_data": False},
        **{"needed": False, **about},
        **{"help": help, "flag": flag, "metavar": metavar},
    }
    return dataclasses.field(default=default, metadata=about)


@dataclasses.dataclass(frozen=True)
class _Kind:
    """The values that a field takes; `count` is `nargs` of argparse."""

    of: type
    choices: tuple | None = None
    count: int | str | None = None
    optional: bool = False
    bounds: tuple = ()

    def one(self, value):
        """A value of a file, or a word of the shell, as this type."""
        if type(value) not in _TYPES[self.of]:
            raise ValueError(value)
        found = self.of(value)
        if self.choices and found not in self.choices:
            raise ValueError(value)
        if not all(_BOUNDS[name](found, bound) for name, bound in self.bounds):
            raise ValueError(value)
        return found

    def __call__(self, value):
        """The same of a whole field: none, one value, or a tuple of them."""
        if value is None and self.optional:
            return None
        if self.count is None:
            return self.one(value)
        if not isinstance(value, (list, tuple)):
            raise ValueError(value)
        if not value or self.count not in ("+", len(value)):
            raise ValueError(value)
        return tuple(map(self.one, value))

    def __str__(self):
        words = _WORDS[self.of]
        if self.choices:
            words = f"one of {', '.join(map(str, self.choices))}"
        bounds = (f"{name} {bound:g}" for name, bound in self.bounds)
        words = ", ".join([words, *bounds])
        if self.count:
            number = "one or more" if self.count == "+" else self.count
            words = f"a list of {number}, each {words}"
        return f"{words}, or null" if self.optional else words


def _kind(hint):
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return dataclasses.replace(_kind(parts[0]), bounds=parts[1:])
    if origin in (types.UnionType, typing.Union):
        (one,) = (part for part in parts if part is not type(None))
        return dataclasses.replace(_kind(one), optional=True)
    if origin is typing.Literal:
        return _Kind(type(parts[0]), choices=parts)
    if origin is tuple:
        count = "+" if parts[-1] is ... else len(parts)
        return dataclasses.replace(_kind(parts[0]), count=count)
    return _Kind(hint)


def _kinds(settings):
    """The kind of every field by its name; groups have none."""
    hints = typing.get_type_hints(type(settings), include_extras=True)
    return {
        name: None if dataclasses.is_dataclass(hint) else _kind(hint)
        for name, hint in hints.items()
    }


def _fields(settings, path=""):
    """Yields the path, the field and the value of all that is no group."""
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            yield from _fields(value, f"{path}{field.name}.")
        else:
            yield path + field.name, field, value


# Settings by their paths ------------------------------------------------------


def _nested(values):
    """{"a.b": 1} as {"a": {"b": 1}}."""
    tree = {}
    for path, value in values.items():
        *groups, name = path.split(".")
        functools.reduce(lambda t, g: t.setdefault(g, {}), groups, tree)[
            name
        ] = value
    return tree


def _flat(tree, path=""):
    """{"a": {"b": 1}} as {"a.b": 1}."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}{name}.")
        else:
            yield path + str(name), value


def override(settings, *trees):
    """The settings with some values replaced.

    Args:
        settings: a dataclass of settings.
        *trees: nested dictionaries of values, as a file of YAML has them; the
            later ones have the last word.

    Raises:
        ValueError: a name that the settings do not have, or a value that is
            not of the field's type.
    """
    values = dict(pair for tree in trees for pair in _flat(tree))
    known = [path for path, _, _ in _fields(settings)]
    for path in values:
        inside = [one for one in known if one.startswith(f"{path}.")]
        if inside:
            raise ValueError(f"{path} is a group: {', '.join(inside)}")
        if path not in known:
            raise ValueError(f"Unknown setting {path}.{_nearest(path, known)}")
    return _replaced(settings, _nested(values), "")


def _replaced(settings, tree, path):
    changed = {}
    for field in dataclasses.fields(settings):
        if field.name not in tree:
            continue
        here, value = f"{path}{field.name}", tree[field.name]
        present = getattr(settings, field.name)
        if dataclasses.is_dataclass(present):
            changed[field.name] = _replaced(present, value, f"{here}.")
            continue
        kind = _kinds(settings)[field.name]
        try:
            changed[field.name] = kind(value)
        except (TypeError, ValueError):
            raise ValueError(
                f"{here} must be {kind}. Received: {value!r}"
            ) from None
    return dataclasses.replace(settings, **changed)


def _nearest(word, known):
    near = difflib.get_close_matches(word, known, n=1, cutoff=0)
    return f" The nearest known one: {near[0]}" if near else ""


def as_dict(settings, wanted="recorded"):
    """`{path: value}` of the fields of which that is said, as YAML has them.

    Args:
        settings: a dataclass of settings.
        wanted: `"recorded"`, or `"decides"` for those alone that can change
            the result.
    """
    return {
        path: _plain(value)
        for path, field, value in _fields(settings)
        if field.metadata[wanted]
    }


def _plain(value):
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    known = value is None or isinstance(value, (bool, int, float))
    return value if known else str(value)


def write(settings, folder):
    """Writes settings.yaml, with which `--config` repeats the run."""
    import yaml

    from keras_pyconv.writing import write_atomically

    text = yaml.safe_dump(_nested(as_dict(settings)), sort_keys=False)
    write_atomically(pathlib.Path(folder) / FILE, text)


# The command line -------------------------------------------------------------


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
        metavar="FILE",
        action="append",
        help=f"settings in YAML, such as the {FILE} of a run, which repeats it",
    )
    group.add_argument(
        "--set",
        metavar="PATH=VALUE",
        action="append",
        help="one setting by its path in that file; may be repeated",
    )
    return parser


def _add(parser, settings, path=""):
    """The options of a dataclass; a group has a heading of its own."""
    for field in dataclasses.fields(settings):
        value, here = getattr(settings, field.name), f"{path}{field.name}"
        if dataclasses.is_dataclass(value):
            title, _, rest = type(value).__doc__.partition("\n")
            words = " ".join(rest.split())
            group = parser.add_argument_group(title.rstrip("."), words)
            _add(group, value, f"{here}.")
        else:
            kind = _kinds(settings)[field.name]
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
            for path, field, _ in _fields(settings)
            for flag in _flags(path, field.metadata)
        ]
        nearest = _nearest(unknown[0].partition("=")[0], flags)
        parser.error(f"Unknown option {unknown[0]}.{nearest}")
    named = vars(named)
    config, sets = named.pop("config", []), named.pop("set", [])
    try:
        layers = [*_given(config, sets), _nested(named)]
        settled = _settle(settings, layers, presets)
        if check is not None:
            check(settled)
        return settled
    except (ValueError, ImportError, FileNotFoundError) as error:
        parser.error(" ".join(str(error).split()))


def _settle(settings, layers, presets):
    """The settings under all layers, with the presets beneath them."""
    wanted = override(settings, *layers)
    values = {path: value for path, _, value in _fields(wanted)}
    beneath = [tree for path, value, tree in presets if values[path] == value]
    if values.get("run.smoke"):
        beneath.insert(0, _made_by_smoke(settings, layers))
    settled = override(settings, *beneath, *layers)
    if not values.get("run.smoke"):
        _check_needed(settled)
    return settled


def _check_needed(settings):
    for path, field, value in _fields(settings):
        if field.metadata["needed"] and value is None:
            flag, *_ = _flags(path, field.metadata)
            raise ValueError(f"{flag} is missing: {field.metadata['help']}")


def _made_by_smoke(settings, layers):
    """None for the settings that name data, which nobody may name then."""
    made = {p: f.metadata for p, f, _ in _fields(settings)}
    made = {path: about for path, about in made.items() if about["is_data"]}
    for path, value in (pair for layer in layers for pair in _flat(layer)):
        if path in made and value is not None:
            flag, *_ = _flags(path, made[path])
            raise ValueError(f"--smoke makes its own data; leave out {flag}")
    return _nested(dict.fromkeys(made))


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
    except (ValueError, FileNotFoundError, ImportError) as error:
        raise Mistake(" ".join(str(error).split())) from error


def from_shell(main):
    """Runs a recipe's `main`; a mistake of the user's ends it in one line."""
    try:
        main()
    except Mistake as mistake:
        program = pathlib.Path(sys.argv[0]).name
        print(f"{program}: error: {mistake}", file=sys.stderr)
        sys.exit(2)
