"""An export is complete and answers as the model does, or is refused."""

import collections
import errno
import os
import shutil
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.export import (
    answer_in_clean_process,
    saved_model,
    serving_form,
)
from keras_pyconv.export.form import difference
from keras_pyconv.export.serving import bfloat16, module
from keras_pyconv.export.serving import saved_model as export_module
from keras_pyconv.export.serving.audit import read_signatures
from keras_pyconv.export.serving.ledger import read_ledger
from keras_pyconv.layers import PyConv
from tests.processors import convolves


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def test_a_clean_process_gives_the_models_answers(network, exported):
    images = np.random.default_rng(1).normal(size=(3, 32, 32, 3))
    images = images.astype("float32")
    answer = answer_in_clean_process(exported, images)
    expected = network.predict(images, verbose=0)
    order = np.argsort(-expected, axis=-1)[:, :3]
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
    np.testing.assert_array_equal(answer["classes"], order)
    assert answer["labels"][0, 0] == f"class {order[0, 0]}".encode()
    best = np.take_along_axis(answer["probabilities"], order, -1)
    np.testing.assert_array_equal(answer["scores"], best)


def test_the_signature_is_what_the_documentation_says(exported):
    signature = read_signatures(exported)["serving_default"]
    assert signature.inputs == {
        "images": tf.TensorSpec((None, 32, 32, 3), "float32")
    }
    assert signature.outputs == {
        "classes": tf.TensorSpec((None, 3), "int64"),
        "labels": tf.TensorSpec((None, 3), "string"),
        "probabilities": tf.TensorSpec((None, 10), "float32"),
        "scores": tf.TensorSpec((None, 3), "float32"),
    }


def test_versions_count_up_and_are_never_overwritten(small, tmp_path):
    first = saved_model(small, tmp_path / "net")
    before = files(first)
    assert (first.name, first.parent) == ("1", tmp_path / "net")
    assert saved_model(small, tmp_path / "net", version=7).name == "7"
    with pytest.raises(FileExistsError, match="next free version is 8"):
        saved_model(small, tmp_path / "net", version=1)
    assert files(first) == before


@pytest.mark.parametrize("version", [0, -1, 1.0, "1", True, 2**63])
def test_a_version_is_a_positive_integer(small, tmp_path, version):
    with pytest.raises(ValueError, match="positive integer"):
        saved_model(small, tmp_path / "net", version)
    assert not (tmp_path / "net").exists()


def test_a_root_that_is_a_file_is_refused(small, tmp_path):
    (tmp_path / "net").write_text("mine")
    with pytest.raises(NotADirectoryError, match="net is a file"):
        saved_model(small, tmp_path / "net")
    assert (tmp_path / "net").read_text() == "mine"


def test_a_root_that_is_a_version_is_refused(small, tmp_path):
    version = saved_model(small, tmp_path)
    with pytest.raises(ValueError, match="itself a SavedModel"):
        saved_model(small, version)


def test_the_folder_of_models_is_refused(small, tmp_path):
    saved_model(small, tmp_path / "net")
    with pytest.raises(
        ValueError, match="is a folder of models. Pass a folder in"
    ):
        saved_model(small, tmp_path)
    assert not (tmp_path / "1").exists()


def test_a_folder_without_permission_is_refused(small, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match="not writable"):
        saved_model(small, tmp_path / "net")
    assert not files(tmp_path)


def test_a_full_disk_is_refused_before_writing(small, tmp_path, monkeypatch):
    usage = collections.namedtuple("usage", "free")(1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match="needs 8 MB .* has 1 MB left"):
        saved_model(small, tmp_path / "net")
    assert not files(tmp_path)


def test_what_is_no_keras_model_is_refused(tmp_path):
    with pytest.raises(TypeError, match="Received: .*Dense"):
        saved_model(keras.layers.Dense(2), tmp_path / "net")


def test_a_model_that_is_not_built_is_refused(tmp_path):
    model = keras.Sequential([keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="not built"):
        saved_model(model, tmp_path / "net")


def test_a_subclass_is_refused_with_the_cure(tmp_path):
    class Net(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ValueError, match="keras.Model\\(inputs, model"):
        saved_model(Net(), tmp_path / "net")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_variables_that_are_not_finite_are_named(small, tmp_path, value):
    small.layers[-1].bias.assign([0.0, value, 0.0])
    with pytest.raises(ValueError, match="1 variables .* predictions/bias"):
        saved_model(small, tmp_path / "net")
    assert not files(tmp_path)


def test_a_failure_in_the_middle_leaves_nothing(small, tmp_path, monkeypatch):
    def fail(module, folder, signatures):
        with open(os.path.join(folder, "saved_model.pb"), "wb") as file:
            file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(OSError, match="No space left"):
        saved_model(small, tmp_path / "models" / "net")
    assert not files(tmp_path)
    monkeypatch.undo()
    assert saved_model(small, tmp_path / "models" / "net").name == "1"


def test_tensorflows_own_error_of_a_full_disk_is_told(
    small, tmp_path, monkeypatch
):
    def fail(*arguments, **options):
        raise tf.errors.ResourceExhaustedError(None, None, "no space: x.index")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(OSError, match="could not be written: no space") as e:
        saved_model(small, tmp_path / "net")
    assert e.value.errno == errno.ENOSPC
    assert not files(tmp_path)


def test_a_disk_that_fills_up_at_the_end_is_told(small, tmp_path, monkeypatch):
    def fail(*arguments):
        raise tf.errors.ResourceExhaustedError(None, None, "no space: warmup")

    monkeypatch.setattr(export_module, "write_warmup", fail)
    with pytest.raises(OSError, match="could not be written: no space"):
        saved_model(small, tmp_path / "models" / "net")
    assert not files(tmp_path)


def test_frozen_weights_that_no_file_holds_are_refused(
    small, tmp_path, monkeypatch
):
    monkeypatch.setattr(module, "FILE_BYTES", 8_000_000)
    with pytest.raises(ValueError, match="one file of 0.0 GB.*freeze=False"):
        saved_model(small, tmp_path / "net", freeze=True)
    assert not files(tmp_path)


@pytest.mark.parametrize("batch_sizes", [(), (0,), (1, 2.0), (True,)])
def test_batch_sizes_are_positive_integers(small, tmp_path, batch_sizes):
    with pytest.raises(ValueError, match="`batch_sizes` .* positive integers"):
        saved_model(small, tmp_path / "net", batch_sizes=batch_sizes)


def test_a_folder_above_without_permission_is_refused(
    small, tmp_path, monkeypatch
):
    (tmp_path / "net").mkdir()
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda p, mode: p != tmp_path and access(p, mode)
    )
    with pytest.raises(PermissionError, match="server_files=False"):
        saved_model(small, tmp_path / "net")
    assert not files(tmp_path / "net")
    assert saved_model(small, tmp_path / "net", server_files=False).exists()


def test_stock_grouped_convolution_is_refused_by_name(tmp_path):
    inputs = keras.Input((8, 8, 4))
    x = keras.layers.Conv2D(4, 3, groups=2, name="stock")(inputs)
    model = keras.Model(inputs, x)
    with pytest.raises(ValueError, match="'stock' .Conv2D, groups=2.*native_g"):
        saved_model(model, tmp_path / "net")
    assert not files(tmp_path)


def test_a_sequential_model_that_is_no_classifier_is_written(tmp_path):
    stack = [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="maps")]
    model = keras.Sequential(stack)
    path = saved_model(model, tmp_path / "net")
    signature = read_signatures(path)["serving_default"]
    assert signature.outputs == {
        "maps": tf.TensorSpec((None, 6, 6, 4), "float32")
    }
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("f4")
    served = tf.saved_model.load(path).signatures["serving_default"]
    np.testing.assert_allclose(
        served(images=images)["maps"], model(images), atol=1e-5
    )


def test_stock_groups_in_a_sequential_model_are_refused_by_name(tmp_path):
    stock = keras.layers.Conv2D(4, 3, groups=2, name="stock")
    model = keras.Sequential([keras.Input((8, 8, 4)), stock])
    with pytest.raises(ValueError, match="'stock' .Conv2D, groups=2.*native_g"):
        saved_model(model, tmp_path / "net")
    assert not files(tmp_path)


@pytest.mark.parametrize("freeze", [False, True])
def test_a_bfloat16_model_takes_the_faster_way(freeze, tmp_path, randomized):
    inputs = keras.Input((None, None, 4))
    with_policy = {"dtype": keras.DTypePolicy("mixed_bfloat16")}
    x = PyConv(8, (3, 5), groups=(1, 2), **with_policy)(inputs)
    x = keras.layers.BatchNormalization(**with_policy)(x)
    model = randomized(keras.Model(inputs, x))
    path = saved_model(model, tmp_path / "net", freeze=freeze)
    (spec,) = read_signatures(path)["serving_default"].outputs.values()
    assert spec == tf.TensorSpec((None, None, None, 8), "float32")
    images = np.random.default_rng(0).normal(size=(2, 9, 9, 4)).astype("f4")
    served = tf.saved_model.load(path)

    def answer():
        (outputs,) = served.signatures["serving_default"](
            images=images
        ).values()
        return outputs.numpy()

    wanted = serving_form(model)(images).numpy()
    taken, verdict = answer(), served.bfloat16_is_faster
    has_bfloat16 = convolves("bfloat16")
    assert abs(verdict) == 1 and (verdict < 0 or has_bfloat16)
    assert difference(wanted, taken) <= (0.02 if verdict > 0 else 1e-5)
    np.testing.assert_array_equal(taken, answer())
    # What other processors would find.
    verdict.assign(-1)
    assert difference(wanted, answer()) <= 1e-5
    verdict.assign(1)
    if has_bfloat16:
        assert 1e-4 < difference(wanted, answer()) <= 0.02


@pytest.mark.parametrize(
    "cost, verdict",
    [(0.55, 1), (1.0, -1), (2.8, -1)],
    ids=["half the cost", "equal cost", "emulated"],
)
def test_a_busy_machine_does_not_decide_the_precision(
    cost, verdict, monkeypatch
):
    def disturbed(dtype):  # by other processes, up to three times as long
        delay = tf.random.uniform((), 1.0, 3.0)
        return delay * (cost if dtype == "bfloat16" else 1.0)

    monkeypatch.setattr(bfloat16, "_seconds", disturbed)
    tf.random.set_seed(1)
    assert {int(bfloat16._measured()) for _ in range(30)} == {verdict}


def test_float32_is_taken_where_bfloat16_is_refused(monkeypatch):
    def refused(dtype):
        seconds = 1.0 if dtype == "float32" else np.nan
        return tf.debugging.check_numerics(seconds, "refused")

    monkeypatch.setattr(bfloat16, "_seconds", refused)
    assert bfloat16._measured() == -1


def test_small_kernels_are_constants_and_others_variables(
    tmp_path, monkeypatch, randomized
):
    # The kernels of two levels have 144 and 200 numbers, that of a pixel 64.
    monkeypatch.setattr(module, "SMALL_NUMBERS", 160)
    inputs = keras.Input((9, 9, 4))
    x = PyConv(8, (3, 5), groups=(1, 2), use_bias=False)(inputs)
    x = keras.layers.Conv2D(8, 1, use_bias=False)(x)
    model = randomized(keras.Model(inputs, x))
    path = saved_model(model, tmp_path / "net", preprocessing=None)
    served = tf.saved_model.load(path)
    shapes = [tuple(v.shape) for v in served.model_variables]
    assert sorted(shapes) == [(1, 1, 8, 8), (5, 5, 2, 4)]
    images = np.random.default_rng(0).normal(size=(2, 9, 9, 4)).astype("f4")
    (outputs,) = served.signatures["serving_default"](images=images).values()
    np.testing.assert_allclose(outputs, model(images), atol=1e-5)


def test_a_layer_that_counts_goes_on_counting(tmp_path):
    class Counter(keras.layers.Layer):
        def build(self, shape):
            self.seen = self.add_weight(name="seen", initializer="zeros")

        def call(self, inputs):
            self.seen.assign_add(1.0)
            return inputs + self.seen

    inputs = keras.Input((5, 5, 1))
    kernel = keras.layers.Conv2D(1, 3, kernel_initializer="zeros")
    model = keras.Model(inputs, Counter()(kernel(inputs)))
    path = saved_model(model, tmp_path / "net", fold=False, batch_sizes=(1,))
    served = tf.saved_model.load(path).signatures["serving_default"]
    images = np.zeros((1, 5, 5, 1), "f4")
    first, second = (
        served(images=images)["counter"].numpy().mean() for _ in range(2)
    )
    assert second == first + 1


def test_a_float16_model_and_integers_are_written_in_float32(tmp_path):
    inputs = keras.Input((4,))
    half = keras.layers.Dense(3, dtype=keras.DTypePolicy("mixed_float16"))
    whole = keras.layers.Dense(3, dtype=keras.DTypePolicy("mixed_bfloat16"))
    models = [keras.Model(inputs, layer(inputs)) for layer in (half, whole)]
    whole.quantize("int8")
    for name, model in zip(("half", "integers"), models):
        path = saved_model(model, tmp_path / name, batch_sizes=(1,))
        written = (path / "saved_model.pb").read_bytes()
        assert b"bfloat16" not in written and b"Timestamp" not in written


def test_functions_of_its_owner_are_served(with_own_functions, tmp_path):
    path = saved_model(with_own_functions, tmp_path / "net", batch_sizes=(1,))
    images = np.random.default_rng(0).normal(size=(2, 12, 12, 4)).astype("f4")
    served = tf.saved_model.load(path).signatures["serving_default"]
    np.testing.assert_allclose(
        served(images=images)["probabilities"],
        with_own_functions(images),
        atol=1e-5,
    )


def test_threads_that_export_to_one_root_lose_nothing(small, tmp_path):
    failures = []

    def export():
        try:
            for _ in range(4):
                saved_model(small, tmp_path / "net", batch_sizes=(1,))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=export) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    versions = list(range(1, 25))
    assert [entry.version for entry in read_ledger(tmp_path)] == versions
    names = {path.name for path in (tmp_path / "net").iterdir()}
    assert names == {*map(str, versions), "README.md"}


def test_a_model_that_touches_files_is_refused_by_name(tmp_path):
    inputs = keras.Input((4,))

    def note(x):
        with tf.control_dependencies([tf.io.write_file("notes", "seen")]):
            return tf.identity(x)

    x = keras.layers.Lambda(note, name="notes")(inputs)
    with pytest.raises(ValueError, match="'notes' .Lambda.: file-operation"):
        saved_model(keras.Model(inputs, x), tmp_path / "net")
    assert not files(tmp_path)


def test_a_request_for_nothing_gets_nothing(exported, nothing):
    assert set(nothing(tf.saved_model.load(exported)).values()) == {0}


@pytest.mark.parametrize("freeze", [False, True])
def test_so_it_does_with_convolutions_of_keras(freeze, nothing, tmp_path):
    inputs = keras.Input((6, 6, 4))
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(inputs)
    x = keras.layers.Flatten()(keras.layers.MaxPooling2D(2)(x))
    model = keras.Model(inputs, keras.layers.Dense(3, "softmax")(x))
    folder = saved_model(model, tmp_path / "stock", freeze=freeze)
    assert set(nothing(tf.saved_model.load(folder)).values()) == {0}
