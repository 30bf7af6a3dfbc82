"""Every command of pages, headers and help is such as its program takes."""

import shlex

import pytest

from tests.snippets import found, shell

SHELL = {
    page: [block.text for block in blocks if block.language == "bash"]
    for page, blocks in found.BLOCKS.items()
}
HEADERS = {
    found.name_of(file): lines
    for file in found.FILES
    if (lines := found.lines_of(file.read_text("utf-8")))
}


@pytest.mark.parametrize("page", [name for name, all in SHELL.items() if all])
def test_the_commands_of_a_page_are_taken(page, tmp_path):
    for block in SHELL[page]:
        called = [*shell.calls(block, tmp_path)]
        assert called, block
        for words, config in called:
            shell.read(words, config)


@pytest.mark.parametrize("page", found.PAGES, ids=found.name_of)
def test_the_commands_in_its_sentences_are_taken(page):
    for command in found.sentences(page.read_text("utf-8")):
        words = shlex.split(command)
        if not shell.mentions(words):
            shell.read(words)


@pytest.mark.parametrize("file", HEADERS)
def test_the_commands_of_a_source_are_taken(file):
    for command in HEADERS[file]:
        shell.read(shlex.split(command))


def test_there_are_as_many_as_one_sees():
    assert sum(map(len, SHELL.values())) > 30
    assert sum(map(len, HEADERS.values())) > 60


@pytest.mark.parametrize(
    "block",
    [
        "keras-pyconv doctor pets --pge doctor.html",
        "python -m recipes.finetune_folder --data pets --epoch x",
        "python -m benchmarks.twins --sedes 2",
        "python -m keras_pyconv.export chck saved_models/pets/1",
        "pip install keras_pyconv",
        "pip install '.[weight]'",
        "make quikstart",
        "export TF_CONFIG='{]'\npython -m recipes.classify_imagenet",
    ],
)
def test_a_mistake_is_found(block, tmp_path):
    with pytest.raises((AssertionError, SystemExit, ValueError)):
        for words, config in shell.calls(block, tmp_path):
            shell.read(words, config)


def test_an_unknown_program_is_found(tmp_path):
    with pytest.raises(shell.subprocess.CalledProcessError):
        [*shell.calls("keras-piconv doctor pets", tmp_path)]
