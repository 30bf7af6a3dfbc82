"""The checker passes good exports and fails those that a server would."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.export import __main__ as command
from keras_pyconv.export import (
    answer_in_clean_process,
    check,
    clean_process,
    saved_model,
)
from keras_pyconv.export.claims import difference_of
from keras_pyconv.export.session_child import pack, unpack


def test_an_export_passes_with_and_without_onednn(network, exported):
    report = check(exported, network)
    assert report.passed, str(report)
    claims = " ".join(row.claim for row in report.rows)
    for where in ("oneDNN on", "oneDNN off"):
        assert f"{where}: answers equal the Keras model's" in claims
        assert f"{where}, serving_default: a batch of 2 equals" in claims


def save_without_our_care(model, folder):
    """As `tf.saved_model.save(model)` does: Keras owns the variables."""

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 4), name="x")])
    def serve(x):
        return {"y": model(x)}

    module = tf.Module()
    module.model = model
    module.serve = serve
    tf.saved_model.save(module, str(folder), signatures=serve)
    return folder


@pytest.fixture(scope="module")
def careless(tmp_path_factory):
    inputs = keras.Input((8, 8, 4))
    outputs = keras.layers.Conv2D(4, 3, groups=2, name="stock")(inputs)
    folder = tmp_path_factory.mktemp("careless") / "1"
    return save_without_our_care(keras.Model(inputs, outputs), folder)


def test_stock_groups_and_unrestored_variables_fail(careless, capsys):
    assert command.main(["check", str(careless)]) == 1
    printed = capsys.readouterr().out
    assert "FAIL  no must-compile function" in printed
    assert "must-compile: __inference" in printed
    assert "FAIL  oneDNN off, serving_default: answers" in printed
    assert "Could not find variable" in printed


def test_the_command_says_where_no_model_is(tmp_path, capsys):
    assert command.main(["check", str(tmp_path)]) == 2
    assert "no SavedModel" in capsys.readouterr().err


def test_an_open_size_is_one_at_which_the_model_answers(tmp_path):
    inputs = keras.Input((None, None, 1))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 75)(inputs))
    report = check(saved_model(model, tmp_path), model)
    assert report.passed, str(report)


def test_unknown_names_list_the_known_ones(exported):
    with pytest.raises(ValueError, match="It has: classify, serve_bytes"):
        answer_in_clean_process(exported, np.zeros(1), "poetry")
    with pytest.raises(ValueError, match="images. Received: pixels"):
        answer_in_clean_process(exported, {"pixels": np.zeros(1)})


def test_tensorflow_is_found_where_the_user_has_it(
    exported, tmp_path, monkeypatch
):
    (tmp_path / "tensorflow.py").write_text("raise ImportError(__file__)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=f"{tmp_path}/tensorflow.py"):
        answer_in_clean_process(exported, np.zeros((1, 32, 32, 3)))


def test_a_process_that_takes_too_long_is_an_error(exported, monkeypatch):
    monkeypatch.setattr(clean_process, "TIMEOUT_SECONDS", 0.1)
    with pytest.raises(RuntimeError, match="not done within 0.1 seconds"):
        answer_in_clean_process(exported, np.zeros((1, 32, 32, 3)))


def test_arrays_and_strings_travel_between_processes(tmp_path):
    arrays = {
        "0/x": np.arange(6.0).reshape(2, 3),
        "0/text": np.array([["a", "\u00fc"]]),
        "1/bytes": np.array([b"\x00\xff\x00", b""], object),
    }
    pack(tmp_path / "a.npz", arrays)
    received = unpack(tmp_path / "a.npz")
    assert sorted(received) == sorted(arrays)
    np.testing.assert_array_equal(received["0/x"], arrays["0/x"])
    assert received["0/text"].tolist() == [[b"a", "\u00fc".encode()]]
    assert received["1/bytes"].tolist() == [b"\x00\xff\x00", b""]


RANKING = {
    "scores": np.array([[0.7, 0.2, 0.1]], np.float32),
    "classes": np.array([[4, 2, 9]]),
}


@pytest.mark.parametrize(
    "name, value, difference",
    [
        ("scores", [[0.7, 0.2, 0.1001]], "scores differs by 1.0e-04"),
        ("classes", [[2, 4, 9]], "classes differs"),
        ("classes", [[4, 2]], "classes has shape"),
    ],
    ids=["score", "order", "shape"],
)
def test_answers_that_differ_are_told(name, value, difference):
    other = {**RANKING, name: np.array(value)}
    assert difference in difference_of(RANKING, other)


def test_equal_scores_may_be_ranked_either_way():
    tied = {**RANKING, "scores": np.array([[0.5, 0.3, 0.3]])}
    other = {**tied, "classes": np.array([[4, 9, 2]])}
    assert not difference_of(tied, other)


def test_outputs_that_hold_nothing_or_no_numbers_are_compared():
    wanted = {
        "nothing": np.zeros((2, 0), np.float32),
        "flags": np.array([[True], [False]]),
        "labels": np.array([[b"a"], [b"b"]], object),
        "scores": np.ones((2, 3), np.float32),
    }
    assert not difference_of(wanted, wanted)
    for name in ("flags", "labels"):
        other = {**wanted, name: wanted[name][::-1]}
        assert difference_of(wanted, other) == f"{name} differs"
