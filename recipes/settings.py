"""Settings: frozen dataclasses, their values by paths, and a file of them.

The settings of a recipe are one dataclass; its fields, made by `option`, are
numbers, words, paths, flags, tuples of these, or further dataclasses, which are
groups. Every field has a path, such as `optimizer.rate`.

Nothing here imports TensorFlow, so that `--help` answers at once.
"""

import dataclasses
import difflib
import operator
import pathlib
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
_BOUNDS = {
    "above": operator.gt,
    "at least": operator.ge,
    "at most": operator.le,
    "below": operator.lt,
}


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


def kinds(settings):
    """The kind of every field by its name; groups have none."""
    hints = typing.get_type_hints(type(settings), include_extras=True)
    return {
        field.name: None if is_group(field) else _kind(hints[field.name])
        for field in dataclasses.fields(settings)
    }


def is_group(field):
    """Whether it holds settings of its own; all others are made by `option`."""
    return "help" not in field.metadata


def fields(settings, path=""):
    """Yields the path, the field and the value of all that is no group."""
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if is_group(field):
            yield from fields(value, f"{path}{field.name}.")
        else:
            yield path + field.name, field, value


def nested(values):
    """{"a.b": 1} as {"a": {"b": 1}}."""
    tree = {}
    for path, value in values.items():
        *groups, name = path.split(".")
        inner = tree
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[name] = value
    return tree


def flat(tree, path=""):
    """{"a": {"b": 1}} as {"a.b": 1}."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{path}{name}.")
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
    values = dict(pair for tree in trees for pair in flat(tree))
    known = [path for path, _, _ in fields(settings)]
    for path in values:
        inside = [one for one in known if one.startswith(f"{path}.")]
        if inside:
            raise ValueError(f"{path} is a group: {', '.join(inside)}")
        if path not in known:
            raise ValueError(f"Unknown setting {path}.{nearest(path, known)}")
    return _replaced(settings, nested(values), "")


def _replaced(settings, tree, path):
    changed = {}
    for field in dataclasses.fields(settings):
        if field.name not in tree:
            continue
        here, value = f"{path}{field.name}", tree[field.name]
        if is_group(field):
            group = getattr(settings, field.name)
            changed[field.name] = _replaced(group, value, f"{here}.")
            continue
        kind = kinds(settings)[field.name]
        try:
            changed[field.name] = kind(value)
        except (TypeError, ValueError):
            raise ValueError(
                f"{here} must be {kind}. Received: {value!r}"
            ) from None
    return dataclasses.replace(settings, **changed)


def nearest(word, known):
    """What to say of a word that is not among the known ones."""
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
        for path, field, value in fields(settings)
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

    text = yaml.safe_dump(nested(as_dict(settings)), sort_keys=False)
    write_atomically(pathlib.Path(folder) / FILE, text)
