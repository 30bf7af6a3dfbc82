"""Settings: frozen dataclasses, their values by paths, and a file of them.

Fields made by `option` are numbers, words, paths, flags, or tuples of these;
all others are groups, dataclasses again. `optimizer.rate` is a field's path.
"""

import dataclasses
import difflib
import operator
import pathlib
import types
import typing
from typing import Annotated

from .lazy import keras_pyconv


class Anywhere(str):
    """A path of this machine, or of another file system, such as `gs://`."""


FILE = "settings.yaml"  # in the folder of a run
# What a type is called, and of which types its values may be in a file.
_TYPES = {
    bool: ("true or false", (bool,)),
    float: ("a number", (float, int, str)),
    int: ("a whole number", (int, str)),
    Anywhere: ("a path", (Anywhere, str, type(pathlib.Path()))),
    pathlib.Path: ("a path on this machine", (str, type(pathlib.Path()))),
    str: ("text", (str, int, float)),
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
Magnitude = Annotated[float, ("at least", 0), ("at most", 10)]
Part = Annotated[float, ("above", 0), ("below", 1)]


def option(default, help, *, flag=None, was=None, metavar=None, **about):
    """A field of a dataclass of settings.

    Args:
        default: its value where nobody names another.
        help: what it is, for `--help`.
        flag: name of the option, or several; None for the field's own.
        was: what the option was called before; it goes with the next version.
        metavar: what stands for the value in `--help`.
        **about: `decides=False` where the value cannot change the result of a
            run; `recorded=False` where it says nothing about the run at all;
            `is_data=True` where it names what `--smoke` makes by itself;
            `needed=True` where it must not be None but under `--smoke`.
    """
    about = {
        **{"decides": True, "recorded": True, "is_data": False},
        **{"needed": False, **about},
        **{"help": help, "flag": flag, "was": was, "metavar": metavar},
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
        _, taken = _TYPES[self.of]
        if type(value) not in taken:
            raise ValueError(value)
        found = self.of(value)
        if self.of is pathlib.Path and keras_pyconv.storage.is_remote(value):
            raise ValueError(value)
        within = (_BOUNDS[name](found, bound) for name, bound in self.bounds)
        if found not in (self.choices or (found,)) or not all(within):
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
        words, _ = _TYPES[self.of]
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


class Field(typing.NamedTuple):
    """A field that `option` made; `about` is what it was told."""

    path: str
    value: object
    kind: _Kind
    about: dict

    @property
    def flags(self):
        """All names of the option, the first one first."""
        names = self.about["flag"] or self.path.rpartition(".")[2]
        names = (names,) if isinstance(names, str) else names
        return ["--" + name.replace("_", "-") for name in names]

    @property
    def renamed(self):
        """`{old: new}` of words of the shell."""
        was, now = self.about["was"], self.flags[0]
        names = {f"--{was}": now} if was else {}
        if was and self.kind.of is bool:
            names[f"--no-{was}"] = now.replace("--", "--no-", 1)
        return names


def fields(settings, path=""):
    """Yields a `Field` for all that is no group."""
    hints = typing.get_type_hints(type(settings), include_extras=True)
    for field in dataclasses.fields(settings):
        value, here = getattr(settings, field.name), path + field.name
        if _is_group(field):
            yield from fields(value, f"{here}.")
        else:
            kind = _kind(hints[field.name])
            yield Field(here, value, kind, field.metadata)


def _is_group(field):
    return "help" not in field.metadata


def flat(tree, path=""):
    """{"a": {"b": 1}} as {"a.b": 1}."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{path}{name}.")
        else:
            yield path + str(name), value


def override(settings, *trees):
    """The settings with values of `trees`, by path or nested; the last wins."""
    values = dict(pair for tree in trees for pair in flat(tree))
    kinds = {field.path: field.kind for field in fields(settings)}
    for path, value in values.items():
        inside = [one for one in kinds if one.startswith(f"{path}.")]
        if inside:
            raise ValueError(f"{path} is a group: {', '.join(inside)}")
        if path not in kinds:
            raise ValueError(f"Unknown setting {path}.{nearest(path, kinds)}")
        try:
            values[path] = kinds[path](value)
        except (TypeError, ValueError):
            raise ValueError(
                f"{path} must be {kinds[path]}. Received: {value!r}"
            ) from None
    return _replaced(settings, values, "")


def _replaced(settings, values, path):
    changed = {}
    for field in dataclasses.fields(settings):
        here, value = path + field.name, getattr(settings, field.name)
        if _is_group(field):
            changed[field.name] = _replaced(value, values, f"{here}.")
        else:
            changed[field.name] = values.get(here, value)
    return dataclasses.replace(settings, **changed)


def nearest(word, known):
    """What to say of a word that is not among the known ones."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0)
    return f" The nearest known one: {near[0]}" if near else ""


def as_dict(settings, wanted="recorded"):
    """`{path: value}` of what is `"recorded"` or `"decides"`, for YAML."""
    return {
        field.path: _plain(field.value)
        for field in fields(settings)
        if field.about[wanted]
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

    tree = {}
    for path, value in as_dict(settings).items():
        *groups, name = path.split(".")
        inner = tree
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[name] = value
    text = yaml.safe_dump(tree, sort_keys=False)
    write_atomically(pathlib.Path(folder) / FILE, text)
