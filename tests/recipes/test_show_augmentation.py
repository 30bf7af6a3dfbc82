"""A sheet shows what the options of augmentation do, or says why it cannot."""

import sys

import pytest

from recipes import command_line, show_augmentation


def sheet(folder, *words):
    """What was done, and the bytes of the file."""
    path = folder / "sheet.png"
    words = [*words, f"--output={path}", f"--data-dir={folder}"]
    return show_augmentation.main(["--smoke", *words]), path.read_bytes()


def test_mixup_is_shown_without_other_packages(tmp_path):
    said, png = sheet(tmp_path, "--mixup=0.4")
    assert png.startswith(b"\x89PNG")
    assert len(said) == 2 and said[0] == said[1]
    assert said[0][0][0].startswith("Mixup 0.")


@pytest.mark.official
@pytest.mark.parametrize(
    "task", ["classification", "detection", "segmentation"]
)
def test_operations_are_named_and_move_what_the_task_has(task, tmp_path):
    words = "--no-smoke --rows=1 --draws=2 --side=64 --randaugment".split()
    said, png = sheet(tmp_path, *words, f"--task={task}")
    assert png.startswith(b"\x89PNG")
    assert [len(words) for words in said[0]] == [2, 2]


@pytest.mark.official
def test_images_of_a_folder_are_erased_and_distorted(tmp_path):
    from tests.datasets.pictures import write_folder

    folder = write_folder(tmp_path / "pictures") / "train" / "china"
    words = ["--autoaugment=vit", "--random-erasing=1", f"--images={folder}"]
    said, _ = sheet(tmp_path, *words)
    assert {words[0][-2] for words in said} == {"RandomErasing"}
    assert {words[0][-1].split()[0] for words in said} == {"Mixup"}


WRONG = {
    "": "Name what to show, such as --randaugment",
    "--randaugment": "pip install '.[official]'",
    "--task=detection --mixup=1": "leave out --task",
    "--randaugment --autoaugment=v0": "Choose one of --randaugment",
    "--mixup=1 --images=none": "`--images` must be the path of an existing",
}


@pytest.mark.parametrize("words", WRONG)
def test_what_cannot_be_shown_is_said_in_one_line(words, tmp_path, monkeypatch):
    for name in ("official.vision.ops", "official.vision", "official"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(command_line.Mistake) as caught:
        show_augmentation.main([*words.split(), f"--data-dir={tmp_path}"])
    assert WRONG[words] in str(caught.value)
