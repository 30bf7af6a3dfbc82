"""Masks are read by an explicit rule, and wrong ones refused by name."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from keras_pyconv.datasets import mask_sets
from keras_pyconv.datasets.mask_sets import mask_set
from keras_pyconv.datasets.sets import joined
from tests.datasets import scenes
from tests.datasets.mask_folders import SIZES, mask, picture, write

tfds = pytest.importorskip("tensorflow_datasets")


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "ade")


def decoded(masks):
    return [
        [part.numpy() for part in masks.decoded(example)]
        for example in masks.examples(None)
    ]


def test_in_ade20k_zero_is_no_class(folder):
    masks = mask_set(folder)
    assert masks.count == 3 and masks.classes[0] == "wall"
    for number, (image, labels) in enumerate(decoded(masks)):
        raw = mask(SIZES[number], number).astype(int)
        np.testing.assert_array_equal(labels, np.where(raw == 0, 255, raw - 1))
        assert image.shape == (*SIZES[number], 3)


def test_under_the_other_rule_classes_count_from_zero(folder):
    masks = mask_set(folder, classes=151, rule="from_zero")
    for number, (_, labels) in enumerate(decoded(masks)):
        np.testing.assert_array_equal(labels, mask(SIZES[number], number))


def save(folder, mode, values, number=1):
    path = folder / "annotations" / "training" / f"{number}.png"
    image = Image.fromarray(values)
    if mode == "P":
        image = image.convert("P")
        image.putpalette(list(range(256)) * 3)
    image.save(path)


SIZE = SIZES[1]
WRONG = {
    "a class too many": (
        "L",
        mask(SIZE) * 0 + 151,
        "1.jpg holds the value 151 but of 150 .* is 150$",
    ),
    "a palette": ("P", mask(SIZE), "1.jpg must .* found palette of 8 bits"),
    "colours": ("RGB", picture(SIZE), "1.jpg must .* found RGB of 8 bits"),
    "16 bits": ("I;16", mask(SIZE).astype("uint16"), "found gray of 16 bits"),
    "another size": ("L", mask((31, 50)), "1.jpg is 50 x 31, and not 31 x 50"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_mask_that_cannot_be_one_is_refused_with_what_was_found(
    folder, wrong
):
    mode, values, message = WRONG[wrong]
    save(folder, mode, values)
    with pytest.raises(ValueError, match=message):
        mask_set(folder)


@pytest.mark.parametrize(
    "rule, object_, lost",
    [(None, 1, "0 and 1.*0 is no class"), ("from_zero", 255, "255 is no cl")],
)
def test_masks_of_two_values_of_which_one_would_be_lost_are_refused(
    folder, rule, object_, lost
):
    for number, size in enumerate(SIZES):
        values = (mask(size, number) > 70) * np.uint8(object_)
        save(folder, "L", values, number)
    with pytest.raises(ValueError, match=f"{lost}.*rule=.binary"):
        mask_set(folder, classes=2, rule=rule)
    masks = mask_set(folder, rule="binary")
    assert masks.classes == ("background", "object")
    for number, (_, labels) in enumerate(decoded(masks)):
        np.testing.assert_array_equal(labels, mask(SIZES[number], number) > 70)
    with pytest.raises(ValueError, match="two classes.*Received: 3"):
        mask_set(folder, rule="binary", classes=3)


def test_masks_of_a_set_sorted_by_class_are_no_binary_masks(tmp_path):
    folder = write(tmp_path, sizes=[(8, 8)] * 60)
    for number in range(60):
        values = np.uint8(mask((8, 8)) > 70) * np.uint8(1 + (number > 29))
        save(folder, "L", values, number)
    assert mask_set(folder, classes=("cat", "dog")).count == 60


def test_a_third_value_is_no_binary_mask(folder):
    save(folder, "L", mask(SIZE) * 0 + 7)
    with pytest.raises(ValueError, match="1.jpg|0.jpg.*holds the value"):
        mask_set(folder, rule="binary")


@pytest.mark.parametrize("name", ["._1.jpg", ".ipynb_checkpoints/1.jpg"])
def test_hidden_files_have_no_masks_and_are_counted(folder, name, caplog):
    path = folder / "images" / "training" / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    masks = mask_set(folder)
    assert masks.count == 3
    assert masks.problems == {"left out, hidden or of the system": 1}
    assert "1 entries left out: 1 hidden" in caplog.text


def test_two_images_of_one_name_are_refused_with_both(folder):
    image = Image.fromarray(picture(SIZE))
    image.save(folder / "images" / "training" / "1.png")
    with pytest.raises(ValueError, match="but for the ending.*1.jpg and 1.png"):
        mask_set(folder)


def test_masks_of_jpeg_are_refused_with_what_they_must_be(folder):
    path = folder / "annotations" / "training" / "1.png"
    Image.open(path).save(path.with_suffix(".jpg"))
    path.unlink()
    with pytest.raises(ValueError, match=": 1.jpg. A mask must be PNG"):
        mask_set(folder)


def test_pairs_in_folders_below_belong_to_the_set(folder):
    for kind, name in (("images", "0.jpg"), ("annotations", "0.png")):
        path = folder / kind / "training" / name
        path.parent.joinpath("town").mkdir()
        path.rename(path.parent / "town" / name)
    masks = mask_set(folder)
    names = [e["name"].numpy().decode() for e in masks.examples(None)]
    assert names == ["1.jpg", "2.jpg", "town/0.jpg"]


def test_sizes_of_all_pictures_are_compared_before_any_work(
    folder, monkeypatch
):
    monkeypatch.setattr(mask_sets, "LOOKED_AT", 0)
    save(folder, "L", mask((31, 50)))
    message = "1 masks do not .*: 1.jpg is 50 x 31, and not 31 x 50. Bring"
    with pytest.raises(ValueError, match=message):
        mask_set(folder)


def test_an_image_that_lies_turned_is_turned_for_its_mask(folder, caplog):
    path = folder / "images" / "training" / "1.png"
    path.with_suffix(".jpg").unlink()
    before = mask_set(write(folder.parent / "plain")).digest
    for orientation in range(1, 9):
        scenes.save_turned(path, picture(SIZE, 1), orientation)
        masks = mask_set(folder)
        image, _ = decoded(masks)[1]
        np.testing.assert_array_equal(image, picture(SIZE, 1))
        in_python = masks.decoded_in_python(list(masks.examples(None))[1])
        np.testing.assert_array_equal(in_python[0], picture(SIZE, 1))
    assert "1 pictures turned as EXIF says, which" in caplog.text
    assert masks.digest != before
    scenes.stored(picture(SIZE, 1), 6).save(path)
    with pytest.raises(ValueError, match="1.png is 31 x 50, and not 50 x 31"):
        mask_set(folder)


def test_150_of_150_classes_counted_from_zero_is_refused(folder):
    with pytest.raises(ValueError, match="holds the value 150 .* is 149"):
        mask_set(folder, rule="from_zero")


def test_no_png_is_refused(folder):
    path = folder / "annotations" / "training" / "0.png"
    Image.fromarray(mask(SIZES[0])).save(path, "JPEG")
    with pytest.raises(
        ValueError, match="0.jpg must .* found a file that is no PNG"
    ):
        mask_set(folder)


def cut(path, length=60):
    path.write_bytes(path.read_bytes()[:length])


def no_picture(path):
    path.write_text("no picture\n" * 20)


DAMAGED = {
    "a cut mask": ("annotations", "1.png", cut, "The mask of 1.jpg"),
    "a cut picture": ("images", "1.jpg", cut, "The picture 1.jpg"),
    "a text": ("images", "1.jpg", no_picture, "The picture 1.jpg"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_named_with_what_was_found(folder, damage):
    kind, name, harm, what = DAMAGED[damage]
    masks = mask_set(folder)
    path = folder / kind / "training" / name
    harm(path)
    wanted = rf"^{path}: {what} cannot be read: [^{{]+$"
    for look in (masks.check, lambda: mask_set(folder)):
        with pytest.raises(ValueError, match=wanted):
            look()


def test_the_classes_are_the_lines_of_a_file_in_the_folder(folder):
    names = [f"class {number}" for number in range(150)]
    (folder / "classes.txt").write_text("\n".join(names) + "\n\n")
    assert mask_set(folder).classes == tuple(names)
    assert mask_set(folder, classes=151).classes[0] == "0"
    (folder / "classes.txt").write_text("cat\ndog\ncat\n")
    with pytest.raises(ValueError, match="classes.txt .* 3 names.*'cat'"):
        mask_set(folder)


@pytest.mark.parametrize(
    "content, said",
    [
        (b"cat\ndog\n\ncat\n", "line 4, 'cat'"),
        (b"cat\nd\x1b[2Jog\n", r"line 2, 'd\\x1b"),
        (b"cat\nd\xe9\n", "is not UTF-8 text: line 2"),
        (b"\n\n", "0 names"),
    ],
    ids=["twice", "control", "latin", "empty"],
)
def test_a_file_of_classes_that_is_none_is_refused(folder, content, said):
    (folder / "classes.txt").write_bytes(content)
    with pytest.raises(ValueError, match=rf"classes.txt .*{said}"):
        mask_set(folder)


def test_a_folder_in_the_place_of_the_classes_is_refused(folder):
    (folder / "classes.txt").mkdir()
    with pytest.raises(ValueError, match="classes.txt' is a folder"):
        mask_set(folder)


def test_a_file_of_classes_may_come_from_an_editor_of_windows(folder):
    names = [f"class {number}" for number in range(150)]
    text = "\r\n".join(names)
    (folder / "classes.txt").write_bytes(text.encode("utf-16"))
    assert mask_set(folder).classes == tuple(names)


def test_a_picture_without_mask_is_named(folder):
    (folder / "annotations" / "training" / "2.png").unlink()
    with pytest.raises(ValueError, match="1 images have no mask: 2"):
        mask_set(folder)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda f: mask_set(f, "test"), "no split 'test'. Known: .'training"),
        (lambda f: mask_set(f / "images"), "none of the folders images"),
        (lambda f: mask_set("/no/such"), "The folder '/no/such'"),
        (lambda f: mask_set("scene_parse150"), "instances"),
        (lambda f: mask_set(f, rule="from_two"), "'from_two'"),
    ],
)
def test_what_is_no_such_set_is_refused(folder, call, message):
    with pytest.raises(ValueError, match=message):
        call(folder)


def builder(manual_dir, data_dir):
    from keras_pyconv.datasets.ade20k import Ade20k

    made = Ade20k(data_dir=str(data_dir))
    config = tfds.download.DownloadConfig(manual_dir=str(manual_dir))
    made.download_and_prepare(download_config=config)
    return made


@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
def test_tfds_makes_ade20k_of_the_archive(tmp_path, zipped):
    manual = tmp_path / "manual"
    root = write(manual / "ADEChallengeData2016")
    write(manual / "ADEChallengeData2016", "validation", SIZES[:2])
    (root / "sceneCategories.txt").write_text("0 bathroom\n1 misc\n")
    if zipped:
        with zipfile.ZipFile(tmp_path / f"{root.name}.zip", "w") as archive:
            for path in root.rglob("*.*"):
                archive.write(path, path.relative_to(manual))
        manual = tmp_path
        root.rename(tmp_path / "away")
    made = builder(manual, tmp_path / "data")
    example = next(iter(made.as_dataset(split="train")))
    assert {"bathroom", "misc", ""} >= {example["scene"].numpy().decode()}
    validation = mask_set(made, "validation")
    assert validation.count == 2 and validation.rule == "from_one"
    train = mask_set(made)
    assert train.count == 3 and len(train.classes) == 150
    found = sorted(labels.sum() for _, labels in decoded(train))
    again = sorted(
        np.where(mask(size, n) == 0, 255, mask(size, n).astype(int) - 1).sum()
        for n, size in enumerate(SIZES)
    )
    assert found == again


def test_the_builder_refuses_masks_of_another_archive(tmp_path):
    root = write(tmp_path / "ADEChallengeData2016")
    save(root, "RGB", picture(SIZE))
    with pytest.raises(ValueError, match="1.jpg .* RGB .*archive of 2016"):
        builder(tmp_path, tmp_path / "data")


def test_the_builder_names_a_damaged_mask(tmp_path):
    root = write(tmp_path / "ADEChallengeData2016")
    cut(root / "annotations" / "training" / "1.png")
    with pytest.raises(ValueError, match="The mask of 1.jpg cannot be read: "):
        builder(tmp_path, tmp_path / "data")


def test_the_builder_names_an_archive_that_was_cut_short(tmp_path):
    path = tmp_path / "ADEChallengeData2016.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ADEChallengeData2016/a.txt", "a" * 1000)
    cut(path)
    with pytest.raises(
        ValueError, match="2016.zip is not a complete ZIP .*again"
    ):
        builder(tmp_path, tmp_path / "data")


def test_the_builder_names_scenes_that_are_no_text(tmp_path):
    root = write(tmp_path / "ADEChallengeData2016")
    write(root, "validation", SIZES[:2])
    (root / "sceneCategories.txt").write_bytes(b"0 bathroom\n1 caf\xe9\n")
    with pytest.raises(ValueError, match="sceneCategories.txt .*line 2 .*0xe9"):
        builder(tmp_path, tmp_path / "data")


def test_where_the_archive_is_missing_its_address_is_said(tmp_path):
    (tmp_path / "manual").mkdir()
    (tmp_path / "manual" / "something").touch()
    with pytest.raises(FileNotFoundError, match="csail.mit.edu"):
        builder(tmp_path / "manual", tmp_path / "data")


def test_the_digits_count_their_background(tmp_path):
    from keras_pyconv.datasets import prepare_digits_in_photos

    made = prepare_digits_in_photos(
        "segmentation", data_dir=tmp_path, train_examples=3, test_examples=2
    )
    masks = mask_set(made, "test")
    assert masks.rule == "from_zero" and len(masks.classes) == 11
    assert masks.count == 2
    assert {0} < set(np.unique(decoded(masks)[0][1])) <= set(range(11))
    digits = mask_set(made, "test", rule="from_one")
    assert digits.classes == tuple("0123456789")
    labels = decoded(digits)[0][1]
    np.testing.assert_array_equal(labels == 255, decoded(masks)[0][1] == 0)


def names(examples):
    return [one["name"].decode() for one in examples.as_numpy_iterator()]


def test_splits_are_joined_and_mixed(folder):
    write(folder, "validation", [(30, 30)] * 40)
    training, validation = mask_set(folder), mask_set(folder, "validation")
    both = joined(training, validation)
    assert both.count == 43 and both.classes == training.classes
    apart = names(training.examples()) + names(validation.examples())
    assert names(both.examples()) == apart
    mixed = names(both.examples(7))
    assert mixed == names(both.examples(7)) != names(both.examples(8))
    assert sorted(mixed) == sorted(apart)
    assert both.check().name.endswith("validation")
    assert both.digest not in (training.digest, validation.digest)
    assert both.digest != joined(validation, training).digest


def test_sets_of_other_classes_are_not_joined(folder):
    others = mask_set(folder, classes=151, rule="from_zero")
    with pytest.raises(ValueError, match="the same type and classes.*training"):
        joined(mask_set(folder), others)
