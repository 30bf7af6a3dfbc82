"""Folders and TFDS sets open by name, with classes in ImageNet's order."""

import pytest

tf = pytest.importorskip("tensorflow")
tfds = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("sklearn")

from keras_pyconv.datasets.picture_sets import picture_set  # noqa: E402
from tests.datasets.pictures import write_folder  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("pictures"))


def names(pictures, order=None):
    examples = pictures.examples(order)
    return [example["name"].decode() for example in tfds.as_numpy(examples)]


def test_a_folder_numbers_classes_by_their_sorted_names(folder):
    pictures = picture_set(folder)
    assert pictures.classes == ("china", "flower")
    assert pictures.count == 12
    for example in tfds.as_numpy(pictures.examples()):
        of_class = pictures.classes[example["label"]]
        assert f"/train/{of_class}/" in example["name"].decode()


def test_validation_finds_the_folder_of_another_name(folder):
    pictures = picture_set(folder, "validation")
    assert pictures.count == 6 and pictures.name.endswith(", val")


def test_the_order_of_a_folder_follows_from_the_number_of_the_order(folder):
    pictures = picture_set(folder)
    orders = [names(pictures, tf.constant(n, tf.int64)) for n in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == names(pictures) == sorted(orders[2])


@pytest.mark.parametrize(
    "change, split, said",
    [
        pytest.param("train/china", "test2", "no split 'test2'", id="split"),
        pytest.param("val/dog", "val", "such as 'dog'", id="class"),
        pytest.param("new/china", "new", "contain no image", id="empty"),
    ],
)
def test_what_is_wrong_with_a_folder_is_named(tmp_path, change, split, said):
    write_folder(tmp_path, train=1, val=1)
    (tmp_path / change).mkdir(parents=True, exist_ok=True)
    with pytest.raises(ValueError, match=said):
        picture_set(tmp_path, split)


def test_links_and_hidden_folders_bring_no_class_and_no_image(tmp_path, caplog):
    """A loop, a way up to the validation images, a notebook's copies."""
    write_folder(tmp_path, train=3, val=2)
    before = picture_set(tmp_path)
    train = tmp_path / "train"
    (train / "china" / "loop").symlink_to(".")
    (train / "china" / "up").symlink_to("../..")
    (train / "china" / "._0.jpg").touch()
    (train / ".ipynb_checkpoints").mkdir()
    (train / ".ipynb_checkpoints" / "0.jpg").touch()
    (train / "china" / "photo.heic").touch()
    (train / "loose.jpg").write_bytes((train / "china" / "0.jpg").read_bytes())
    caplog.clear()
    after = picture_set(tmp_path)
    assert after.classes == before.classes == ("china", "flower")
    assert names(after) == names(before) and after.digest == before.digest
    assert sum(after.problems.values()) == 6
    (record,) = caplog.records
    assert "6 entries left out" in record.message
    assert picture_set(tmp_path, "val").count == 4


def test_pictures_without_class_folders_are_refused_with_advice(tmp_path):
    (tmp_path / "train").mkdir()
    for number in range(3):
        (tmp_path / "train" / f"{number}.JPEG").touch()
    with pytest.raises(ValueError, match="but 3 files"):
        picture_set(tmp_path)


@pytest.mark.parametrize("opened", ["picture", "mask", "video", "detection"])
def test_what_is_no_name_and_no_folder_is_refused_alike(opened, tmp_path):
    from keras_pyconv import datasets

    opened = getattr(datasets, f"{opened}_set")
    for name in (3, None, ""):
        said = f"`name` must be a .*Received: name={name!r}"
        with pytest.raises((TypeError, ValueError), match=said):
            opened(name)
    with pytest.raises(ValueError, match="/nowhere' does not exist"):
        opened(str(tmp_path / "nowhere"))


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="'no_such_set' is neither"):
        picture_set("no_such_set")


def test_archives_that_are_to_be_fetched_by_hand_are_named(tmp_path):
    words = "Manual directory .* ILSVRC2012_img_train.tar"
    with pytest.raises(FileNotFoundError, match=words):
        picture_set("imagenet2012", data_dir=tmp_path)


def test_a_set_without_classes_is_refused(tmp_path):
    with tfds.testing.mock_data():
        with pytest.raises(ValueError, match="is no classification set"):
            picture_set("scene_parse150", data_dir=tmp_path)


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory):
    with tfds.testing.mock_data(num_examples=5):
        folder = tmp_path_factory.mktemp("tfds")
        return picture_set("imagenet2012", data_dir=folder)


def test_imagenet_of_tfds_is_in_the_order_of_sorted_wnids(imagenet):
    assert len(imagenet.classes) == 1000
    assert list(imagenet.classes) == sorted(imagenet.classes)
    # As in Keras's `decode_predictions` and in the authors' ImageFolder.
    known = {
        0: "n01440764",
        207: "n02099601",
        281: "n02123045",
        999: "n15075141",
    }
    assert {n: imagenet.classes[n] for n in known} == known


def test_a_folder_of_wnids_has_imagenets_labels(imagenet, tmp_path):
    for split in ("train", "val"):
        for wnid in imagenet.classes:
            (tmp_path / split / wnid).mkdir(parents=True)
    for number in (0, 500, 999):
        wnid = imagenet.classes[number]
        (tmp_path / "train" / wnid / f"{wnid}_1.JPEG").touch()
    pictures = picture_set(tmp_path)
    assert pictures.classes == imagenet.classes
    labels = [int(e["label"]) for e in pictures.examples()]
    assert labels == [0, 500, 999]


def test_a_builder_of_tfds_is_opened_as_it_is(tmp_path):
    from keras_pyconv.datasets import prepare_digits_in_photos

    config = {"train_examples": 8, "test_examples": 4}
    builder = prepare_digits_in_photos(data_dir=tmp_path, **config)
    pictures = picture_set(builder, "validation")
    part = picture_set(builder, "train[:50%]")
    assert pictures.count == 4
    assert pictures.name == "digits_in_photos/classification/1.0.0, test"
    assert part.count == 4 and part.classes == tuple("0123456789")
    example, *_ = tfds.as_numpy(part.examples())
    assert example["picture"].startswith(b"\x89PNG")
    assert b"train" in example["name"]
