"""What is data is listed once; what is left out is counted and said."""

import logging
import os
import socket

import pytest

from keras_pyconv.listing import IMAGES, VIDEOS, Listing

JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF"


@pytest.fixture
def root(tmp_path):
    """Two classes of two images each, in `train`; one in `val`."""
    for name in ("train/a/1.jpg", "train/a/2.png", "train/b/1.JPEG"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(JPEG)
    (tmp_path / "val" / "a").mkdir(parents=True)
    (tmp_path / "val" / "a" / "held.jpg").write_bytes(JPEG)
    return tmp_path


def names(listing, place=None):
    return [os.path.relpath(x, listing.root) for x in listing.files(place)]


PLAIN = ["a/1.jpg", "a/2.png", "b/1.JPEG"]


def of_train(root):
    return Listing(root / "train", IMAGES)


@pytest.mark.parametrize(
    "name",
    [
        "a/._1.jpg",
        ".ipynb_checkpoints/1.jpg",
        "a/.x/1.jpg",
        "__MACOSX/a/1.jpg",
        "a/@eaDir/1.jpg",
    ],
)
def test_what_is_hidden_or_of_a_system_is_no_data(root, name):
    path = root / "train" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(JPEG)
    listing = of_train(root)
    assert listing.folders() == ["a", "b"]
    listing = of_train(root)
    assert names(listing) == PLAIN
    assert listing.problems == {"left out, hidden or of the system": 1}


@pytest.mark.parametrize("target", [".", "..", "../..", "../b", "1.jpg"])
def test_a_link_to_what_is_listed_is_not_followed(root, target):
    (root / "train" / "a" / "link").symlink_to(target)
    listing = of_train(root)
    assert names(listing) == PLAIN
    assert listing.problems == {"left out, links to what is listed already": 1}


def test_links_that_only_lead_around_or_nowhere_are_counted(root):
    for name, target in (("x.jpg", "y.jpg"), ("y.jpg", "x.jpg"), ("z", "no")):
        (root / "train" / "a" / name).symlink_to(target)
    listing = of_train(root)
    assert names(listing) == PLAIN
    assert listing.problems == {"left out, links to nothing": 3}


def test_links_to_other_places_are_followed_once(root, tmp_path_factory):
    store = tmp_path_factory.mktemp("store")
    (store / "7.jpg").write_bytes(JPEG)
    (store / "again").symlink_to(".")
    (root / "train" / "c").symlink_to(store)
    other = tmp_path_factory.mktemp("other") / "9.jpg"
    other.write_bytes(JPEG)
    (root / "train" / "a" / "single.jpg").symlink_to(other)
    (root / "train" / "a" / "again.jpg").symlink_to(store / "7.jpg")
    hidden = root / "train" / ".store"
    hidden.mkdir()
    (hidden / "8.jpg").write_bytes(JPEG)
    (root / "train" / "b" / "kept.jpg").symlink_to("../.store/8.jpg")
    found = names(of_train(root))
    assert found == sorted([*PLAIN, "a/single.jpg", "b/kept.jpg", "c/7.jpg"])


def test_pipes_and_sockets_are_counted_and_never_opened(root, monkeypatch):
    os.mkfifo(root / "train" / "a" / "pipe.jpg")
    os.mkfifo(root / "train" / "a" / "pipe")
    monkeypatch.chdir(root / "train" / "a")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket.jpg")
        listing = of_train(root)
        assert names(listing) == PLAIN
    assert listing.problems == {"left out, pipes or devices": 3}


def test_a_folder_without_permission_is_named_and_no_lost_class(
    root, monkeypatch
):
    listed = os.scandir

    # A test may run as a user whom nothing is forbidden.
    def forbidden(path):
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied", path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    with pytest.raises(
        PermissionError, match="no permission to list .*/train/b;"
    ):
        of_train(root).files()


def test_a_name_that_is_not_utf8_is_counted_and_can_be_printed(root, caplog):
    path = os.fsencode(root / "train" / "a") + b"/caf\xe9.jpg"
    with open(path, "wb") as file:
        file.write(JPEG)
    listing = of_train(root)
    assert names(listing) == PLAIN
    with caplog.at_level(logging.WARNING):
        listing.say()
    assert r"1 with a name that is not UTF-8 (such as a/caf\udce9.jpg)" in (
        caplog.text
    )


def test_files_without_an_ending_are_known_by_their_first_bytes(root):
    folder = root / "train" / "a"
    (folder / "photo").write_bytes(JPEG)
    (folder / "film").write_bytes(b"\0\0\0\x20ftypisom")
    (folder / "README").write_text("no image")
    (folder / "x.jfif").write_bytes(JPEG)
    assert names(of_train(root)) == sorted([*PLAIN, "a/photo", "a/x.jfif"])
    assert names(Listing(folder, VIDEOS)) == ["film"]


def test_what_is_left_out_is_said_in_one_line(root, caplog):
    for name in ("a/1.heic", "b/2.HEIC", "b/notes.txt", "a/._1.jpg"):
        (root / "train" / name).touch()
    listing = of_train(root)
    listing.files()
    listing.say("pets")
    (record,) = caplog.records
    assert record.getMessage() == (
        "pets: 4 entries left out: 1 hidden or of the system (such as "
        "a/._1.jpg), 3 of other kinds (.heic, .txt)"
    )


def test_nothing_is_said_where_nothing_is_left_out(root, caplog):
    listing = of_train(root)
    assert len(listing.say().files()) == 3
    assert str(listing) == "" and not caplog.records
