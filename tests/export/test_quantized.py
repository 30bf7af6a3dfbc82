"""Layers of Keras that were quantized or have low-rank additions."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_pyconv
from keras_pyconv.export import litert, onnx, saved_model, serving_form

# Keras warns of every layer that it leaves as it is.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Layer .* does not have a `quantize`"
)
IMAGES = np.random.default_rng(0).normal(size=(4, 8, 8, 4)).astype("float32")


@pytest.fixture
def model(randomized):
    """A pyramid with stock layers around it, as training left it."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 4))
    x = keras_pyconv.PyConv(8, (3, 5))(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Conv2D(8, 1, name="mixing")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(16, "relu", name="hidden")(x)
    x = keras.layers.Dense(5, "softmax", name="kinds")(x)
    return randomized(keras.Model(inputs, x))


def add_low_rank(model):
    for layer in model.layers:
        if hasattr(layer, "enable_lora"):
            layer.enable_lora(2)
    generator = np.random.default_rng(1)
    for variable in model.trainable_variables:
        if "lora" in variable.name:
            variable.assign(generator.normal(0.0, 0.3, variable.shape))


def quantize(mode):
    return lambda model: model.quantize(mode)


def both(model):
    model.quantize("int8")
    add_low_rank(model)


CHANGES = {
    "int8": quantize("int8"),
    "int4": quantize("int4"),
    "float8": quantize("float8"),
    "low rank": add_low_rank,
    "low rank on int8": both,
}
every_change = pytest.mark.parametrize("change", CHANGES)


@every_change
def test_answers_stay_when_it_is_kept(change, model, tmp_path):
    CHANGES[change](model)
    model.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    # Keras adds what is of low rank to the integers and rounds the sum.
    allowed = 0.02 if change == "low rank on int8" else 1e-6
    np.testing.assert_allclose(loaded(IMAGES), model(IMAGES), atol=allowed)


@every_change
def test_answers_stay_when_it_is_served(change, model, tmp_path):
    CHANGES[change](model)
    path = saved_model(model, tmp_path / "net", batch_sizes=(1,))
    served = tf.saved_model.load(path).signatures["serving_default"]
    answer = served(images=tf.constant(IMAGES))["probabilities"]
    np.testing.assert_allclose(answer, model(IMAGES), atol=1e-5)


@every_change
def test_other_runtimes_answer_alike_or_say_why_not(change, model, tmp_path):
    CHANGES[change](model)
    written = []
    for export, name in (litert, "net.tflite"), (onnx, "net.onnx"):
        try:
            # It compares the file's answers with the model's itself.
            export(model, tmp_path / name)
            written.append(name)
        except ValueError as error:
            assert "quantize" in str(error) and "kinds" in str(error)
            assert "Export the model as it was before" in str(error)
            assert str(error).count("\n") == 0
            assert not (tmp_path / name).exists()
    # LiteRT multiplies no integers of Keras, and neither has floats of 8 bits.
    refused = {"int8": 1, "low rank on int8": 1, "float8": 2}.get(change, 0)
    assert written == ["net.tflite", "net.onnx"][refused:]


def test_a_quantized_model_of_bfloat16_is_served_in_float32(tmp_path):
    with_policy = keras.DTypePolicy("mixed_bfloat16")
    inputs = keras.Input((4,))
    x = keras.layers.Dense(8, "relu", dtype=with_policy)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3, dtype=with_policy)(x))
    model.quantize("int8")
    form = serving_form(model)
    kinds = {
        (layer.compute_dtype, layer.quantization_mode)
        for layer in form.layers[1:]
    }
    assert kinds == {("float32", "int8")}
    vectors = IMAGES[:, 0, 0]
    np.testing.assert_allclose(
        form(vectors), np.asarray(model(vectors), "float32"), atol=0.05
    )
