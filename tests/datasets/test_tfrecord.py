"""Sets in TFRecord equal those of files, and TF Model Garden reads them."""

import gzip
import io
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import keras_pyconv
from keras_pyconv import commands, datasets
from keras_pyconv.datasets import tfrecord
from keras_pyconv.tasks import default_boxes, detection
from tests.datasets import mask_folders, pictures, scenes

official = pytest.mark.official


# Where files are --------------------------------------------------------------


@pytest.mark.parametrize(
    "name, good",
    [
        ("gs://bucket/train*.tfrecord", True),
        ("train-00000-of-00010.tfrecord", True),
        ("train.tfrecord-?????-of-00010", True),
        ("a/train.tfrecords*", True),
        ("train.tfrecord.gz", False),
        ("a.tfrecord/train", False),
        ("coco/2017", False),
    ],
)
def test_patterns_of_tfrecord_are_known_by_their_ending(name, good):
    assert tfrecord.is_tfrecord(name) == good


def _touch(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return f"{folder}/"


def test_a_split_has_the_files_whose_names_say_it(tmp_path):
    root = _touch(
        tmp_path / "of_train",
        *("coco_train-00000-of-00001.tfrecord", "coco_val-x.tfrecord"),
        "validate.tfrecord",
    )

    def found(pattern, split):
        return [p.removeprefix(root) for p in files_of(root + pattern, split)]

    files_of = tfrecord.files_of
    one, other = ["coco_train-00000-of-00001.tfrecord"], ["coco_val-x.tfrecord"]
    for pattern in ("coco_train*.tfrecord", "coco_val*.tfrecord", "*.tfrecord"):
        assert found(pattern, "train") == one
        assert found(pattern, "validation") == other
    for split in ("train", "val"):
        _touch(tmp_path / split, f"{split}-1.tfrecord", "part.tfrecord")
        path = str(tmp_path / split)
        for pattern, one in (("*", f"{split}-1"), ("part*", "part")):
            names = files_of(f"{tmp_path}/train/{pattern}.tfrecord", split)
            assert names == [f"{path}/{one}.tfrecord"]
    with pytest.raises(
        ValueError, match=r"split 'minival\['; looked for .*say"
    ):
        found("coco_train*.tfrecord", "minival[")


def test_a_part_of_the_files_is_refused(tmp_path):
    names = [f"train-{n:05}-of-00003.tfrecord" for n in (0, 2)]
    root = _touch(tmp_path, *names)
    with pytest.raises(ValueError, match="is one of 3 files, and there are 2"):
        tfrecord.files_of(root + "train*.tfrecord", "train")


def test_without_the_library_one_line_says_what_to_install(monkeypatch):
    for name in ("classification_input", "tf_example_decoder"):
        module = f"official.vision.dataloaders.{name}"
        monkeypatch.setitem(sys.modules, module, None)
    for opened in (datasets.picture_set, datasets.detection_set):
        with pytest.raises(ImportError, match=r"'\.\[official\]'"):
            opened("train*.tfrecord")


# The same examples ------------------------------------------------------------


def _batches(batches, steps=6):
    return list(batches(1).take(steps).as_numpy_iterator())


def _same(first, second):
    first, second = tf.nest.flatten(first), tf.nest.flatten(second)
    assert len(first) == len(second) > 0
    for one, other in zip(first, second):
        np.testing.assert_array_equal(one, other)


@official
def test_images_of_folders_train_alike_in_tfrecord(tmp_path):
    root = pictures.write_folder(tmp_path / "data", train=5)
    broken = root / "train" / "china" / "2.jpg"
    broken.write_bytes(broken.read_bytes()[:300])
    for split in ("train", "val"):
        folder = datasets.picture_set(root, split)
        pattern = f"ram://pictures/{split}-*.tfrecord"
        datasets.write_tfrecord(folder, pattern, shards=3)
    assert len(tf.io.gfile.glob("ram://pictures/*")) == 7
    for split in ("train", "validation"):
        folder = datasets.picture_set(root, split)
        records = datasets.picture_set("ram://pictures/val*.tfrecord", split)
        assert records.classes == folder.classes
        assert records.digest == folder.digest
    options = {"batch_size": 2, "seed": 5}
    prepared = keras_pyconv.tasks.preprocessing.imagenet_preprocessing(32)
    folder = datasets.picture_set(root)
    records = datasets.picture_set("ram://pictures/train*.tfrecord")
    limits = [datasets.BrokenPictures(1), datasets.BrokenPictures(1)]
    found = [
        datasets.training_pictures(one, prepared, broken=limit, **options)
        for one, limit in zip((folder, records), limits)
    ]
    assert found[0].fingerprint == found[1].fingerprint
    _same(*map(_batches, found))
    assert [*limits[1].reasons] == ["china/2.jpg"]
    judged = [
        datasets.evaluation_pictures(one, prepared, batch_size=4)
        for one in (folder, records)
    ]
    _same(*[list(one.as_numpy_iterator()) for one in judged])


def _coco(folder):
    """A set with a crowd, an image that lies turned, and one of nothing."""
    (folder / "images").mkdir(parents=True)
    content = scenes.coco_content()
    content["annotations"].append(
        {**content["annotations"][0], "id": 9, "iscrowd": 1, "area": 300.0}
    )
    content["images"].append(
        {"id": 12, "file_name": "12.png", "height": 50, "width": 80}
    )
    path = scenes.write_coco(folder / "images", content)
    Image.fromarray(np.full((50, 80, 3), 99, "uint8")).save(
        folder / "images" / "12.png"
    )
    picture = scenes.bright_box(50, 80, scenes.BOXES[1])
    scenes.save_turned(folder / "images" / "9.png", picture, 6)
    return path


def _by_coco(annotations, prefix):
    scenes.create_coco_tf_record(annotations, annotations.parent, prefix)


def _by_ours(annotations, prefix):
    found = datasets.coco_files(annotations, annotations.parent)
    datasets.write_tfrecord(found, f"{prefix}-*.tfrecord", shards=3)


@official
@pytest.mark.parametrize("write", [_by_coco, _by_ours])
def test_scenes_of_coco_train_alike_in_tfrecord(write, tmp_path):
    annotations = _coco(tmp_path)
    write(annotations, str(tmp_path / "train"))
    pattern = tmp_path / "train*.tfrecord"
    for only in (False, True):
        of_json = datasets.coco_files(
            annotations, annotations.parent, with_objects_only=only
        )
        records = datasets.detection_set(pattern, with_objects_only=only)
        assert records.count == of_json.count == 4 - only
        assert records.digest == of_json.digest
        assert records.classes == of_json.classes == ("a", "d", "z")
        assert records.categories == of_json.categories == (1, 18, 90)
    model = keras_pyconv.SSD("ResNetMini", input_shape=(64, 64, 3), classes=4)
    boxes = default_boxes(model)
    found = [
        datasets.training_scenes(one, boxes, (64, 64), batch_size=2, seed=3)
        for one in (of_json, records)
    ]
    _same(*[_batches(one, 3) for one in found])


@official
def test_scenes_in_tfrecord_are_judged_as_those_of_coco(tmp_path):
    annotations = _coco(tmp_path)
    _by_ours(annotations, str(tmp_path / "val"))
    of_json = datasets.coco_files(annotations, annotations.parent)
    labels = dict(zip(of_json.categories, of_json.classes))
    records = datasets.detection_set(
        tmp_path / "train*.tfrecord", "validation", categories=labels
    )
    judged = [
        datasets.evaluation_scenes(one, (64, 64), batch_size=2)
        for one in (of_json, records)
    ]
    _same(*[list(one.as_numpy_iterator()) for one in judged])
    first, second = [one.truth() for one in (of_json, records)]
    results = detection.DetectionResults()
    results.add(7, [[11, 20, 41, 60]], [1], [0.9])
    numbers = detection.coco_numbers(first, results)
    assert numbers == detection.coco_numbers(second, results)
    assert 0 < numbers["AP"] < 1
    with pytest.raises(ValueError, match="18 is 'd' and not 'c'"):
        datasets.detection_set(
            tmp_path / "val*.tfrecord", "val", categories={**labels, 18: "c"}
        )


@official
@pytest.mark.parametrize("rule", ["from_one", "from_zero"])
def test_masks_train_alike_in_tfrecord(rule, tmp_path):
    root = mask_folders.write(tmp_path / "data")
    folder = datasets.mask_set(root, rule=rule, classes=151)
    datasets.write_tfrecord(folder, tmp_path / "train-*.tfrecord")
    records = datasets.mask_set(f"{tmp_path}/train*.tfrecord")
    assert records.classes == folder.classes
    found = [
        datasets.training_masks(one, 32, batch_size=2, seed=5)
        for one in (folder, records)
    ]
    _same(*map(_batches, found))
    _same(*[list(datasets.whole_pictures(one)) for one in (folder, records)])


# TF Model Garden --------------------------------------------------------------


@official
def test_the_decoders_of_model_garden_find_what_was_written(tmp_path):
    from official.vision.dataloaders import (
        classification_input,
        segmentation_input,
        tf_example_decoder,
    )

    def first(found, decoder):
        path = f"ram://decoders/{type(found).__name__}/train-*.tfrecord"
        datasets.write_tfrecord(found, path)
        record = next(iter(tf.data.TFRecordDataset(tf.io.gfile.glob(path))))
        return decoder.decode(record), next(iter(found.examples(None)))

    root = pictures.write_folder(tmp_path / "pictures", train=2)
    labelled = datasets.picture_set(root)
    decoded, example = first(labelled, classification_input.Decoder())
    assert int(decoded["image/class/label"]) == int(example["label"])
    assert decoded["image/encoded"] == labelled.encoded(example)

    root = mask_folders.write(tmp_path / "masks")
    masks = datasets.mask_set(root)
    decoded, example = first(masks, segmentation_input.Decoder())
    mask = Image.open(
        io.BytesIO(decoded["image/segmentation/class/encoded"].numpy())
    )
    np.testing.assert_array_equal(np.array(mask), masks.decoded(example)[1])

    annotations = _coco(tmp_path / "coco")
    found = datasets.coco_files(annotations, annotations.parent)
    decoder = tf_example_decoder.TfExampleDecoder()
    decoded, example = first(found, decoder)
    _same(
        [
            decoded[f"groundtruth_{name}"]
            for name in ("boxes", "area", "is_crowd", "classes")
        ],
        [example[name] for name in ("boxes", "areas", "crowds")]
        + [np.take(found.categories, example["labels"])],
    )
    assert decoded["source_id"] == b"7"
    assert decoded["height"], decoded["width"] == (50, 80)
    np.testing.assert_array_equal(decoded["image"], found.decoded(example))


# What is refused --------------------------------------------------------------


def _written(tmp_path):
    annotations = _coco(tmp_path)
    _by_ours(annotations, str(tmp_path / "train"))
    return sorted(tmp_path.glob("*.tfrecord")), tmp_path / "train*.tfrecord"


@official
def test_a_file_that_is_cut_short_is_named(tmp_path):
    files, pattern = _written(tmp_path)
    files[1].write_bytes(files[1].read_bytes()[:-9])
    with pytest.raises(ValueError, match="00001-of-00003.*truncated record"):
        datasets.detection_set(pattern)


@official
def test_a_compressed_file_is_named(tmp_path):
    files, pattern = _written(tmp_path)
    files[1].write_bytes(gzip.compress(files[1].read_bytes()))
    with pytest.raises(ValueError, match="00001-of-00003.*by gzip: unpack it"):
        datasets.detection_set(pattern)


@official
def test_records_of_another_kind_are_told(tmp_path):
    files, pattern = _written(tmp_path)
    with pytest.raises(
        ValueError, match="4 of 4 records have no .*segmentation"
    ):
        datasets.mask_set(pattern)
    with pytest.raises(
        ValueError, match="4 of 4 records have no .*class/label"
    ):
        datasets.picture_set(pattern)


@official
def test_classes_without_names_are_told_how_to_give_them(tmp_path):
    root = pictures.write_folder(tmp_path / "data", train=2)
    datasets.write_tfrecord(
        datasets.picture_set(root), tmp_path / "train-*.tfrecord"
    )
    pattern, names = tmp_path / "train*.tfrecord", tmp_path / "classes.txt"
    names.unlink()
    assert datasets.picture_set(pattern).classes == ("china", "flower")
    names.write_text("flower\n")
    with pytest.raises(ValueError, match="2 labels are not from 0 to 0"):
        datasets.picture_set(pattern)
    root = mask_folders.write(tmp_path / "masks")
    pattern = str(tmp_path / "masks" / "train-*.tfrecord")
    datasets.write_tfrecord(datasets.mask_set(root), pattern)
    (tmp_path / "masks" / "classes.txt").unlink()
    said = "do not name their classes. Put .*classes.txt beside them"
    with pytest.raises(ValueError, match=said):
        datasets.mask_set(pattern)
    assert len(datasets.mask_set(pattern, classes=150).classes) == 150


@official
def test_nothing_that_is_there_is_overwritten(tmp_path):
    files, pattern = _written(tmp_path)
    found = datasets.detection_set(pattern)
    with pytest.raises(FileExistsError, match="00000-of-00003.tfrecord exists"):
        datasets.write_tfrecord(found, tmp_path / "train-*.tfrecord")
    (tmp_path / "classes.txt").write_text("other\n")
    with pytest.raises(FileExistsError, match="names other classes"):
        datasets.write_tfrecord(found, tmp_path / "val-*.tfrecord")


@official
def test_doctor_counts_classes_and_names_what_is_broken(tmp_path, capsys):
    root = pictures.write_folder(tmp_path / "data", train=12)
    broken = root / "train" / "china" / "2.jpg"
    broken.write_bytes(broken.read_bytes()[:99])
    for split in ("train", "val"):
        path = tmp_path / f"{split}-*.tfrecord"
        datasets.write_tfrecord(datasets.picture_set(root, split), path)
    assert commands.main(["doctor", f"{tmp_path}/train*.tfrecord"]) == 0
    said = capsys.readouterr().out
    assert "train: 23 (flower 12, china 11)" in said
    assert "china/2.jpg" in said and "STOPS" not in said
    _, pattern = _written(tmp_path / "coco")
    assert commands.main(["doctor", str(pattern)]) == 1
    said = capsys.readouterr().out
    assert "train: 4 (z 1, a 1, d 2)" in said or "train: 4 (d 2" in said
    assert "for the split 'val'" in said
