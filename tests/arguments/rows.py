"""How each public callable is called: a kind for each of its arguments."""

import dataclasses
import inspect
from collections.abc import Callable

from tests.arguments.public import callables

PUBLIC = callables()


@dataclasses.dataclass(frozen=True, repr=False)
class Row:
    """How a public callable is called.

    Attributes:
        name: of the callable, as in `PUBLIC`.
        kinds: a kind for each argument.
        owner: makes the object whose method it is.
        call: calls `function` with the arguments by name.
        works: whether calls are drawn in which all fits; not where that takes
            long, as with whole networks.
        drawn: arguments for which values are drawn that do not fit.
        required: arguments that each call has.
        called: other names for an argument in a message.
        undo: what takes back the effect of a call.
    """

    name: str
    kinds: dict
    owner: Callable | None = None
    call: Callable = lambda function, arguments: function(**arguments)
    works: bool = True
    drawn: tuple = ()
    required: frozenset = frozenset()
    called: dict = dataclasses.field(default_factory=dict)
    undo: Callable = lambda: None

    def __repr__(self):
        return self.name

    def function(self):
        if self.owner is None:
            return PUBLIC[self.name]
        return getattr(self.owner(), self.name.rpartition(".")[2])


ROWS = {}
# Without arguments, or made by the package alone, by the reason.
LEFT_OUT = {}


def _parameters(name):
    signature = inspect.signature(PUBLIC[name])
    return {
        n: p
        for n, p in signature.parameters.items()
        if n != "self" and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    }


def row(name, /, *, options=None, more=None, needs=(), **kinds):
    """Adds the row of a callable; its arguments are those of its signature.

    Args:
        options: other fields of `Row`.
        more: kinds of arguments in `**kwargs`.
        needs: arguments that are always given, beside those without default.
    """
    parameters = _parameters(name)
    if set(kinds) != set(parameters):
        wrong = set(kinds) ^ set(parameters)
        raise LookupError(f"{name}: its arguments differ in {sorted(wrong)}")
    needed = {n for n, p in parameters.items() if p.default is p.empty}
    kinds |= more or {}
    drawn = tuple(n for n, k in kinds.items() if k.refused())
    ROWS[name] = Row(
        name,
        kinds,
        drawn=drawn,
        required=frozenset({*needed, *needs}),
        **(options or {}),
    )


def leave_out(reason, *names):
    """Says why callables have no row."""
    for name in names:
        if name not in PUBLIC:
            raise LookupError(f"{name} is not public")
        LEFT_OUT[name] = reason


def positional(*names):
    """Calls with these arguments by position."""

    def call(function, arguments):
        given = dict(arguments)
        return function(*(given.pop(name) for name in names), **given)

    return call


# They add their rows to the table above.
from tests.arguments import rows_of_networks, rows_of_tasks  # noqa: E402,F401
