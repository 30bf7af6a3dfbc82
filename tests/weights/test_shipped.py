"""Weights in the package load strictly and are as right as recorded."""

import shutil

import keras
import numpy as np
import pytest

import keras_pyconv
from benchmarks import shipped as measured
from keras_pyconv.commands.opening import of_shipped, open_model
from keras_pyconv.tasks.video import predict
from keras_pyconv.weights import published_sets
from keras_pyconv.weights import shipped as rows_of_package
from keras_pyconv.weights import shipped_weights, sources
from keras_pyconv.weights.catalog import shipped_table
from keras_pyconv.weights.described import known

ROWS = {row.task: row for row in shipped_weights()}
MOST = 15e6  # bytes in the wheel
FEW = 60  # examples of the quick tests


@pytest.fixture(scope="module")
def models():
    """Function of a task to its model."""
    made = {}

    def model(task):
        if task not in made:
            made[task] = of_shipped(ROWS[task]).model
        return made[task]

    return model


def held_back(task, count):
    """Examples of the test split, without the files of the whole set."""
    module = pytest.importorskip("keras_pyconv.datasets.digits_in_photos")
    config = module.DigitsInPhotos.builder_configs[task]
    return [module._example(config, "test", number) for number in range(count)]


def test_all_files_together_are_small_and_stored_in_16_bits():
    import h5py

    folder = next(iter(ROWS.values())).path.parent
    assert sum(file.stat().st_size for file in folder.iterdir()) <= MOST
    for row in ROWS.values():
        kinds = set()
        with h5py.File(row.path) as file:
            file.visititems(
                lambda _, one: kinds.add(str(getattr(one, "dtype", "")))
            )
        assert "float16" in kinds and not kinds & {"float32", "float64"}


@pytest.mark.parametrize("task", ROWS)
def test_a_record_says_what_its_weights_are_and_how_they_were_made(task):
    row = ROWS[task]
    assert row.set in published_sets(row.variant) or row.task == "segmentation"
    assert sources.is_whole(row.path)
    made = row.training
    assert made["command"].startswith("python -m recipes.")
    assert made["commit"] and made["machine"] and made["versions"]["keras"]
    assert made["curve"] and "seed" in str(made["constants"])
    assert all(0 <= value <= 1 for value in row.figures.values())
    assert row.name in shipped_table() and row.variant in shipped_table()


@pytest.mark.parametrize("task", ROWS)
def test_names_and_preprocessing_come_with_the_weights(task, models):
    opened = open_model(ROWS[task].name)
    assert opened.task == task
    assert opened.class_names == ROWS[task].class_names


def test_a_classifier_answers_with_nothing_said(models):
    model, right = models("classification"), 0
    examples = held_back("classification", FEW)
    for example in examples:
        found = keras_pyconv.classify(model, example["image"])
        assert found.label in "0123456789"
        right += found.label == str(example["label"])
    expected = ROWS["classification"].figures["accuracy"]
    error = np.sqrt(expected * (1 - expected) / FEW)
    assert right / FEW > expected - 3 * error


def test_a_detector_answers_with_nothing_said(models):
    right, examples = 0, held_back("detection", 20)
    for example in examples:
        found = keras_pyconv.detect(models("detection"), example["image"])
        labels = {one["label"] for one in example["objects"]}
        right += int(found.name(found.labels[0])) in labels
    # The surest box; of all boxes together the record has the AP.
    assert right / len(examples) >= 0.7


def test_a_segmentation_network_answers_with_nothing_said(models):
    import tensorflow as tf

    right = []
    for example in held_back("segmentation", 20):
        found = keras_pyconv.segment(models("segmentation"), example["image"])
        truth = tf.io.decode_png(example["segmentation_mask"]).numpy()[..., 0]
        assert set(found.shares) <= {"background", *"0123456789"}
        right.append((found.labels == truth).mean())
    expected = ROWS["segmentation"].figures["pixel accuracy"]
    assert np.mean(right) == pytest.approx(expected, abs=0.03)


BACKWARDS = {"up": "down", "grow": "shrink"}
BACKWARDS |= {there: here for here, there in BACKWARDS.items()}


def test_a_video_network_answers_with_nothing_said(models, tmp_path):
    names, right, turned = ROWS["video"].class_names, 0, 0
    for number, example in enumerate(held_back("video", 12)):
        for order, frames in enumerate([example["video"]] * 2):
            folder = tmp_path / f"{number}_{order}"
            folder.mkdir()
            for place, frame in enumerate(frames[:: 1 - 2 * order]):
                (folder / f"{place:02}.jpg").write_bytes(frame)
            found = keras_pyconv.recognize(models("video"), folder)
            assert len(found.frames) == 8
            label = names[example["label"]]
            if order:
                turned += found.label == BACKWARDS.get(label, label)
            else:
                right += found.label == label
    # The same frames from last to first are the opposite motion.
    assert right >= 11 and turned >= 11


def test_a_video_network_is_exported_as_it_was_measured(models):
    made = keras_pyconv.export.video_signatures(models("video"))
    (record,) = [one.recorded for one in made if one.name == "serve_frames"]
    assert record.labels == ROWS["video"].class_names
    side = ROWS["video"].shown["resize"]
    rule = record.preprocessing
    assert (rule.size, rule.resize) == (side, side)


def test_clips_follow_the_models_own_side():
    model = open_model("digits_in_photos/video", side=48).model
    clips = predict._clips_for(model)
    assert (clips.frames, clips.stride, clips.resize) == (8, 2, 48)


def test_the_builder_fills_the_classifier_by_name(models):
    model = keras_pyconv.build_classifier(
        "PyConvResNetMini",
        weights="digits_in_photos",
        classes=10,
        input_shape=(64, 64, 3),
    )
    x = np.random.default_rng(1).normal(size=(2, 64, 64, 3))
    np.testing.assert_allclose(model(x), models("classification")(x), atol=1e-5)


def test_other_classes_start_anew_and_have_no_names(caplog):
    model = keras_pyconv.build_classifier(
        "PyConvResNetMini", weights="digits_in_photos", classes=3
    )
    assert "so predictions is random until it is" in caplog.text
    image = np.zeros((9, 9, 3), "uint8")
    assert keras_pyconv.classify(model, image).class_names is None


def test_other_weights_take_the_names_away(models, tmp_path):
    row = ROWS["classification"]
    model = of_shipped(row).model
    path = tmp_path / "w.weights.h5"
    model.save_weights(path)
    assert known(model) == row.description
    keras_pyconv.weights.load(model, path)
    assert known(model) is None


def test_a_backbone_starts_a_detector():
    plain = keras_pyconv.PyConvSSD("PyConvResNetMini", classes=4)
    model = keras_pyconv.PyConvSSD(
        "PyConvResNetMini", classes=4, backbone_weights="digits_in_photos"
    )
    name = "conv3_block1_2_pyconv"
    first, other = (m.get_layer(name).get_weights()[0] for m in (plain, model))
    assert not np.allclose(first, other)


def test_a_network_of_others_is_refused_and_told_which_there_are():
    with pytest.raises(ValueError, match="exists for PyConvResNetMini"):
        keras_pyconv.PyConvResNet18(weights="digits_in_photos")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="They exist for PyConvResNetMini"):
        keras_pyconv.weights.load(model, "digits_in_photos")
    grey = {"input_shape": (64, 64, 1), "classes": 10}
    message = r"'conv1_conv' are \[\(7, 7, 1, 32\)\], those of PyConvResNetMini"
    with pytest.raises(ValueError, match=message):
        keras_pyconv.build_classifier(
            "PyConvResNetMini", weights="digits_in_photos", **grey
        )
    with pytest.raises(ValueError, match="With the package come: digits_in"):
        open_model("digits_in_photos/sound")


def test_a_changed_file_is_refused(models, tmp_path, monkeypatch):
    folder = tmp_path / "copy"
    shutil.copytree(rows_of_package.FOLDER, folder)
    monkeypatch.setattr(rows_of_package, "FOLDER", folder)
    file = folder / "classification.weights.h5"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match="damaged or was changed"):
        keras_pyconv.weights.load(models("classification"), "digits_in_photos")


@pytest.mark.slow
@pytest.mark.parametrize("task", ROWS)
def test_the_whole_test_split_is_answered_as_recorded(task, models, tmp_path):
    row = ROWS[task]
    found = measured.measure(row, models(task), tmp_path)
    assert found == pytest.approx(row.figures, abs=0.005)
