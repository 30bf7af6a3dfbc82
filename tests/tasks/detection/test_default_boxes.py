"""The default boxes are the reference's 8,732, and follow the image's size."""

import itertools

import keras
import numpy as np
import pytest

from keras_pyconv.models import build_detector
from keras_pyconv.tasks.detection import default_boxes
from tests.conformance.cases import DETECTOR

STEPS = (8, 16, 32, 64, 100, 300)
SIZES = (21, 45, 99, 153, 207, 261, 315)
RATIOS = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))


def reference_boxes():
    """One box at a time, as the published settings say it."""
    boxes = []
    for number, side in enumerate((38, 19, 10, 5, 3, 1)):
        size, large = SIZES[number : number + 2]
        shapes = [(size, size), ((size * large) ** 0.5,) * 2]
        for ratio in RATIOS[number]:
            wide, narrow = size * ratio**0.5, size / ratio**0.5
            shapes += [(wide, narrow), (narrow, wide)]
        for row, column in itertools.product(range(side), repeat=2):
            x, y = ((at + 0.5) * STEPS[number] for at in (column, row))
            boxes += [(x, y, *shape) for shape in shapes]
    return np.clip(np.array(boxes) / 300, 0, 1)


def test_the_8732_boxes_are_the_references():
    boxes = default_boxes("SSDResNet50")
    assert boxes.shape == (8732, 4) and boxes.dtype == np.float32
    np.testing.assert_allclose(boxes, reference_boxes(), atol=3e-7)


# Read off the reference's settings by hand, in pixels of 300.
@pytest.mark.parametrize(
    "index, pixels",
    [
        (0, (4, 4, 21, 21)),
        (1, (4, 4, 30.7409, 30.7409)),
        (2, (4, 4, 29.6985, 14.8492)),
        (4, (12, 4, 21, 21)),
        (38 * 4, (4, 12, 21, 21)),
        (5776 + 4, (8, 8, 77.9423, 25.9808)),
        (8728, (150, 150, 261, 261)),
        (8731, (150, 150, 184.5549, 300)),
    ],
)
def test_single_boxes_by_hand(index, pixels):
    box = 300 * default_boxes("PyConvSSDPyConvResNet50")[index]
    np.testing.assert_allclose(box, pixels, atol=1e-3)


def test_boxes_keep_their_order_and_precision_under_a_mixed_policy():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        boxes = default_boxes("SSDResNet50")
    finally:
        keras.config.set_dtype_policy(before)
    np.testing.assert_array_equal(boxes, default_boxes("SSDResNet50"))


@pytest.mark.parametrize("shape", [(300, 300), (512, 300), (600, 901)])
def test_boxes_cover_the_same_fraction_at_other_sizes(shape):
    boxes = default_boxes("SSDResNet50", shape)
    rows, columns = (-(-side // 8) for side in shape)
    first = boxes[: rows * columns * 4].reshape(rows, columns, 4, 4)
    np.testing.assert_allclose(first[..., 0, 2:], 21 / 300, rtol=1e-6)
    wanted = np.minimum((np.arange(columns) + 0.5) * 8 / shape[1], 1)
    np.testing.assert_allclose(first[0, :, 0, 0], wanted, rtol=1e-6)
    wanted = np.minimum((np.arange(rows) + 0.5) * 8 / shape[0], 1)
    np.testing.assert_allclose(first[:, 0, 0, 1], wanted, rtol=1e-6)
    # The last map spreads over the image, whatever its size.
    last = boxes[-4:] if shape == (300, 300) else boxes[-8:-4]
    assert 0.5 <= last[0, 1] < 1


def test_a_model_gives_its_boxes_also_when_loaded(tmp_path):
    model = build_detector(DETECTOR, input_shape=(48, 64, 3), classes=3)
    boxes = default_boxes(model)
    assert len(boxes) == model.output["offsets"].shape[1]
    wanted = default_boxes(DETECTOR, (48, 64))
    np.testing.assert_array_equal(boxes, wanted)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(default_boxes(loaded), boxes)


def test_what_has_no_boxes_is_refused():
    with pytest.raises(ValueError, match="Known: SSDResNet50"):
        default_boxes("YOLO")
    classifier = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="is not a detector"):
        default_boxes(classifier)
    model = build_detector(DETECTOR, input_shape=(None, None, 3), classes=3)
    with pytest.raises(ValueError, match="which is not fixed"):
        default_boxes(model)


def test_legacy_keras_is_refused(monkeypatch):
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    with pytest.raises(RuntimeError, match="Unset it"):
        default_boxes("SSDResNet50")


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match="set KERAS_BACKEND=tensorflow"):
        default_boxes("SSDResNet50")
