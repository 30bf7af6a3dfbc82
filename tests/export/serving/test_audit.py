"""What the server refuses is found in the file, with its layer's name."""

import keras
import pytest
import tensorflow as tf

from keras_pyconv.export import audit


def save(function, folder, variables=()):
    module = tf.Module()
    module.model_variables = variables
    traced = tf.function(function).get_concrete_function(
        tf.TensorSpec((None, 4, 4, 4), tf.float32, "images")
    )
    tf.saved_model.save(module, str(folder), signatures={"serve": traced})
    return folder


def in_python(images):
    outputs = tf.numpy_function(lambda x: x, [images], tf.float32)
    return {"outputs": tf.ensure_shape(outputs, images.shape)}


def on_an_accelerator(images):
    with tf.device("/device:GPU:0"):
        return {"outputs": images + 1.0}


def compiled(images):
    double = tf.function(lambda x: 2.0 * x, jit_compile=True)
    return {"outputs": double(images)}


@pytest.mark.parametrize(
    "function, kind",
    [
        (in_python, "python-function"),
        (on_an_accelerator, "pinned-device"),
        (compiled, "must-compile"),
    ],
)
def test_finds(function, kind, tmp_path):
    findings = audit(save(function, tmp_path / "1"))
    assert {finding.kind for finding in findings} == {kind}
    assert findings[0].cure in str(findings[0])


def test_names_the_layer_of_a_stock_grouped_convolution(tmp_path):
    layer = keras.layers.Conv2D(4, 3, groups=2, name="stock")
    layer.build((None, 4, 4, 4))
    save(
        lambda images: {"outputs": layer(images)},
        tmp_path / "1",
        [variable.value for variable in layer.variables],
    )
    findings = audit(tmp_path / "1")
    assert {finding.kind for finding in findings} == {"must-compile"}
    assert any("stock" in finding.where for finding in findings)


def test_finds_nothing_in_an_export_of_ours(exported):
    assert audit(exported) == []


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no SavedModel .* is missing"):
        audit(tmp_path)


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\xff\xff\xff")
    with pytest.raises(ValueError, match="damaged"):
        audit(tmp_path)
