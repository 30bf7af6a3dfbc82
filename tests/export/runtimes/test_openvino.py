"""A file of OpenVINO answers as the model does, and says what it is."""

import keras
import numpy as np
import pytest

import keras_pyconv
from keras_pyconv.export import openvino
from keras_pyconv.export.runtimes import about
from keras_pyconv.export.runtimes.openvino import open_openvino
from keras_pyconv.tasks.preprocessing import Preprocessing

NAMES = ("ant", "bee", "cow")


@pytest.fixture(scope="module")
def model():
    """Pyramids over images of any size."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((None, None, 3))
    x = keras_pyconv.PyConv(16, 7, strides=2)(inputs)
    x = keras_pyconv.PyConv(16, (3, 5), groups=(1, 4))(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras_pyconv.SymmetricMaxPooling2D(3, 2)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    outputs = keras.layers.Dense(3, "softmax", name="kinds")(x)
    return keras.Model(inputs, outputs)


class TestWithOpenVino:
    """What needs the library."""

    @pytest.fixture(autouse=True)
    def library(self):
        pytest.importorskip(
            "openvino", reason="the extra `openvino` is not installed"
        )

    def test_it_answers_under_its_names_at_any_size(self, model, tmp_path):
        rule = Preprocessing(32, 40)
        path = tmp_path / "net.xml"
        options = {"labels": NAMES, "preprocessing": rule}
        exported = openvino(model, path, **options)
        rows = exported.comparisons
        assert [row.batch for row in rows] == [1, 2]
        assert all(row.difference <= 1e-4 for row in rows)
        files = sorted(tmp_path.iterdir())
        assert [file.name for file in files] == ["net.bin", "net.xml"]
        assert exported.size_bytes == sum(file.stat().st_size for file in files)
        record, boxes, _ = about.read(path)
        assert (record.labels, record.preprocessing) == (NAMES, rule)
        assert boxes is None
        _, ask = open_openvino(path)
        assert ask.inputs == {"images": [None, None, None, 3]}
        draw = np.random.default_rng(0)
        for shape in ((1, 20, 30, 3), (3, 9, 9, 3)):
            images = draw.normal(size=shape).astype("float32")
            answer = ask({"images": images})["kinds"]
            np.testing.assert_allclose(answer, model(images), atol=1e-5)

    def test_files_of_two_exports_are_no_pair(self, model, tmp_path):
        path, other = tmp_path / "net.xml", tmp_path / "other.xml"
        openvino(model, path)
        twin = keras.models.clone_model(model)
        openvino(twin, other)
        other.with_suffix(".bin").replace(path.with_suffix(".bin"))
        with pytest.raises(ValueError, match="are of different exports"):
            open_openvino(path)

    def test_clips_run(self, tmp_path):
        inputs = keras.Input((4, 8, 8, 4))
        outputs = keras_pyconv.PyConv3D(8, (3, 5), groups=(1, 2))(inputs)
        exported = openvino(keras.Model(inputs, outputs), tmp_path / "c.xml")
        assert all(row.difference <= 1e-4 for row in exported.comparisons)

    def test_a_detector_keeps_its_boxes(self, tmp_path):
        detector = keras_pyconv.PyConvSSD(
            "PyConvResNetMini", input_shape=(64, 64, 3), classes=4
        )
        openvino(detector, tmp_path / "net.xml", labels=NAMES)
        record, boxes, _ = about.read(tmp_path / "net.xml")
        assert record.labels == NAMES and boxes["image_shape"] == [64, 64]


def test_another_ending_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="ends in .xml. Received.*net.onnx"):
        openvino(model, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())
