"""What the arguments of a pyramidal convolution mean, level by level.

Section 3 of the paper as integer arithmetic, without tensors: every mistake
is refused here with its level, counted from 1 as in the paper, what was
received and the nearest legal value. `"auto"` follows the sentence of section
3 to the letter and gives 1, 2, 4, 8 groups to kernels of 3, 5, 7, 9; the
paper's own networks have 1, 4, 8, 16.
"""

import math
from typing import NamedTuple

from keras_pyconv.arguments import (
    MOST,
    MOST_NUMBERS,
    is_integer,
    is_number,
    shown,
)
from keras_pyconv.ops.arguments import nearest_count, stretched


class ResolvedLevel(NamedTuple):
    """One level of a built layer: `((5, 5), 16, 4)` in 2-D."""

    kernel_size: tuple[int, ...]
    filters: int
    groups: int


def _nearest(value, legal) -> str:
    """The legal values on both sides of `value`, for an error message."""
    if not is_number(value):
        return str(min(legal))
    if value in legal:
        return str(int(value))
    below = [number for number in legal if number < value]
    above = [number for number in legal if number > value]
    return " or ".join(str(n) for n in [*below[-1:], *above[:1]])


def _refuse(name, level, rule, received, nearest, given=None):
    more = "" if given is None else f" Of {name}={shown(given)}."
    raise ValueError(
        f"`{name}`, level {level}: {rule}. "
        f"Received: {received!r}; nearest: {nearest}.{more}"
    )


def _check_length(name, entries, levels):
    if len(entries) != levels:
        raise ValueError(
            f"`{name}` must be one value for all {levels} levels of "
            f"`kernel_size`, or {levels} values. "
            f"Received {len(entries)}: {name}={entries!r}."
        )


def _divisors(number) -> list[int]:
    low = [n for n in range(1, math.isqrt(number) + 1) if number % n == 0]
    return sorted({*low, *(number // n for n in low)})


def _nearest_below(value) -> int:
    """The largest whole number that is not above, within what is meant."""
    return int(min(max(value, 0), MOST)) if is_number(value) else 0


def level_kernels(kernel_size, rank: int) -> tuple[tuple[int, ...], ...]:
    """The kernel of every level, one odd size per axis."""
    entries = kernel_size if isinstance(kernel_size, tuple) else (kernel_size,)
    if not entries:
        raise ValueError(
            "`kernel_size` must have at least one level, such as (3, 5, 7, 9). "
            f"Received: kernel_size={kernel_size!r}."
        )
    given = kernel_size if isinstance(kernel_size, tuple) else None
    return tuple(
        _kernel(entry, rank, level, given)
        for level, entry in enumerate(entries, 1)
    )


def _kernel(entry, rank, level, given):
    sizes = entry if isinstance(entry, tuple) else (entry,) * rank
    if len(sizes) != rank:
        rule = f"a kernel is an odd integer or {rank} of them, one per axis"
        nearest = stretched(sizes, rank)
        _refuse("kernel_size", level, rule, entry, nearest, given)
    for size in sizes:
        if not is_integer(size) or size % 2 == 0:
            rule = "kernels are odd integers, to have a centre"
            # The odd numbers on both sides.
            below = (_nearest_below(size) - 1) | 1
            legal = [n for n in (below, below + 2) if 0 < n < MOST]
            nearest = _nearest(size, legal)
            _refuse("kernel_size", level, rule, entry, nearest, given)
    return sizes


def level_filters(filters, levels: int) -> tuple[int, ...]:
    """The filters of every level; one number is split evenly."""
    if isinstance(filters, tuple):
        _check_length("filters", filters, levels)
        for level, count in enumerate(filters, 1):
            if not is_integer(count):
                rule = "filters are positive integers"
                nearest = nearest_count(count)
                _refuse("filters", level, rule, count, nearest, filters)
        return filters
    if not is_integer(filters) or filters % levels:
        below = max(_nearest_below(filters) // levels * levels, levels)
        legal = [n for n in (below, below + levels) if n <= MOST] or [MOST]
        raise ValueError(
            f"`filters` must be a positive integer that {levels} levels share "
            f"evenly, or one for each. Received: filters={filters!r}; "
            f"nearest: {_nearest(filters, legal)}."
        )
    return (filters // levels,) * levels


def level_groups(groups, filters: tuple[int, ...]) -> tuple[int, ...] | None:
    """The groups of every level; None for `"auto"`, which needs channels."""
    if groups == "auto":
        return None
    if isinstance(groups, str):
        raise ValueError(
            '`groups` must be "auto", an integer or one integer per level. '
            f"Received: groups={groups!r}."
        )
    given = groups if isinstance(groups, tuple) else None
    groups = (groups,) * len(filters) if given is None else given
    _check_length("groups", groups, len(filters))
    for level, (count, width) in enumerate(zip(groups, filters), 1):
        if not is_integer(count) or width % count:
            rule = f"groups must divide the level's {width} filters"
            nearest = _nearest(count, _divisors(width))
            _refuse("groups", level, rule, count, nearest, given)
    return groups


def auto_groups(
    channels: int,
    filters: tuple[int, ...],
    kernels: tuple[tuple[int, ...], ...],
) -> tuple[int, ...]:
    """The paper's choice of groups (section 3, after equation 1).

    A level whose kernel has r times the positions of the smallest kernel
    would keep its cost with r groups. Of the common divisors of the input
    channels and of the level's filters, the closest to r is taken; of two
    equally close, the smaller.

    Args:
        channels: Channels of the input.
        filters: Filters of every level.
        kernels: Kernel of every level, one size per axis.

    Returns:
        The groups of every level.

    Example:

    >>> auto_groups(64, (16, 16), ((3, 3), (9, 9)))
    (1, 8)
    """
    areas = [math.prod(kernel) for kernel in kernels]
    smallest = min(areas)
    # |d - area / smallest| times smallest: exact, where floats could tie.
    return tuple(
        min(
            _divisors(math.gcd(channels, width)),
            key=lambda divisor: (abs(divisor * smallest - area), divisor),
        )
        for width, area in zip(filters, areas)
    )


def resolve_levels(channels, kernels, filters, groups):
    """Every level's kernel, filters and groups, once channels are known."""
    groups = groups or auto_groups(channels, filters, kernels)
    for level, (count, width) in enumerate(zip(groups, filters), 1):
        if channels % count:
            rule = f"groups must divide the {channels} input channels"
            legal = _divisors(math.gcd(channels, width))
            _refuse("groups", level, rule, count, _nearest(count, legal))
    found = tuple(map(ResolvedLevel, kernels, filters, groups))
    for number, level in enumerate(found, 1):
        size = math.prod(level.kernel_size) * level.filters
        size *= channels // level.groups
        if size > MOST_NUMBERS:
            raise ValueError(
                f"The kernel of level {number} would have {size:,} elements; a "
                f"tensor can have {MOST_NUMBERS:,}. Received: `kernel_size`, "
                f"`filters` and `groups` {tuple(level)} for {channels} input "
                "channels."
            )
    return found
