"""The paper's evaluation of one image: scales, windows, flips, averages.

Section 5 and the authors' test script: the long side is resized to 512 times
the scale; windows of 473 x 473 pixels, 316 apart, cover the image, padded with
the mean colour where it is smaller. Probabilities, not logits, are averaged:
of each window and its mirror image, at the single scale too; of windows that
overlap; and, resized to the image's own size, of the scales. That size comes
in strips, so that memory does not grow with it.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from keras_pyconv import arguments
from keras_pyconv.lazy import tf
from keras_pyconv.ops.resize import resize_rows
from keras_pyconv.tasks.preprocessing import (
    IMAGENET_DEVIATION,
    IMAGENET_MEAN,
    normalize,
)
from keras_pyconv.tasks.segmentation.classes import number_of_classes
from keras_pyconv.typing import Tensor

STRIP_NUMBERS = 16_000_000  # probabilities in a strip: 64 MB


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How an image is shown to the network.

    Attributes:
        scales: Factors of `base_size`.
        window: Side of the square windows, in pixels.
        base_size: Long side at scale 1, in pixels; None for the image's own.
        flip: Whether each window is also shown mirrored.
        batch: Windows in a batch; mirrored ones double it.
        mean, deviation: As in `Preprocessing`.
    """

    scales: tuple[float, ...] = (1.0,)
    window: int = 473
    base_size: int | None = 512
    flip: bool = True
    batch: int = 1
    mean: tuple[float, ...] = IMAGENET_MEAN
    deviation: tuple[float, ...] = IMAGENET_DEVIATION

    def __post_init__(self):
        arguments.check_fields(self)
        arguments.normalization(self.mean, self.deviation)
        good = min(self.scales, default=0) > 0
        rule = "positive factors, at least one"
        arguments.check("scales", self.scales, good, rule)

    @property
    def stride(self) -> int:
        """Pixels from one window to the next: two thirds, rounded up."""
        return -(-2 * self.window // 3)


SINGLE_SCALE = Protocol()
MULTI_SCALE = Protocol(scales=(0.5, 0.75, 1.0, 1.25, 1.5, 1.75))


def scaled_size(height: int, width: int, long_side: int) -> tuple[int, int]:
    """The size whose longer side is `long_side`; halves are rounded to even."""
    longest = max(height, width)
    height, width = (
        max(1, round(long_side / longest * side)) for side in (height, width)
    )
    return height, width


def window_starts(size: int, window: int, stride: int) -> list[int]:
    """First pixels of the windows along an axis of at least one window."""
    count = math.ceil((size - window) / stride) + 1
    return [min(i * stride, size - window) for i in range(count)]


class SlidingWindows:
    """A network under a protocol: from images of any size to label maps.

    Args:
        model: Network to logits `(batch, height, width, classes)` at its
            input's size, which is any or the window's.
        protocol: The `Protocol`.

    Raises:
        ValueError: if the model takes another size than the window's.
    """

    def __init__(self, model: keras.Model, protocol: Protocol = SINGLE_SCALE):
        arguments.instance("protocol", protocol, Protocol)
        number_of_classes(model)
        side = protocol.window
        shape = tuple(model.input_shape)
        if any(size not in (None, side) for size in shape[1:3]):
            raise ValueError(
                f"Model {model.name!r} takes images of shape {shape[1:]}, but "
                f"the protocol uses windows of {side} pixels: pass a "
                "`Protocol(window=...)` of the model's size."
            )
        self.model, self.protocol = model, protocol
        windows = tf.TensorSpec((None, side, side, shape[-1]), tf.float32)
        self._probabilities = tf.function(
            self._probabilities_of_windows, input_signature=[windows]
        )
        open_map = tf.TensorSpec((None, None, None), tf.float32)
        numbers = [tf.TensorSpec((), tf.int32)] * 4
        self._strip = tf.function(
            resize_rows, input_signature=[open_map, *numbers]
        )

    def _probabilities_of_windows(self, windows):
        def softmax(images):
            logits = self.model(images, training=False)
            return tf.nn.softmax(tf.cast(logits, tf.float32))

        if not self.protocol.flip:
            return softmax(windows)
        both = tf.concat([windows, tf.reverse(windows, [2])], axis=0)
        straight, mirrored = tf.split(softmax(both), 2)
        return (straight + tf.reverse(mirrored, [2])) / 2

    def _prepared(self, image, size):
        """Resized, normalized and padded with the mean; and the margins."""
        pixels = tf.image.resize(tf.cast(image, tf.float32), size)
        pixels = normalize(pixels, self.protocol)
        missing = [max(self.protocol.window - side, 0) for side in size]
        before = [pad // 2 for pad in missing]
        pads = [[b, pad - b] for b, pad in zip(before, missing)]
        # The mean colour is zero by now.
        return tf.pad(pixels, [*pads, [0, 0]]), before

    def _map(self, image, long_side):
        """Probabilities at one scale, `(height, width, classes)`."""
        side, stride = self.protocol.window, self.protocol.stride
        size = scaled_size(*image.shape[:2], long_side)
        pixels, (top, left) = self._prepared(image, size)
        rows, columns = [
            window_starts(length, side, stride) for length in pixels.shape[:2]
        ]
        places = [(row, column) for row in rows for column in columns]
        total, count = None, np.zeros((*pixels.shape[:2], 1), "float32")
        for first in range(0, len(places), self.protocol.batch):
            some = places[first : first + self.protocol.batch]
            windows = [pixels[r : r + side, c : c + side] for r, c in some]
            answers = self._probabilities(tf.stack(windows))
            if total is None:
                shape = (*pixels.shape[:2], answers.shape[-1])
                total = tf.Variable(tf.zeros(shape))
            for (r, c), answer in zip(some, answers):
                window = total[r : r + side, c : c + side]
                window.assign(window + answer)
                count[r : r + side, c : c + side] += 1
        inside = (slice(top, top + size[0]), slice(left, left + size[1]))
        return total[inside] / count[inside]

    def strips(self, image: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Averaged probabilities of an image, from top to bottom.

        Args:
            image: `(height, width, channels)`, pixels in [0, 255].

        Returns:
            An iterator of pairs: the first row, and float32 `(rows, width,
            classes)`.
        """
        image = arguments.array("image", image, 3)
        channels = self.model.input_shape[-1]
        if not image.size or image.shape[-1] != channels:
            rule = f"not empty, (height, width, {channels})"
            arguments.refuse("image", image, rule)
        return self._strips(image)

    def _strips(self, image):
        height, width = image.shape[:2]
        base, scales = self.protocol.base_size, self.protocol.scales
        base = base or max(height, width)
        maps = [self._map(image, round(scale * base)) for scale in scales]
        rows = max(1, STRIP_NUMBERS // (width * maps[0].shape[-1]))
        for first in range(0, height, rows):
            part = (height, width, first, min(rows, height - first))
            strips = [self._strip(one, *part) for one in maps]
            yield first, tf.add_n(strips) / len(strips)

    def probabilities(self, image: Tensor) -> np.ndarray:
        """Averaged probabilities at the image's size; for small images."""
        return np.concatenate([part.numpy() for _, part in self.strips(image)])

    def labels(
        self,
        image: Tensor,
        on_strip: Callable[[int, Tensor], Any] | None = None,
    ) -> np.ndarray:
        """The likeliest class of each pixel, int32 `(height, width)`.

        `on_strip` is called with each pair of `strips`.
        """
        arguments.function("on_strip", on_strip, optional=True)
        parts = []
        for first, part in self.strips(image):
            if on_strip is not None:
                on_strip(first, part)
            parts.append(tf.argmax(part, axis=-1, output_type=tf.int32))
        return np.concatenate(parts)
