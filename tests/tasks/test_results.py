"""Every task answers with a result that draws, describes and saves itself."""

import gc
import json
import warnings
import weakref

import keras
import numpy as np
import pytest
from PIL import Image

import keras_pyconv
from keras_pyconv import renamed
from keras_pyconv.tasks import Detections, Segmentation
from keras_pyconv.tasks.classification import imagenet_names
from keras_pyconv.tasks.preprocessing import Preprocessing, pixels_as_they_are
from keras_pyconv.tasks.results import traced
from tests.datasets import scenes

PIXELS = np.random.default_rng(3).integers(0, 256, (60, 80, 3), "uint8")
NAMES = ("cat", "dog", "bird")


@pytest.fixture(scope="module")
def classifier():
    keras.utils.set_random_seed(2)
    return keras_pyconv.build_classifier(
        "ResNetMini", input_shape=(32, 32, 3), classes=3, weights=None
    )


def of_classifier(model):
    return keras_pyconv.classify(model, PIXELS, NAMES)


def of_explanation(model):
    return keras_pyconv.explain(model, PIXELS, class_names=NAMES)


def of_detector(_):
    boxes = np.array([[10.0, 5, 50, 70], [1, 2, 30, 40]], "float32")
    scores = np.array([0.9, 0.4], "float32")
    return Detections(boxes, np.array([2, 0]), scores, NAMES, PIXELS)


def of_segmenter(_):
    labels = np.zeros((60, 80), "int32")
    labels[:20] = 2
    colors = np.eye(3, dtype="uint8") * 200
    return Segmentation(PIXELS, labels, colors, NAMES)


def of_video(_):
    frames = np.stack([PIXELS[:60, :60]] * 4)
    scores = np.array([0.7, 0.2, 0.1])
    return keras_pyconv.tasks.Recognition(
        np.array([1, 0, 2]), scores, NAMES, frames, 6, ("a note",)
    )


ALL = [of_classifier, of_explanation, of_detector, of_segmenter, of_video]


@pytest.mark.parametrize("made", ALL)
def test_a_result_draws_describes_and_saves_itself(made, classifier, tmp_path):
    found = made(classifier)
    drawn = found.draw(tmp_path / "a.png")
    assert drawn.dtype == np.uint8 and drawn.shape[-1] == 3
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(image, drawn)
    found.save(str(tmp_path / "b.png"))
    assert (tmp_path / "b.png").read_bytes() == (
        (tmp_path / "a.png").read_bytes()
    )
    found.save(tmp_path / "a.json")
    said = json.loads((tmp_path / "a.json").read_text())
    assert said == found.to_dict()
    rows = said.get("classes") or said["objects"]
    assert {row["name"] for row in rows} <= set(NAMES)
    assert all(NAMES[row["label"]] == row["name"] for row in rows)


@pytest.mark.parametrize("made", ALL)
@pytest.mark.parametrize("name", ["a.mp3", "a", "a.txt"])
def test_an_ending_that_no_image_has_is_refused(
    made, name, classifier, tmp_path
):
    with pytest.raises(ValueError, match=f"as in .png. Received.*{name}"):
        made(classifier).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("made", ALL)
def test_the_old_name_of_the_class_names_warns(made, classifier):
    found = made(classifier)
    with pytest.warns(DeprecationWarning, match="`class_names` now"):
        assert found.names == NAMES


def test_an_image_is_classified_as_the_prepared_one(classifier, tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    prepared = keras_pyconv.tasks.preprocessing.prepare_picture(
        PIXELS, keras_pyconv.tasks.preprocessing.imagenet_preprocessing(32)
    )
    wanted = classifier(prepared[None]).numpy()[0]
    order = np.argsort(-wanted)
    for source in (PIXELS, tmp_path / "a.png", Image.fromarray(PIXELS)):
        found = keras_pyconv.classify(classifier, source, top=2)
        assert found.labels.tolist() == order[:2].tolist()
        np.testing.assert_allclose(found.scores, wanted[order[:2]], rtol=1e-4)
        assert found.label == str(order[0]) and found.score == found.scores[0]
    named = keras_pyconv.classify(classifier, PIXELS, class_names=NAMES)
    assert named.label == NAMES[order[0]]
    assert str(named).splitlines()[0].startswith(named.label)


def test_a_model_that_scales_its_images_is_shown_pixels(classifier):
    images = keras.Input((32, 32, 3))
    scaled = keras.layers.Rescaling(1 / 255)(images)
    model = keras.Model(images, classifier(scaled))
    wanted = keras_pyconv.classify(
        model, PIXELS, preprocessing=pixels_as_they_are(32)
    )
    found = keras_pyconv.classify(model, PIXELS)
    np.testing.assert_array_equal(found.scores, wanted.scores)


def test_a_network_of_imagenets_classes_knows_their_names():
    model = keras_pyconv.build_classifier("ResNetMini", input_shape=(32, 32, 3))
    found = keras_pyconv.classify(model, PIXELS, top=3)
    rows = found.to_dict()["classes"]
    names = [name for _, name in imagenet_names()]
    assert [row["name"] for row in rows] == [names[n] for n in found.labels]
    assert len(rows) == 3 and found.label == rows[0]["name"]
    assert rows[0]["score"] >= rows[1]["score"] >= rows[2]["score"] > 0


def test_logits_become_probabilities(classifier):
    logits = keras_pyconv.build_classifier(
        "ResNetMini",
        input_shape=(32, 32, 3),
        classes=3,
        weights=None,
        classifier_activation=None,
    )
    logits.set_weights(classifier.get_weights())
    answers = [keras_pyconv.classify(m, PIXELS) for m in (classifier, logits)]
    np.testing.assert_allclose(answers[0].scores, answers[1].scores, rtol=1e-4)
    assert answers[1].scores.sum() == pytest.approx(1, rel=1e-5)


def test_probabilities_of_a_nested_classifier_are_taken_as_they_are(classifier):
    inputs = keras.Input((32, 32, 3))
    outer = keras.Model(inputs, classifier(inputs))
    answers = [keras_pyconv.classify(m, PIXELS) for m in (classifier, outer)]
    np.testing.assert_allclose(answers[0].scores, answers[1].scores, rtol=1e-5)


def test_a_turned_image_is_classified_as_viewers_show_it(classifier, tmp_path):
    path = tmp_path / "turned.png"
    scenes.save_turned(path, PIXELS, 6)
    upright = keras_pyconv.classify(classifier, PIXELS)
    found = keras_pyconv.classify(classifier, path)
    np.testing.assert_array_equal(found.image, PIXELS)
    np.testing.assert_array_equal(found.scores, upright.scores)
    stored = Preprocessing(32, 37, exif=False)
    found = keras_pyconv.classify(classifier, path, preprocessing=stored)
    assert found.image.shape == (80, 60, 3)


def test_a_network_for_gray_images_is_told_how_they_are_prepared():
    inputs = keras.Input((16, 16, 1))
    outputs = keras.layers.Dense(3, "softmax")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, outputs)
    with pytest.raises(ValueError, match="1 channel. Pass a `preprocessing`"):
        keras_pyconv.classify(model, PIXELS)
    gray = pixels_as_they_are(16, 1)
    found = keras_pyconv.classify(model, PIXELS, preprocessing=gray)
    assert found.image.shape == (60, 80, 1) and found.draw().shape[-1] == 3


@pytest.mark.parametrize(
    "arguments, kind, said",
    [
        ({"class_names": ["a", "b"]}, ValueError, "3 classes. Received 2"),
        ({"class_names": "abc"}, ValueError, "a list of texts .*, not one"),
        ({"top": 0}, ValueError, "`top` must be a positive integer"),
        ({"top": 1.5}, ValueError, "`top` must be a positive integer"),
        ({"image": PIXELS / 255}, ValueError, r"in \[0, 255\]"),
        ({"image": "nowhere.jpg"}, FileNotFoundError, "nowhere.jpg"),
        ({"preprocessing": Preprocessing(64, 64)}, ValueError, "size 64"),
        ({"model": 3}, TypeError, "a `keras.Model`. Received: model=3"),
    ],
    ids=str,
)
def test_mistakes_are_told_before_the_work(classifier, arguments, kind, said):
    arguments = {"model": classifier, "image": PIXELS, **arguments}
    with pytest.raises(kind, match=said):
        keras_pyconv.classify(**arguments)


def test_an_old_keyword_warns_and_works_and_both_are_an_error():
    @renamed.keywords(names="class_names")
    def function(class_names=None):
        return class_names

    with pytest.warns(
        DeprecationWarning, match="`names` goes .* use `class_na"
    ):
        assert function(names=3) == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert function(class_names=3) == function(3) == 3
    with pytest.raises(TypeError, match="old name"):
        function(names=1, class_names=2)


def test_what_was_traced_of_a_model_goes_with_it():
    made = []

    def kept():
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])

        def make():
            made.append(1)
            return lambda: model

        assert traced(model, "a", make) is traced(model, "a", make)
        return weakref.ref(model)

    gone = kept()
    gc.collect()
    assert made == [1] and gone() is None
