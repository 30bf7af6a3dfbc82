"""What a release says of itself agrees with the package."""

import re
from pathlib import Path

import pytest
import yaml

import keras_pyconv
from keras_pyconv.renamed import GOES

ROOT = Path(__file__).parents[1]


def _text(name):
    return (ROOT / name).read_text("utf-8")


def _numbers(version):
    return tuple(map(int, version.split(".")))


def test_the_changelog_begins_with_this_version_and_its_date():
    title = re.search(
        r"^## (\S+) \((\d{4}-\d\d-\d\d)\)$", _text("CHANGELOG.md"), re.M
    )
    citation = yaml.safe_load(_text("CITATION.cff"))
    assert title[1] == citation["version"] == keras_pyconv.__version__
    assert title[2] == str(citation["date-released"])


def test_old_names_go_with_a_version_that_is_to_come():
    assert _numbers(GOES) > _numbers(keras_pyconv.__version__)
    assert _numbers(GOES)[2] == 0


def test_the_citation_has_what_its_format_asks_for():
    citation = yaml.safe_load(_text("CITATION.cff"))
    assert citation["cff-version"] == "1.2.0"
    paper = citation["preferred-citation"]
    for work in (citation, paper):
        assert work["title"] and work["type"] in ("software", "article")
        for author in work["authors"]:
            assert author.get("name") or {*author} == {
                "family-names",
                "given-names",
            }
    assert citation["message"]
    names = [author["family-names"] for author in paper["authors"]]
    assert names == ["Duta", "Liu", "Zhu", "Shao"] and paper["year"] == 2020
    assert "2006.11538" in paper["url"]


CLAIMS = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", _text("SECURITY.md"))


@pytest.mark.parametrize("file, test", CLAIMS)
def test_each_claim_of_security_has_its_test(file, test):
    assert re.search(rf"^def {test}\(", _text(file), re.M)


def test_there_are_as_many_claims_as_one_sees():
    rows = [
        line
        for line in _text("SECURITY.md").splitlines()
        if line.startswith("| ")
    ]
    assert len(rows) > 8 and len(CLAIMS) >= len(rows) - 1
