"""What arguments of convolutions and poolings may be, axis by axis."""

from keras_pyconv.arguments import MOST, is_integer, is_number, plain, shown


def nearest_count(value) -> int:
    """The positive integer that is nearest to a wrong value."""
    return min(max(round(value), 1), MOST) if is_number(value) else 1


def stretched(sizes, rank):
    """`sizes` cut, or its last one repeated, to one an axis."""
    return (*sizes, *(sizes[-1:] or (1,)) * rank)[:rank]


def axis_sizes(name: str, value, rank: int) -> tuple[int, ...]:
    """A positive integer, or one an axis, as one an axis."""
    sizes = plain(value)
    sizes = sizes if isinstance(sizes, tuple) else (sizes,) * rank
    if len(sizes) != rank or not all(map(is_integer, sizes)):
        nearest = tuple(map(nearest_count, stretched(sizes, rank)))
        raise ValueError(
            f"`{name}` must be a positive integer or {rank} of them, one an "
            f"axis. Received: {name}={shown(value)}; nearest: {nearest}."
        )
    return tuple(map(int, sizes))
