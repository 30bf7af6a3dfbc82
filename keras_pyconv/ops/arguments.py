"""What arguments of convolutions and poolings may be, axis by axis."""

from keras_pyconv import arguments
from keras_pyconv.arguments import MOST, is_number, is_one_of, plain, shown

DATA_FORMATS = ("channels_last", "channels_first")
is_count = arguments.is_integer


def one_of(what: str, value, known, name=None):
    """The value itself.

    Raises:
        ValueError: if it is not among the known, which the message lists.
    """
    if not is_one_of(value, known):
        name = f"{name}=" if name else ""
        raise ValueError(
            f"Unknown {what}. Received: {name}{shown(value)}; known: "
            f"{', '.join(map(repr, known))}."
        )
    return value


def check_data_format(data_format: str) -> str:
    """The format itself; ValueError if it is unknown."""
    return one_of("`data_format`", data_format, DATA_FORMATS)


def nearest_count(value) -> int:
    """The positive integer that is nearest to a wrong value."""
    return min(max(round(value), 1), MOST) if is_number(value) else 1


def stretched(sizes, rank):
    """`sizes` cut, or its last one repeated, to one an axis."""
    return (*sizes, *(sizes[-1:] or (1,)) * rank)[:rank]


def axis_sizes(name: str, value, rank: int) -> tuple[int, ...]:
    """A positive integer, or one an axis, as one an axis.

    Raises:
        ValueError: if it is anything else; the message names the nearest.
    """
    value = plain(value)
    sizes = value if isinstance(value, tuple) else (value,) * rank
    if len(sizes) != rank or not all(map(is_count, sizes)):
        nearest = tuple(map(nearest_count, stretched(sizes, rank)))
        raise ValueError(
            f"`{name}` must be a positive integer or {rank} of them, one an "
            f"axis. Received: {name}={shown(value)}; nearest: {nearest}."
        )
    return tuple(map(int, sizes))
