"""A file that a user brings is read, or refused by its name in one sentence."""

import codecs
import json
import os

import pytest

from keras_pyconv.reading import (
    check_file,
    explained,
    is_text,
    read_json,
    read_text,
    short,
)


@pytest.mark.parametrize(
    "mark, encoding",
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
    ],
    ids=["none", "utf-8", "utf-16-le", "utf-16-be", "utf-32-le"],
)
def test_a_byte_order_mark_says_how_to_read(tmp_path, mark, encoding):
    path = tmp_path / "a.json"
    path.write_bytes(mark + '["é"]'.encode(encoding))
    assert read_json(path) == ["é"]


def test_what_is_no_text_is_named_with_its_line(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("one\ntwo é\n".encode("latin-1"))
    with pytest.raises(
        ValueError, match="a.txt is not UTF-8 text.*line 2 .*0xe9"
    ):
        read_text(path)
    path.write_bytes(codecs.BOM_UTF16_LE + b"a")
    with pytest.raises(ValueError, match="a.txt is not UTF-8 text"):
        read_text(path)


JSON = {
    "empty": ("", "it is empty"),
    "cut short": ('{"images": [{"id": 1}, {"i', "Unterminated string"),
    "deep": ("[" * 10**5, "nests too deep"),
    "long number": (f"[{'9' * 5000}]", "thousands of digits"),
}


@pytest.mark.parametrize("text, said", JSON.values(), ids=list(JSON))
def test_what_is_no_json_is_named(tmp_path, text, said):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(
        ValueError, match=f"a.json is not a complete JSON.*{said}"
    ):
        read_json(path)


NO_FILES = {
    "folder": (os.mkdir, "is a folder; a file is needed"),
    "pipe": (os.mkfifo, "is a device or a pipe; a file is needed"),
    "device": (
        lambda path: path.symlink_to("/dev/zero"),
        "is a device or a pipe; a file is needed",
    ),
    "loop": (lambda path: path.symlink_to(path), "is a loop of links"),
}


@pytest.mark.parametrize("make, said", NO_FILES.values(), ids=list(NO_FILES))
def test_what_is_no_file_is_named_and_not_opened(make, said, tmp_path):
    make(tmp_path / "thing")
    with pytest.raises(OSError, match=f"thing.*{said}"):
        check_file(tmp_path / "thing")
    with pytest.raises(ValueError, match=f"thing.*{said}"):
        read_text(tmp_path / "thing")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file .*absent"):
        read_text(tmp_path / "absent")


def test_a_message_shows_little_of_a_file_and_no_controls():
    hostile = json.loads('["\\u001b[31m", {"a": "\\ud800"}]')
    assert short(hostile).isprintable() and len(short("x" * 10**6)) < 100
    assert len(short([[["y" * 99] * 99] * 99] * 99)) < 1000


def test_text_has_letters_and_no_controls():
    assert is_text("traffic\u00a0light") and is_text("é 日本")
    for wrong in ("", " ", "a\x1b[0m", "a\n", "\ud800", "a\x00", None, 7):
        assert not is_text(wrong)


def test_a_file_is_read_also_through_a_link(tmp_path):
    (tmp_path / "file").write_text("é")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read_text(tmp_path / "link") == "é"


def test_an_error_says_what_is_wrong():
    with pytest.raises(ValueError, match="a.json is damaged: 'key'") as told:
        with explained("a.json is damaged"):
            {}["key"]
    assert isinstance(told.value.__cause__, KeyError)
    with pytest.raises(KeyError):
        with explained("a.json is damaged", TypeError):
            {}["key"]
