"""A LiteRT file answers as the model does, in three precisions and axes."""

import keras
import numpy as np
import pytest

import keras_pyconv
from keras_pyconv.export import litert
from keras_pyconv.export.form import formed
from keras_pyconv.export.inspect import inspect
from keras_pyconv.export.runtimes import about
from keras_pyconv.export.runtimes.litert import ALLOWED, open_litert
from keras_pyconv.export.runtimes.portable import compare, sized_specs

pytest.importorskip("ai_edge_litert", reason="the runtime of LiteRT files")


def examples(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.fixture(scope="module")
def images():
    """A network of pyramids over images, of three classes."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((16, 16, 4))
    x = keras_pyconv.PyConv(16, (3, 5), groups=(1, 4), strides=2)(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    outputs = keras.layers.Dense(3, "softmax", name="kinds")(x)
    return keras.Model(inputs, outputs)


@pytest.fixture(scope="module")
def clips():
    """A network over clips, whose levels have groups and one group."""
    inputs = keras.Input((4, 8, 8, 4))
    options = {"groups": (1, 2), "strides": (1, 2, 2)}
    x = keras_pyconv.PyConv3D(8, (3, (3, 5, 5)), **options)(inputs)
    x = keras_pyconv.SymmetricMaxPooling3D(3, 2)(x)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling3D()(x))


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_file_answers_as_the_model_does(images, tmp_path, precision):
    exported = litert(images, tmp_path / "net.tflite", precision)
    assert exported.size_bytes == exported.path.stat().st_size
    (comparison,) = exported.comparisons
    assert comparison.difference <= comparison.allowed
    runtime, ask = open_litert(exported.path)
    pictures = examples(1, 16, 16, 4)
    answer = ask({"images": pictures})["kinds"]
    wanted = images.predict(pictures, verbose=0)
    np.testing.assert_allclose(answer, wanted, atol=comparison.allowed)


def test_a_file_says_what_its_classes_are_called(images, tmp_path):
    path = tmp_path / "net.tflite"
    litert(images, path, labels=("ant", "bee", "cow"))
    record, boxes, _ = about.read(path)
    assert record.labels == ("ant", "bee", "cow") and boxes is None
    with pytest.raises(ValueError, match="3 classes. Received 2 labels"):
        litert(images, path, labels=("ant", "bee"))


def test_eight_bits_say_what_they_cost(images, tmp_path):
    pictures = examples(20, 16, 16, 4)
    truth = images.predict(pictures, verbose=0).argmax(-1)
    exported = litert(
        images,
        tmp_path / "net.tflite",
        "int8",
        calibration=pictures,
        evaluation=(pictures, truth),
    )
    accuracy = exported.accuracy
    assert accuracy.examples == 20
    assert accuracy.before == 1.0
    assert accuracy.after == accuracy.agreement > 0.5
    assert 0 < accuracy.mean_difference < 0.05
    assert "the best class agrees in" in str(exported)
    text = str(exported.comparisons[0])
    assert text.endswith("without a bound: the accuracy says what int8 costs")


def test_an_answer_without_numbers_is_wrong_in_eight_bits_too(images):
    form = formed(inspect(images), target="portable")
    specs = sized_specs(form, 1, None)
    runtimes = {"broken": lambda _: {"kinds": np.full((1, 3), np.nan)}}
    with pytest.raises(ValueError, match="is wrong. broken.* not of numbers"):
        compare(form, specs, runtimes, ALLOWED["int8"], [1])


@pytest.mark.parametrize("strides", [2, (1, 2, 2)], ids=["time", "space"])
def test_eight_bits_are_enough_for_pooling(tmp_path, strides):
    inputs = keras.Input((4, 8, 8, 4))
    window = [3 if stride > 1 else 1 for stride in np.broadcast_to(strides, 3)]
    x = keras_pyconv.PyConv3D(8, (1,))(inputs)
    x = keras_pyconv.SymmetricMaxPooling3D(window, strides)(x)
    clips = keras.Model(inputs, keras.layers.GlobalAveragePooling3D()(x))
    calibration = examples(40, 4, 8, 8, 4)
    exported = litert(
        clips, tmp_path / "clips.tflite", "int8", calibration=calibration
    )
    assert exported.comparisons[0].difference < 0.02


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_groups_over_three_axes_run(clips, tmp_path, precision):
    calibration = examples(4, 4, 8, 8, 4)
    exported = litert(
        clips, tmp_path / "clips.tflite", precision, calibration=calibration
    )
    assert exported.comparisons[0].difference < 0.1


def test_any_number_of_rows_may_be_asked_at_once(images, tmp_path):
    exported = litert(images, tmp_path / "net.tflite", batch=None)
    assert [row.batch for row in exported.comparisons] == [1, 2]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"precision": "int4"}, "`precision` must be one of .*'int4'"),
        ({"precision": "int8"}, "needs `calibration`"),
        (
            {"precision": "int8", "calibration": np.zeros((2, 8, 8, 4))},
            r"shapes .*16, 16.*Received: .*8, 8",
        ),
        ({"batch": 0}, "`batch` must be a positive integer. .*batch=0"),
    ],
    ids=["precision", "no calibration", "other calibration", "batch"],
)
def test_wrong_arguments_are_named(images, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        litert(images, tmp_path / "net.tflite", **options)
    assert not list(tmp_path.iterdir())


def test_an_open_size_must_be_given(tmp_path):
    inputs = keras.Input((None, None, 1))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 3)(inputs))
    with pytest.raises(ValueError, match="pass `size`, in pixels"):
        litert(model, tmp_path / "net.tflite")


def test_what_litert_lacks_is_named_and_leaves_nothing(tmp_path):
    inputs = keras.Input((4, 4, 4, 2))
    model = keras.Model(inputs, keras.layers.MaxPooling3D(2)(inputs))
    with pytest.raises(ValueError, match="LiteRT has no MaxPool3D"):
        litert(model, tmp_path / "pool.tflite")
    assert not list(tmp_path.iterdir())


def test_a_failure_keeps_the_file_that_was_there(images, tmp_path, monkeypatch):
    path = tmp_path / "net.tflite"
    path.write_bytes(b"mine")
    monkeypatch.setitem(litert.__globals__["ALLOWED"], "float32", -1.0)
    with pytest.raises(ValueError, match="is wrong. LiteRT, batch 1"):
        litert(images, path)
    assert path.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [path]


def test_functions_of_its_owner_are_written(with_own_functions, tmp_path):
    exported = litert(with_own_functions, tmp_path / "net.tflite")
    _, ask = open_litert(exported.path)
    pictures = examples(1, 12, 12, 4)
    np.testing.assert_allclose(
        ask({"images": pictures})["kinds"],
        with_own_functions(pictures),
        atol=1e-5,
    )


def test_several_inputs_keep_their_names(tmp_path):
    left, right = keras.Input((2,), name="left"), keras.Input((2,), name="b")
    model = keras.Model([left, right], left - 2.0 * right)
    _, ask = open_litert(litert(model, tmp_path / "net.tflite").path)
    ones = np.ones((1, 2), "float32")
    (answer,) = ask({"b": ones, "left": 5.0 * ones}).values()
    np.testing.assert_array_equal(answer, 3.0 * ones)
