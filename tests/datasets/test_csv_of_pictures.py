"""A CSV of images and labels is a set: of one label an image, or of several."""

import numpy as np
import pytest

from keras_pyconv import datasets
from keras_pyconv.datasets.picture_sets import has_splits
from keras_pyconv.datasets.splits import held_back
from tests.datasets.pictures import encoded


def write(root, *lines, files="abcdef"):
    """`root/list.csv`, and an image for each letter, `a.png` and so on."""
    for number, name in enumerate(files):
        pixels = np.full((8, 8, 3), 20 * number, "uint8")
        (root / f"{name}.png").write_bytes(encoded(pixels, "PNG"))
    path = root / "list.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def labels(pictures):
    rows = pictures.examples().as_numpy_iterator()
    return {row["name"].decode()[-5]: row["label"].tolist() for row in rows}


def test_one_label_an_image(tmp_path):
    path = write(tmp_path, "id,path,label", "1,b.png,dog", "2,a.png,cat")
    pictures = datasets.picture_set(path)
    assert pictures.classes == ("cat", "dog") and not pictures.multi_label
    assert labels(pictures) == {"b": 1, "a": 0}
    forced = datasets.picture_set(path, multi_label=True)
    assert forced.multi_label and forced.classes == pictures.classes


def test_several_labels_or_none_an_image(tmp_path):
    lines = "a.png,dog; cat", "b.png,", "c.png,cow|cat|cow", "d.png,dog"
    path = write(tmp_path, "path,label", *lines)
    pictures = datasets.picture_set(path, "anything")
    assert pictures.classes == ("cat", "cow", "dog") and pictures.multi_label
    assert labels(pictures) == {
        **{"a": [1, 0, 1], "b": [0, 0, 0]},
        **{"c": [1, 1, 0], "d": [0, 0, 1]},
    }
    path.write_text("path,label\na.png,cat;dog\nb.png,cat\n")
    pictures = datasets.picture_set(path, multi_label=False)
    assert pictures.classes == ("cat", "cat;dog")


def test_a_column_has_the_split(tmp_path):
    lines = (
        "a.png,2,train",
        "b.png,0,validate",
        "c.png,0,train",
        "a.png,2,train",
    )
    path = write(tmp_path, "path,label,split", *lines)
    training = datasets.picture_set(path)
    assert training.classes == ("0", "1", "2") and has_splits(path)
    assert labels(training) == {"a": 2, "c": 0} and training.count == 2
    assert training.problems == {"repeated rows": 1}
    assert labels(datasets.picture_set(path, "validation")) == {"b": 0}
    assert not has_splits(write(tmp_path, "path,label", "a.png,b"))


WRONG = {
    "columns": (["file,label", "a.png,x"], "once: path and label.*'file'"),
    "one class": (["path,label", "a.png,x"], "two classes. Found: .'x'"),
    "no class": (["path,label", "a.png,"], r"two classes. Found: \[\]"),
    "no path": (["path,label", ",x", "a.png,y"], "line 2: path is ''"),
    "empty name": (["path,label", "a.png,x;;y"], "line 2: label is 'x;;y'"),
    "control": (["path,label", "a.png,\x1b[2J"], r"line 2: label is '\\x1b"),
    "missing": (
        ["path,label", "a.png,x", "no.png,y"],
        "1 of its files do not exist: line 3: 'no.png'. Paths begin at",
    ),
    "two rows": (
        ["path,label", "a.png,x", "b.png,y", "a.png,y"],
        "'a.png' is 'x' in line 2 and 'y' in line 4.* as in cat;dog",
    ),
    "no training": (
        ["path,label,split", "a.png,x,train", "b.png,y;x,val", "c.png,z,train"],
        "1 of its labels have no image to train on: line 3: 'y'",
    ),
    "split": (
        ["path,label,split", "a.png,x,test", "b.png,y,test"],
        "no split 'train'",
    ),
    "Split": (
        ["path,label,Split", "a.png,x,train", "b.png,y,train"],
        "has a column 'Split': name it split",
    ),
}


@pytest.mark.parametrize("lines, message", WRONG.values(), ids=list(WRONG))
def test_a_list_that_is_wrong_is_refused(tmp_path, lines, message):
    with pytest.raises(ValueError, match=message):
        datasets.picture_set(write(tmp_path, *lines))


def test_a_cell_without_a_label_is_refused_where_each_image_has_one(tmp_path):
    path = write(tmp_path, "path,label", "a.png,x", "b.png,", "c.png,y")
    with pytest.raises(ValueError, match="line 3: label is ''. .* a label"):
        datasets.picture_set(path, multi_label=False)


def test_a_list_and_its_folder_are_divided_alike(tmp_path):
    rows = []
    for place in range(20):
        name = f"{'ab'[place % 2]}/{place}.png"
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
        rows.append(f"{name},{name[0]}")
    path = write(tmp_path, "path,label", *reversed(rows), files="")
    for one, other in zip(
        datasets.split_class_folder(path), datasets.split_class_folder(tmp_path)
    ):
        names = [
            {row["name"] for row in part.examples().as_numpy_iterator()}
            for part in (one, other)
        ]
        assert names[0] == names[1] and one.classes == other.classes


def test_every_label_has_its_share_and_an_example_to_train_on():
    rng = np.random.default_rng(1)
    shares = np.array([0.5, 0.3, 0.1, 0.02, 0.004])
    hot = rng.random((1000, 5)) < shares
    own = [tuple(np.flatnonzero(row)) for row in hot]
    names = [f"{number}.jpg" for number in range(1000)]
    held = sorted(held_back(names, own, 0.2))
    found = hot[held].sum(axis=0) / hot.sum(axis=0)
    assert abs(found[:4] - 0.2).max() < 0.03
    assert 0.19 < len(held) / 1000 < 0.21
    # Two images of a class, each with one of a rarer class.
    names, own = list("xyzw"), [("b", "a"), ("a",), ("b", "c"), ("c",)]
    held = held_back(names, own, 0.4)
    kept = [one for place, one in enumerate(own) if place not in held]
    assert {"a", "b", "c"} <= {name for one in kept for name in one}


def test_batches_have_a_row_of_shares_for_each_image(tmp_path):
    lines = "a.png,x;y", "b.png,", "c.png,y", "d.png,x"
    path = write(tmp_path, "path,label", *lines)
    pictures = datasets.picture_set(path)
    rule = datasets.classification.Preprocessing(8, 8)
    batches = datasets.training_pictures(pictures, rule, batch_size=4, seed=1)
    images, targets = next(iter(batches()))
    assert targets.dtype == "float32"
    assert sorted(targets.numpy().tolist()) == [[0, 0], [0, 1], [1, 0], [1, 1]]
    _, mixture = datasets.cutmix()(images, targets, np.array([1, 2]))
    np.testing.assert_allclose(
        mixture.numpy().sum(axis=0), targets.numpy().sum(axis=0), rtol=1e-6
    )
    judged = datasets.evaluation_pictures(pictures, rule, batch_size=3)
    (_, first, _), (_, second, weights) = judged
    assert first.numpy().tolist() == [[1, 1], [0, 0], [0, 1]]
    assert second.numpy()[0].tolist() == [1, 0]
    assert weights.numpy().tolist() == [1, 0, 0]


def test_one_label_an_image_is_a_row_where_that_is_wanted(tmp_path):
    path = write(tmp_path, "path,label", "a.png,x", "b.png,y")
    pictures = datasets.picture_set(path, multi_label=True)
    rule = datasets.classification.Preprocessing(8, 8)
    ((_, rows, _),) = datasets.evaluation_pictures(pictures, rule, batch_size=2)
    assert rows.numpy().tolist() == [[1, 0], [0, 1]]
