"""A set is evaluated at its pictures' sizes, and shown as what it is."""

import keras
import numpy as np
import pytest
from PIL import Image

import keras_pyconv
from keras_pyconv.tasks.segmentation import (
    ADE20K_CLASSES,
    Evaluation,
    Protocol,
    SlidingWindows,
    color_labels,
    evaluate_segmentation,
    mean_iou,
    overlay,
    palette,
    write_submission,
)
from tests.tasks.segmentation.small import network, picture

PROTOCOL = Protocol(window=31, base_size=40)


@pytest.fixture(scope="module")
def model():
    return network()


def examples(*sizes):
    for number, size in enumerate(sizes):
        rng = np.random.default_rng(number)
        labels = rng.integers(0, 4, size).astype("uint8")
        labels[:3] = 255
        yield {
            "image": picture(*size, number),
            "labels": labels,
            "name": f"{number}.jpg",
        }


def test_the_set_has_one_confusion_matrix(model, tmp_path, capsys):
    seen = []
    found = evaluate_segmentation(
        model,
        examples((20, 33), (41, 30)),
        PROTOCOL,
        total=2,
        submission=tmp_path,
        on_picture=lambda example, labels: seen.append(labels),
    )
    matrix = np.zeros((4, 4), int)
    for example, labels in zip(examples((20, 33), (41, 30)), seen):
        assert labels.shape == example["labels"].shape
        valid = example["labels"] != 255
        np.add.at(matrix, (example["labels"][valid], labels[valid]), 1)
        name = example["name"].replace("jpg", "png")
        written = np.asarray(Image.open(tmp_path / name))
        np.testing.assert_array_equal(written, labels + 1)
    np.testing.assert_array_equal(found.matrix, matrix)
    assert found.mean_iou == mean_iou(matrix)
    assert found.pictures == 2
    assert "2/2" in capsys.readouterr().out
    assert [row["pixels"] for row in found.rows()] == list(matrix.sum(axis=1))
    assert f"{100 * found.pixel_accuracy:6.2f} %" in str(found)


def test_a_mask_of_another_size_is_refused_by_name(model):
    example = next(examples((20, 33)))
    example["labels"] = example["labels"][:-1]
    with pytest.raises(ValueError, match=r"0.jpg .*\(19, 33\).*\(20, 33, 3\)"):
        evaluate_segmentation(model, [example], PROTOCOL, verbose=0)


def test_pictures_without_labels_are_answered_and_not_counted(model):
    example = {"image": picture(20, 20), "name": "a"}
    found = evaluate_segmentation(model, [example], PROTOCOL, verbose=0)
    assert found.matrix.sum() == 0 and np.isnan(found.mean_iou)


def test_a_class_that_never_occurs_has_a_dash_in_the_table():
    matrix = np.array([[3, 1, 0], [0, 0, 0], [0, 0, 0]])
    found = Evaluation(matrix, ("cat", "dog", "fox"), 1)
    rows = [line.split() for line in str(found).splitlines()[1:4]]
    assert rows == [
        ["cat", "75.00", "%", "75.00", "%", "4"],
        ["dog", "0.00", "%", "-", "0"],
        ["fox", "-", "-", "0"],
    ]


def test_a_picture_is_parsed_in_one_call(model, tmp_path):
    image = picture(20, 33)
    parsed = keras_pyconv.segment(model, image, PROTOCOL)
    expected = SlidingWindows(model, PROTOCOL).labels(image)
    np.testing.assert_array_equal(parsed.labels, expected)
    assert parsed.overlay.shape == image.shape
    assert sum(parsed.shares.values()) == pytest.approx(1)
    Image.fromarray(image).save(tmp_path / "a.png")
    for same in (tmp_path / "a.png", Image.fromarray(image), image / 1.0):
        again = keras_pyconv.segment(model, same, PROTOCOL)
        np.testing.assert_array_equal(again.labels, parsed.labels)
    parsed.save(tmp_path / "b.png")
    saved = np.asarray(Image.open(tmp_path / "b.png"))
    np.testing.assert_array_equal(saved, parsed.draw())


def test_a_gray_picture_has_three_equal_channels(model):
    gray = picture(20, 20)[..., 0]
    parsed = keras_pyconv.segment(model, gray, PROTOCOL)
    assert (parsed.image == gray[..., None]).all()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"image": np.zeros((4, 4, 2))}, r"shape \(4, 4, 2\)"),
        ({"image": np.full((4, 4, 3), 0.5)}, r"in \[0, 255\].*float64"),
        ({"image": np.full((4, 4, 3), -3)}, "from -3 to -3"),
        ({"class_names": ["a"]}, "4 classes. Received 1 names"),
        ({"colors": palette(3)}, "must have 4 .*Received: 3"),
    ],
)
def test_what_cannot_be_parsed_is_refused(model, options, message):
    arguments = {"image": picture(20, 20), "protocol": PROTOCOL, **options}
    with pytest.raises(ValueError, match=message):
        keras_pyconv.segment(model, **arguments)


def harmed(path, kind):
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("no picture")
    else:
        Image.fromarray(picture(40, 60)).save(path)
        path.write_bytes(path.read_bytes()[:800])
    return path


@pytest.mark.parametrize("kind", ["cut JPEG", "folder", "text"])
def test_a_file_that_is_no_picture_is_named(model, tmp_path, kind):
    path = harmed(tmp_path / "street.jpg", kind)
    with pytest.raises(ValueError, match=r"street.jpg' cannot be read as"):
        keras_pyconv.segment(model, path, PROTOCOL)


def test_a_missing_file_is_named(model):
    with pytest.raises(FileNotFoundError, match="nowhere.jpg"):
        keras_pyconv.segment(model, "nowhere.jpg", PROTOCOL)


def test_a_classifier_is_refused_by_name():
    images = keras.Input((31, 31, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(images)
    classifier = keras.Model(images, pooled, name="classifier")
    message = r"'classifier' is not a segmentation network.*\(None, 3\)"
    with pytest.raises(ValueError, match=message):
        keras_pyconv.segment(classifier, picture(20, 20))
    with pytest.raises(ValueError, match=message):
        evaluate_segmentation(classifier, [])
    with pytest.raises(ValueError, match="not a segmentation network"):
        keras_pyconv.segment(keras_pyconv.PyConvSegNet, picture(20, 20))


def test_the_names_of_ade20k_are_150_different_ones():
    assert len(set(ADE20K_CLASSES)) == len(ADE20K_CLASSES) == 150
    assert ADE20K_CLASSES[0] == "wall" and ADE20K_CLASSES[-1] == "flag"
    assert ADE20K_CLASSES[12] == "person" and ADE20K_CLASSES[89] == (
        "television"
    )


def test_colours_are_different_and_do_not_depend_on_their_number():
    colors = palette(150).astype(int)
    np.testing.assert_array_equal(palette(20), colors[:20])
    distance = np.abs(colors[:, None] - colors[None]).sum(axis=-1)
    assert (distance + 1000 * np.eye(150)).min() > 5
    assert (distance + 1000 * np.eye(150))[:20, :20].min() > 100


def test_an_overlay_leaves_what_is_ignored_bare():
    image = picture(2, 2)
    labels = np.array([[0, 1], [255, 1]])
    mixed = overlay(image, labels, opacity=1.0)
    np.testing.assert_array_equal(mixed[0, 0], palette(1)[0])
    np.testing.assert_array_equal(mixed[1, 0], image[1, 0])
    assert (color_labels(labels)[1, 0] == 0).all()
    with pytest.raises(ValueError, match="Label 1 of .* no color"):
        color_labels(labels, palette(1))


def test_the_servers_files_count_from_one(tmp_path):
    path = write_submission(tmp_path / "a", "x.jpg", np.array([[0, 149]]))
    assert path.name == "x.png"
    np.testing.assert_array_equal(Image.open(path), [[1, 150]])
    other = write_submission(tmp_path, "a.tfrecord-0__7", np.array([[0]]))
    assert other.name == "a.tfrecord-0__7.png"
    with pytest.raises(ValueError, match="label 255 for y"):
        write_submission(tmp_path, "y", np.array([[255]]))
