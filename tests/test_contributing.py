"""CONTRIBUTING.md names files that are there, and numbers that are true."""

import re
from pathlib import Path

import pytest

from tests.test_imports import ORDER

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()


def test_every_file_it_names_is_there():
    named = re.findall(r"`([\w./]+/[\w./]*|[\w.]+\.(?:py|md))`", PAGE)
    assert len(named) > 30
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_rooms_stand_in_the_order_of_their_imports():
    (said,) = re.findall(r"`(ops\s*->[^`]+)`", PAGE)
    rooms = [room.strip() for room in said.split("->")]
    places = ROOT / "keras_pyconv", ROOT
    is_room = [any((p / room).is_dir() for p in places) for room in ORDER]
    assert rooms == [room for room, there in zip(ORDER, is_room) if there]


@pytest.mark.parametrize("name", ["BLOCKS", "HEADS", "WAYS"])
def test_every_table_it_names_is_where_it_says(name):
    # The file stands behind the name, with words between.
    places = re.findall(rf"`{name}`[^`|]*`([\w./]+)`", PAGE)
    assert places
    for place in places:
        assert f"\n{name} = " in (ROOT / place).read_text()
