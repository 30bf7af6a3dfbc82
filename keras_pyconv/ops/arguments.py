"""What arguments of operations and layers may be."""

import math

DATA_FORMATS = ("channels_last", "channels_first")


def is_count(value) -> bool:
    """Whether `value` is a positive integer, NumPy's included."""
    return (
        hasattr(value, "__index__")
        and not isinstance(value, bool)
        and value.__index__() > 0
    )


def one_of(what: str, value, known):
    """The value itself.

    Raises:
        ValueError: if it is not among the known, which the message lists.
    """
    if value not in list(known):
        raise ValueError(
            f"Unknown {what}. Received: {value!r}; known: "
            f"{', '.join(map(repr, known))}."
        )
    return value


def check_data_format(data_format: str) -> str:
    """The format itself; ValueError if it is unknown."""
    return one_of("`data_format`", data_format, DATA_FORMATS)


def nearest_count(value) -> int:
    """The positive integer that is nearest to a wrong value."""
    if type(value) not in (int, float) or not math.isfinite(value):
        return 1
    return max(round(value), 1)


def stretched(sizes, rank):
    """`sizes` cut, or its last one repeated, to one an axis."""
    return (*sizes, *(sizes[-1:] or (1,)) * rank)[:rank]


def axis_sizes(name: str, value, rank: int) -> tuple[int, ...]:
    """A positive integer, or one an axis, as one an axis.

    Raises:
        ValueError: if it is anything else; the message names the nearest.
    """
    is_one = not isinstance(value, (tuple, list))
    sizes = (value,) * rank if is_one else tuple(value)
    if len(sizes) != rank or not all(map(is_count, sizes)):
        nearest = tuple(map(nearest_count, stretched(sizes, rank)))
        raise ValueError(
            f"`{name}` must be a positive integer or {rank} of them, one an "
            f"axis. Received: {name}={value!r}; nearest: {nearest}."
        )
    return tuple(map(int, sizes))
