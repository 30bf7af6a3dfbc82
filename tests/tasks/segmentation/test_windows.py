"""The evaluation of a picture is the authors', written slowly in NumPy."""

import math

import keras
import numpy as np
import pytest

from keras_pyconv.tasks.segmentation import windows
from keras_pyconv.tasks.segmentation.windows import (
    MULTI_SCALE,
    SINGLE_SCALE,
    Protocol,
    SlidingWindows,
)
from tests.tasks.segmentation.small import network, picture

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SMALL = {"window": 31, "base_size": 40}


@pytest.fixture(scope="module")
def model():
    return network()


def stretched(values, height, width):
    """Bilinear, half-pixel centres, one output pixel after the other."""
    old_height, old_width = values.shape[:2]
    result = np.zeros((height, width, values.shape[-1]))
    for i in range(height):
        y = min(max((i + 0.5) * old_height / height - 0.5, 0), old_height - 1)
        for j in range(width):
            x = min(max((j + 0.5) * old_width / width - 0.5, 0), old_width - 1)
            top, left = int(y), int(x)
            bottom = min(top + 1, old_height - 1)
            right = min(left + 1, old_width - 1)
            dy, dx = y - top, x - left
            result[i, j] = (1 - dy) * (
                (1 - dx) * values[top, left] + dx * values[top, right]
            ) + dy * (
                (1 - dx) * values[bottom, left] + dx * values[bottom, right]
            )
    return result


def softmax(logits):
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def of_window(model, pixels):
    batch = np.stack([pixels, pixels[:, ::-1]]).astype("float32")
    straight, mirrored = softmax(np.asarray(model(batch), "float64"))
    return (straight + mirrored[:, ::-1]) / 2


def of_scale(model, image, long_side, window):
    height, width = image.shape[:2]
    new_height = new_width = long_side
    if height > width:
        new_width = round(long_side / height * width)
    else:
        new_height = round(long_side / width * height)
    pixels = stretched(image.astype("float64"), new_height, new_width)
    pixels = (pixels / 255 - MEAN) / DEVIATION
    missing_rows = max(window - new_height, 0)
    missing_columns = max(window - new_width, 0)
    top, left = missing_rows // 2, missing_columns // 2
    pixels = np.pad(
        pixels,
        [(top, missing_rows - top), (left, missing_columns - left), (0, 0)],
    )
    total, count = 0.0, np.zeros((*pixels.shape[:2], 1))
    stride = math.ceil(window * 2 / 3)
    total = np.zeros((*pixels.shape[:2], model.output_shape[-1]))
    for i in range(math.ceil((len(pixels) - window) / stride) + 1):
        for j in range(math.ceil((pixels.shape[1] - window) / stride) + 1):
            bottom = min(i * stride + window, len(pixels))
            right = min(j * stride + window, pixels.shape[1])
            part = np.s_[bottom - window : bottom, right - window : right]
            total[part] += of_window(model, pixels[part])
            count[part] += 1
    mean = total / count
    mean = mean[top : top + new_height, left : left + new_width]
    return stretched(mean, height, width)


def slowly(model, image, scales):
    maps = [of_scale(model, image, round(s * 40), 31) for s in scales]
    return np.mean(maps, axis=0)


@pytest.mark.parametrize("size", [(20, 33), (64, 25), (9, 90)], ids=str)
@pytest.mark.parametrize("scales", [(1.0,), (0.5, 1.75)], ids=str)
def test_probabilities_equal_the_slow_reference(model, size, scales):
    image = picture(*size)
    sliding = SlidingWindows(model, Protocol(scales, **SMALL, batch=2))
    found = sliding.probabilities(image)
    expected = slowly(model, image, scales)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert (sliding.labels(image) == found.argmax(axis=-1)).all()


def test_strips_are_parts_of_the_whole(model, monkeypatch):
    image, protocol = picture(50, 30), Protocol((0.5, 1.0), **SMALL)
    whole = SlidingWindows(model, protocol).probabilities(image)
    monkeypatch.setattr(windows, "STRIP_NUMBERS", 4 * 30 * 7)
    sliding = SlidingWindows(model, protocol)
    parts = list(sliding.strips(image))
    assert [first for first, _ in parts] == list(range(0, 50, 7))
    joined = np.concatenate([part for _, part in parts])
    np.testing.assert_allclose(joined, whole, atol=1e-6)


def test_what_is_held_does_not_grow_with_the_picture(model):
    """Nothing larger than the resized picture or a strip is ever made."""
    sliding = SlidingWindows(model, Protocol(**SMALL))
    sizes = [part.shape for _, part in sliding.strips(picture(3000, 2000))]
    assert max(map(np.prod, sizes)) <= windows.STRIP_NUMBERS
    assert len(sizes) > 1


def test_the_protocols_are_the_papers():
    assert SINGLE_SCALE.window == 473 and SINGLE_SCALE.stride == 316
    assert SINGLE_SCALE.flip and SINGLE_SCALE.base_size == 512
    assert MULTI_SCALE.scales == (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
    assert windows.window_starts(473, 473, 316) == [0]
    assert windows.window_starts(896, 473, 316) == [0, 316, 423]
    assert windows.scaled_size(683, 512, 512) == (512, 384)


def test_without_mirroring_a_mirrored_picture_has_another_answer(model):
    image = picture(31, 40)
    for flip, same in ((True, True), (False, False)):
        sliding = SlidingWindows(model, Protocol(**SMALL, flip=flip))
        straight = sliding.probabilities(image)
        mirrored = sliding.probabilities(image[:, ::-1])[:, ::-1]
        assert np.allclose(straight, mirrored, atol=1e-4) == same


@pytest.mark.parametrize(
    "options, message",
    [
        ({"window": 0}, "`window` must be a positive .*window=0"),
        ({"batch": 1.5}, "batch=1.5"),
        ({"scales": ()}, r"at least one. Received: scales=\(\)"),
        ({"scales": (1, -1)}, "positive factors"),
    ],
)
def test_a_protocol_that_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Protocol(**options)


def test_a_model_of_another_size_than_the_windows_is_refused():
    with pytest.raises(ValueError, match="64, 64, 3.*windows of 31"):
        SlidingWindows(network(size=64), Protocol(**SMALL))
    assert SlidingWindows(network(size=31), Protocol(**SMALL))


def test_weights_that_change_later_count(model):
    model = keras.models.clone_model(model)
    sliding = SlidingWindows(model, Protocol(**SMALL))
    image = picture(31, 31)
    before = sliding.probabilities(image)
    model.layers[-1].bias.assign([5.0, 0, 0, 0])
    assert (sliding.probabilities(image) != before).any()
