"""Anybody's signature is written, or refused before the server would."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.export import Signature, saved_model
from keras_pyconv.export.inspect import inspect
from keras_pyconv.export.serving.audit import read_signatures
from keras_pyconv.export.serving.module import traced_model
from keras_pyconv.export.serving.warmup import read_warmup
from keras_pyconv.export.signatures.signature import check_signatures

FEATURES = {"features": tf.TensorSpec((None, 4), tf.float32)}


def double(model, tensors):
    return {"twice": 2.0 * model(tensors["features"])}


def test_a_signature_of_ones_own_is_written(small, tmp_path):
    signatures = [
        Signature("serving_default", FEATURES, double),
        Signature("regress", FEATURES, double, method="regress"),
    ]
    path = saved_model(small, tmp_path / "net", signatures=signatures)
    written = read_signatures(path)
    assert {n: s.method for n, s in written.items()} == {
        "serving_default": "predict",
        "regress": "regress",
    }
    loaded = tf.saved_model.load(str(path))
    features = np.ones((2, 4), "float32")
    answer = loaded.signatures["serving_default"](features=features)
    np.testing.assert_allclose(answer["twice"], 2 * small(features), rtol=1e-6)
    # The server can regress examples alone, and predict of numbers.
    asked = [(name, *arrays) for name, arrays in read_warmup(path)]
    assert ("regress", "features") in asked


@pytest.mark.parametrize(
    "outputs, message",
    [
        (lambda y: tf.cast(y, tf.float16), "is float16, which the server"),
        (lambda y: tf.constant(["a", "b"]), "batch of any size .*shape .2,"),
        (tf.reduce_sum, "batch of any size as its first axis"),
    ],
    ids=["half", "list", "number"],
)
def test_outputs_that_the_server_refuses_are_refused(small, outputs, message):
    def function(model, tensors):
        return {"output": outputs(model(tensors["features"]))}

    with pytest.raises(ValueError, match=message):
        Signature("serve", FEATURES, function).traced(
            traced_model(inspect(small))
        )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"name": "1 serve"}, "start with a letter.*'1 serve'"),
        ({"method": "guess"}, "Unknown method 'guess'.*Known: predict"),
        ({"inputs": {"x": tf.TensorSpec((2, 3))}}, "first axis .*shape .2, 3"),
    ],
    ids=["name", "method", "batch"],
)
def test_a_record_that_makes_no_sense_is_refused(arguments, message):
    fields = {"name": "serve", "inputs": FEATURES, "function": double}
    with pytest.raises(ValueError, match=message):
        Signature(**{**fields, **arguments})


def test_names_are_given_once_and_to_records():
    one = Signature("serve", FEATURES, double)
    with pytest.raises(ValueError, match="Received the names: serve, serve"):
        check_signatures([one, one])
    with pytest.raises(ValueError, match="one at least"):
        check_signatures([])
    with pytest.raises(TypeError, match="Received: signatures.*'serve'"):
        check_signatures(["serve"])


def test_labels_are_of_signatures_that_are_made_here(small, tmp_path):
    signatures = [Signature("serve", FEATURES, double)]
    with pytest.raises(ValueError, match="generated signatures"):
        saved_model(small, tmp_path, signatures=signatures, labels=list("abc"))


def test_strings_need_examples(small, tmp_path):
    inputs = {"text": tf.TensorSpec((None,), tf.string)}
    signatures = [Signature("serve", inputs, double)]
    with pytest.raises(ValueError, match="'serve' has string inputs and needs"):
        saved_model(small, tmp_path / "net", signatures=signatures)
    assert not (tmp_path / "net").exists()


def test_frozen_weights_are_constants_that_signatures_share(tmp_path):
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Flatten()(inputs)
    x = keras.layers.Dense(100)(x)
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax")(x))
    path = saved_model(model, tmp_path / "net", freeze=True)
    size = (path / "saved_model.pb").stat().st_size
    assert len(read_signatures(path)) == 3
    # Once, and the graphs beside them.
    assert 4 * model.count_params() < size < 7 * model.count_params()
    data = sum(f.stat().st_size for f in (path / "variables").glob("*.data*"))
    assert data < 1000
