"""Levels of a pyramid, and the paper's pyramids, as data.

A level has a share of the filters, and reads the whole input. The kernels of a
pyramid stand in ascending order (paper, section 3 and Table 1).
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from keras_pyconv import arguments


def check(holds: bool, row: str, message: str):
    """Refuses a record that cannot be, by the name of its row."""
    if not holds:
        raise ValueError(f"{row}: {message}")


def check_fields(record, row: str = ""):
    """Refuses a record whose fields are not what their annotations say.

    A record with a `source` is a network's, whose `name` Python must accept.
    """
    row = row or type(record).__name__
    kinds = arguments.annotations(type(record))  # type: ignore[arg-type]
    for name, kind in kinds.items():
        value = getattr(record, name)
        words, value_shown = arguments.words(kind), arguments.shown(value)
        message = f"`{name}` must be {words}; got {value_shown}"
        check(arguments.fits(value, kind), row, message)
    if {"name", "source"} <= set(kinds):
        name, source = record.name, record.source
        message = "the name must be one that Python accepts"
        check(name.isidentifier(), arguments.shown(name), message)
        check(source.strip(), name, f"`source` is empty; got {source!r}")
    elif "name" in kinds:
        check(record.name.strip(), row, f"`name` is empty; got {record.name!r}")


def check_choice(row: str, known, **values):
    """Refuses what is none of the known values."""
    known = list(known)
    for name, value in values.items():
        message = (
            f"`{name}` must be one of {known}; got {arguments.shown(value)}"
        )
        check(arguments.is_one_of(value, known), row, message)


def check_rate(row: str, dropout: float):
    """Refuses what is no rate of dropout."""
    check(0 <= dropout < 1, row, f"`dropout` must be in [0, 1); got {dropout}")


PADDINGS = ("same", "valid")


@dataclass(frozen=True)
class Level:
    """One level of a pyramid: kernel size, groups, share of the filters."""

    kernel: int
    groups: int = 1
    share: Fraction = Fraction(1)

    if TYPE_CHECKING:  # what __post_init__ takes

        def __init__(
            self,
            kernel: int,
            groups: int = 1,
            share: Fraction | str | float = 1,
        ) -> None: ...

    def __post_init__(self):
        given = self.share
        with arguments.told("share", given, "a fraction, such as '1/4'"):
            if arguments.is_flag(self.share):
                raise TypeError("it is a bool")
            object.__setattr__(self, "share", Fraction(self.share))
        check_fields(self)
        message = f"`kernel` must be odd; got {self.kernel}"
        check(self.kernel % 2 == 1, "Level", message)
        message = f"`share` must lie in (0, 1]; got {given!r}"
        check(0 < self.share <= 1, "Level", message)


def split(width: int, levels: tuple[Level, ...]) -> tuple[int, ...]:
    """How many of `width` filters each level has."""
    return tuple(int(width * level.share) for level in levels)


def check_pyramid(
    row: str, levels: tuple[Level, ...], channels: int, width: int
):
    """Refuses levels that do not fit `channels` inputs, `width` filters."""
    total = sum(level.share for level in levels)
    message = f"the shares must sum to 1; got {total} of levels={levels}"
    check(total == 1, row, message)
    for number, level in enumerate(levels, 1):
        place, filters = f"{row}, level {number}", width * level.share
        message = f"share {level.share} of {width} is no whole number"
        check(filters.denominator == 1, place, message)
        good = channels % level.groups == 0 and filters % level.groups == 0
        message = (
            f"groups={level.groups} must divide the {channels} input "
            f"channels and the {filters} filters"
        )
        check(good, place, message)


# The paper's pyramids by number of levels (Table 1), as kernel:groups.
PYRAMIDS = {
    1: (Level(3),),
    2: (Level(3, 1, "1/2"), Level(5, 4, "1/2")),
    3: (Level(3, 1, "1/4"), Level(5, 4, "1/4"), Level(7, 8, "1/2")),
    4: (
        Level(3, 1, "1/4"),
        Level(5, 4, "1/4"),
        Level(7, 8, "1/4"),
        Level(9, 16, "1/4"),
    ),
}

# "Higher grouping" (Table 1, right), by number of levels.
HG_PYRAMIDS = {
    1: (Level(3, 32),),
    2: (Level(3, 32, "1/2"), Level(5, 64, "1/2")),
    3: (Level(3, 32, "1/4"), Level(5, 64, "1/4"), Level(7, 64, "1/2")),
    4: tuple(Level(kernel, 32, "1/4") for kernel in (3, 5, 7, 9)),
}

# Table 2, row (5, 4, 3, 2). The paper does not print the split of the first
# pyramid; this is the monotone one that gives its 23.45 M and 3.71 G.
ABLATION_PYRAMIDS = {
    **PYRAMIDS,
    5: (
        Level(3, 1, "1/8"),
        Level(5, 4, "1/8"),
        Level(7, 8, "1/4"),
        Level(9, 16, "1/4"),
        Level(11, 16, "1/4"),
    ),
}

# At half width the 9x9 level has 8 filters, hence 8 groups where it had 16.
MINI_PYRAMIDS = {**PYRAMIDS, 4: (*PYRAMIDS[4][:3], Level(9, 8, "1/4"))}

# Table 2, row top(4, 3, 2, 1): the top level of each pyramid alone.
TOP_PYRAMIDS = {
    1: (Level(3),),
    2: (Level(5, 4),),
    3: (Level(7, 8),),
    4: (Level(9, 16),),
}
