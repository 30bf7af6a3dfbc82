"""A folder of classes is divided alike every time, by names alone."""

import numpy as np
import pytest

from keras_pyconv.datasets.picture_sets import split_class_folder


def fill(root, counts):
    for one, count in counts.items():
        (root / one).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (root / one / f"{number}.jpg").touch()
    (root / "notes.txt").touch()
    return root


def names(pictures):
    return {e["name"].decode() for e in pictures.examples().as_numpy_iterator()}


def test_no_picture_is_lost_or_in_both_parts(tmp_path):
    fill(tmp_path, {"cat": 20, "ant": 11, "dog": 2})
    training, validation = split_class_folder(tmp_path, 0.2)
    assert training.classes == validation.classes == ("ant", "cat", "dog")
    assert not names(training) & names(validation)
    assert (training.count, validation.count) == (16 + 9 + 1, 4 + 2 + 1)
    assert len(names(training) | names(validation)) == 33


def test_labels_are_the_folders(tmp_path):
    fill(tmp_path, {"cat": 5, "ant": 5})
    for part in split_class_folder(tmp_path):
        for example in part.examples().as_numpy_iterator():
            folder = example["name"].decode().split("/")[-2]
            assert part.classes[example["label"]] == folder


def test_another_place_divides_alike(tmp_path):
    one = fill(tmp_path / "one", {"a": 30, "b": 30})
    two = fill(tmp_path / "two" / "deeper", {"a": 30, "b": 30})
    parts = [
        {name.removeprefix(str(root)) for name in names(part)}
        for root in (one, two)
        for part in split_class_folder(root)
    ]
    assert parts[:2] == parts[2:]


def test_a_new_picture_moves_few_others(tmp_path):
    fill(tmp_path, {"a": 100, "b": 100})
    before = names(split_class_folder(tmp_path)[1])
    fill(tmp_path, {"a": 101, "b": 101})
    assert len(before - names(split_class_folder(tmp_path)[1])) <= 2


def test_an_epoch_has_an_order_of_its_own(tmp_path):
    training, _ = split_class_folder(fill(tmp_path, {"a": 30, "b": 30}))

    def order(epoch):
        dataset = training.examples(np.int64(epoch))
        return [e["name"] for e in dataset.as_numpy_iterator()]

    assert order(1) == order(1) != order(2)


def test_what_is_hidden_or_linked_back_is_in_neither_part(tmp_path, caplog):
    root = fill(tmp_path, {"a": 3, "b": 3, ".ipynb_checkpoints": 2})
    (root / "a" / "loop").symlink_to("..")
    (root / "a" / "._1.jpg").touch()
    training, validation = split_class_folder(root)
    assert training.classes == ("a", "b")
    assert training.count + validation.count == 6
    (record,) = caplog.records
    assert "3 entries left out" in record.message


@pytest.mark.parametrize("counts", [{}, {"a": 4}, {"a": 4, "b": 0}])
def test_less_than_two_classes_are_refused(tmp_path, counts):
    with pytest.raises(
        ValueError, match="at least two class folders with images. Found"
    ):
        split_class_folder(fill(tmp_path, counts))


@pytest.mark.parametrize("share", [0, 1, 20])
def test_a_share_that_is_none_is_refused(tmp_path, share):
    with pytest.raises(ValueError, match=f"Received: share={share}"):
        split_class_folder(fill(tmp_path, {"a": 4, "b": 4}), share)
