"""The site builds without a warning, and whatever it links to is there."""

import html.parser
import importlib
import os
import pathlib
import re
import runpy
import subprocess
import sys
import types
import urllib.parse
import zlib

import pytest

from keras_pyconv.architectures import PYRAMIDS
from tests.arguments import public

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"
# Host and path of an address, without spaces or an unfinished end.
ADDRESS = re.compile(
    r"https?://[\w-]+(\.[\w-]+)+(:\d+)?(/[^\s<>\"]*[^\s<>\".,])?/?"
)


class Page(html.parser.HTMLParser):
    """The anchors of a page, what it links to and what it loads."""

    def __init__(self, file):
        super().__init__()
        self.anchors, self.links, self.loaded = {""}, set(), set()
        self.feed(file.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.anchors.add(given.get("id"))
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        self.loaded |= {given["src"]} if "src" in given else set()
        self.loaded |= {given["href"]} if tag == "link" else set()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site."""
    pytest.importorskip("sphinx", reason="builds the site")
    folder = tmp_path_factory.mktemp("site")
    words = "-q -W --keep-going -d doctrees".split()
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words, DOCS, "html"],
        cwd=folder,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site):
    return {file: Page(file) for file in site.rglob("*.html")}


@pytest.fixture(scope="module")
def entries(site):
    """Names that have an entry."""
    packed = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    lines = zlib.decompress(packed).decode().splitlines()
    return {line.split()[0] for line in lines if " py:" in line}


def dead(pages):
    """Links and loaded files of the site that are not there."""
    for file, page in pages.items():
        for link in page.links | page.loaded:
            place = urllib.parse.urlsplit(link)
            if place.scheme:
                continue
            path = urllib.parse.unquote(place.path)
            target = (file.parent / path).resolve() if path else file
            anchor = urllib.parse.unquote(place.fragment)
            there = target.is_file()
            if target in pages:
                there = anchor in pages[target].anchors
            if not there:
                yield f"{file.name}: {link}"


@pytest.mark.ci
def test_every_link_leads_to_a_page_and_a_place_on_it(pages):
    assert len(pages) > 30
    assert sorted(dead(pages)) == []


def test_a_dead_link_is_found(tmp_path):
    file = tmp_path / "a.html"
    file.write_text('<a href="#b"></a><a href="c.html"></a><p id="d"></p>')
    assert sorted(dead({file: Page(file)})) == ["a.html: #b", "a.html: c.html"]


@pytest.mark.ci
def test_a_page_loads_nothing_from_elsewhere(pages):
    loaded = {name for page in pages.values() for name in page.loaded}
    assert [name for name in loaded if urllib.parse.urlsplit(name).netloc] == []


def test_addresses_of_other_sites_are_well_formed():
    texts = [page.read_text() for page in DOCS.glob("*.md")]
    found = re.findall(r"\]\((\w+:[^)]*)\)", "\n".join(texts))
    assert len(found) > 20
    assert [link for link in found if not ADDRESS.fullmatch(link)] == []


def data():
    """`(name, value)` of every public name that cannot be called."""
    for room in public.ROOMS:
        module = importlib.import_module(room)
        listed = [name for name in vars(module) if not name.startswith("_")]
        for name in getattr(module, "__all__", listed):
            value = getattr(module, name)
            if not callable(value) and not isinstance(value, types.ModuleType):
                yield f"{room}.{name}", value


def functions_and_classes():
    names = public.callables()
    return [n for n in names if n.rpartition(".")[0] not in names]


def test_every_public_name_stands_in_the_reference():
    texts = [page.read_text() for page in (DOCS / "api").glob("*.rst")]
    lines = {line.strip() for text in texts for line in text.splitlines()}
    assert [name for name in functions_and_classes() if name not in lines] == []


@pytest.mark.ci
def test_every_public_name_has_an_entry(entries):
    wanted = {f"keras_pyconv.{name}" for name in functions_and_classes()}
    assert wanted - entries == set()
    values = list(data())
    there = {id(value) for name, value in values if name in entries}
    assert [name for name, value in values if id(value) not in there] == []


@pytest.mark.ci
def test_methods_that_say_something_have_an_entry(entries):
    names = public.callables()
    told = {
        f"keras_pyconv.{name}"
        for name, item in names.items()
        if item.__doc__ and not name.endswith("__call__")
    }
    assert told - entries == set()


@pytest.mark.parametrize("name", ["pyconv", "groups", "resume"])
def test_a_picture_is_what_is_drawn(name):
    pictures = runpy.run_path(str(DOCS / "pictures.py"))["PICTURES"]
    assert pictures[name]().svg() == (DOCS / f"{name}.svg").read_text()


def test_the_pyramids_of_a_page_are_those_of_the_networks():
    page = (DOCS / "how-it-works.md").read_text()
    shares = {"a quarter": 4, "a half": 2, "all": 1}
    for stage, count in enumerate((4, 3, 2, 1), 1):
        (row,) = re.findall(rf"^\| {stage} \| (.*) \|$", page, re.M)
        told = re.findall(r"(\d) x \d, (\d+), ([a-z ]+)", row)
        assert [(int(k), int(g), shares[s]) for k, g, s in told] == [
            (level.kernel, level.groups, 1 / level.share)
            for level in PYRAMIDS[count]
        ]


def test_the_ways_of_a_page_are_those_there_are():
    from keras_pyconv.ops import WAYS

    page = (DOCS / "how-it-works.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.M)) == set(WAYS)


def _room(name):
    return importlib.import_module(f"keras_pyconv.{name}")


def test_what_a_page_calls_renamed_or_gone_is():
    page = (DOCS / "migration.md").read_text()
    _, renamed, gone, _ = page.split("\n## ")
    rows = re.findall(r"^\| `(\w+)\.(\w+)` \| `(\w+)\.(\w+)`", renamed, re.M)
    assert len(rows) >= 10
    for room, old, place, new in rows:
        assert hasattr(_room(place), new)
        with pytest.warns(DeprecationWarning, match=f"{room}.{old}"):
            getattr(_room(room), old)
    for room, old in re.findall(r"^\| `([a-z]+)\.(\w+)` \|", gone, re.M):
        assert not hasattr(_room(room), old)
