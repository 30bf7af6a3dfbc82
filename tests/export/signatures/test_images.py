"""Files of pictures are served as they are evaluated, broken ones apart."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv import datasets
from keras_pyconv.export.inspect import inspect
from keras_pyconv.export.proof.questions import broken_images, edge_images
from keras_pyconv.export.serving.module import traced_model
from keras_pyconv.export.signatures.classifier import (
    choose_preprocessing,
    classifier_signatures,
)
from keras_pyconv.export.signatures.images import (
    example_images,
    map_files,
    serialized_examples,
)
from keras_pyconv.tasks.image import decode_image, read_image
from keras_pyconv.tasks.preprocessing import (
    Preprocessing,
    imagenet_preprocessing,
    pixels_as_they_are,
)
from tests.datasets import scenes
from tests.tasks.test_preprocessing import SHAPES, picture_file, with_pillow

LABELS = tuple(f"class {index}" for index in range(10))


@pytest.fixture(scope="module")
def served(network):
    """The signatures of files, as functions, by name."""
    seen, made = inspect(network), imagenet_preprocessing(32)
    shared = traced_model(seen)
    return {
        signature.name: signature.traced(shared)
        for signature in classifier_signatures(seen, LABELS, 3, made)
    }


def test_files_get_the_probabilities_of_the_evaluation(network, served):
    files = [picture_file(*shape) for shape in SHAPES[:3]]
    made = imagenet_preprocessing(32)
    pixels = np.stack([with_pillow(f, 32, made.resize) for f in files])
    images = (pixels / 255 - made.mean) / made.deviation
    wanted = network.predict(images.astype("float32"), verbose=0)
    answer = served["serve_bytes"](image_bytes=tf.constant(files))
    for row, probabilities in enumerate(wanted):
        classes = answer["classes"][row].numpy()
        np.testing.assert_allclose(
            answer["scores"][row], probabilities[classes], atol=1e-3
        )
        np.testing.assert_allclose(
            answer["scores"][row], np.sort(probabilities)[:-4:-1], atol=1e-3
        )


def scores_alone(served, file):
    """Those of one file: without oneDNN its place in a batch moves a digit."""
    return served["serve_bytes"](image_bytes=tf.constant([file]))["scores"]


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_turned_file_is_served_as_viewers_show_it(kind, served, tmp_path):
    upright = read_image(picture_file(40, 60, "PNG"))
    files = []
    for orientation in range(1, 9):
        path = tmp_path / f"{orientation}.{kind.lower()}"
        options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
        scenes.save_turned(path, upright, orientation, **options)
        files.append(path.read_bytes())
    alone = [scores_alone(served, file)[0] for file in files]
    for scores in alone[1:]:
        most = 0 if kind == "PNG" else 0.02
        np.testing.assert_allclose(scores, alone[0], atol=most)
    together = served["serve_bytes"](image_bytes=tf.constant(files))
    np.testing.assert_allclose(together["scores"], alone, atol=1e-6)
    stored = np.stack([decode_image(file, exif=False) for file in files[1:4]])
    assert (stored != upright).any()


def test_the_first_frame_of_a_gif_is_served(served):
    gif = picture_file(40, 60, "GIF", "P")
    png = tf.io.encode_png(read_image(gif)).numpy()
    alone = [scores_alone(served, file)[0] for file in (gif, png)]
    np.testing.assert_array_equal(*alone)
    together = served["serve_bytes"](image_bytes=tf.constant([gif, png]))
    np.testing.assert_allclose(together["scores"], alone, atol=1e-6)
    assert (together["classes"].numpy() >= 0).all()


def test_examples_get_the_answers_of_their_files(served):
    files = example_images(2, 40, 50)
    wanted = served["serve_bytes"](image_bytes=tf.constant(list(files)))
    examples = tf.constant(list(serialized_examples(files)))
    answer = served["classify"](inputs=examples)
    assert set(answer) == {"classes", "scores"}
    assert (answer["classes"] == wanted["labels"]).numpy().all()
    np.testing.assert_array_equal(answer["scores"], wanted["scores"])


@pytest.mark.parametrize("name", ["serve_bytes", "classify"])
def test_a_broken_picture_says_so_and_harms_no_other(served, name):
    files = broken_images(example_images(1, 40, 50)[0])
    if name == "classify":
        files = serialized_examples(files)
        files[2] = b"no Example"
        files[3] = tf.train.Example().SerializeToString()
    key = "inputs" if name == "classify" else "image_bytes"
    mixed = served[name](**{key: tf.constant(list(files))})
    alone = served[name](**{key: tf.constant([files[0]])})
    for good in (0, 4):
        np.testing.assert_allclose(
            mixed["scores"][good], alone["scores"][0], rtol=1e-5
        )
        assert (mixed["classes"][good] == alone["classes"][0]).numpy().all()
    nothing = b"" if name == "classify" else -1
    assert (mixed["classes"][1:4].numpy() == nothing).all()
    assert not mixed["scores"][1:4].numpy().any()


def tiny(file):
    picture = decode_image(file)
    sides = tf.cast(tf.shape(picture)[:2], tf.float32)
    return tf.image.resize(picture, (2, 2)), sides


def test_a_batch_of_broken_images_and_one_of_none_are_answered():
    for count in (0, 3):
        junk = tf.constant([b"junk"] * count, tf.string)
        pictures, sides, readable = map_files(junk, tiny, (2, 2, 3), (2,))
        assert pictures.shape == (count, 2, 2, 3)
        assert sides.shape == (count, 2)
        assert not pictures.numpy().any() and not readable.numpy().any()


def test_odd_pictures_are_read():
    files = tf.constant(list(edge_images()))
    pictures, sides, readable = map_files(files, tiny, (2, 2, 3), (2,))
    assert readable.numpy().all()
    assert sides.numpy().tolist() == [[1, 1], [2, 300], [70, 50], [40, 60]]
    gray = pictures[2].numpy()
    np.testing.assert_array_equal(gray[..., 0], gray[..., 2])


def ending(*shape, scales=False):
    x = inputs = keras.Input(shape)
    if scales:
        x = keras.layers.Rescaling(1 / 255.0)(x)
    x = keras.layers.Flatten()(x)
    return keras.Model(inputs, keras.layers.Dense(2, "softmax")(x))


@pytest.mark.parametrize(
    "shape, scales, expected",
    [
        ((8, 8, 3), False, imagenet_preprocessing(8)),
        ((8, 8, 3), True, pixels_as_they_are(8)),
        ((8, 8, 1), True, pixels_as_they_are(8, 1)),
        ((8, 8, 1), False, None),
        ((8, 9, 3), False, None),
        ((8,), False, None),
    ],
    ids=["square", "scaling", "gray", "gray unscaled", "oblong", "features"],
)
def test_how_files_are_prepared_is_decided(shape, scales, expected):
    seen = inspect(ending(*shape, scales=scales))
    assert choose_preprocessing(seen) == expected


def test_a_model_that_scales_its_pixels_is_recognized():
    inner = keras.Sequential(
        [keras.Input((4, 4, 3)), keras.layers.Rescaling(1 / 255.0)]
    )
    inputs = keras.Input((4, 4, 3))
    assert inspect(inner).scales_pixels
    assert inspect(keras.Model(inputs, inner(inputs))).scales_pixels
    assert not inspect(ending(4, 4, 3)).scales_pixels


@pytest.mark.parametrize(
    "preprocessing, message",
    [
        (Preprocessing(9, 9), r"pictures of shape \(9, 9, 3\).*8, 8, 3"),
        ("imagenet", 'must be a Preprocessing, None or "auto"'),
    ],
    ids=["size", "word"],
)
def test_a_preparation_that_does_not_fit_is_refused(preprocessing, message):
    with pytest.raises(ValueError, match=message):
        choose_preprocessing(inspect(ending(8, 8, 3)), preprocessing)


def test_the_evaluations_pictures_get_the_same_probabilities(
    network, served, tmp_path
):
    made = imagenet_preprocessing(32)
    files = example_images(4, 45, 61)
    for index, file in enumerate(files):
        for split in ("train", "val"):
            folder = tmp_path / split / f"class {index % 2}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{index}.jpg").write_bytes(file)
    pictures = datasets.picture_set(str(tmp_path), "val")
    ((images, _, _),) = datasets.evaluation_pictures(
        pictures, made, batch_size=4
    )
    scores = network.predict(images, verbose=0).max(-1)
    answer = served["serve_bytes"](image_bytes=tf.constant(list(files)))
    np.testing.assert_allclose(
        sorted(answer["scores"][:, 0].numpy()), sorted(scores), atol=1e-5
    )
