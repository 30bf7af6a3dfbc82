"""What becomes of pictures that TensorFlow cannot decode.

Pillow tries next: it reads formats that TensorFlow does not. What it cannot
read either is counted and named, and stands as one pixel of the mean colour,
so that no other picture moves in the order; past a limit training stops.
"""

import io
import logging
import threading

import numpy as np
import tensorflow as tf

from keras_pyconv import arguments

log = logging.getLogger(__name__)

SHARE = 0.001  # of a set; of ImageNet's million a few files are odd
# So that a set of some thousands is not stopped by its first bad pictures,
# and one of some dozens does not train on what little is left.
FLOOR, FLOOR_SHARE = 10, 0.1
NAMED = 5  # pictures that the message of the error names


class BrokenPictures:
    """Counts and names the pictures that nothing can decode.

    Args:
        limit: how many different pictures may be broken; one more is an
            error, raised where the batches are read.

    Attributes:
        reasons: why each one is broken, by its name.
    """

    def __init__(self, limit):
        self.limit = arguments.integer("limit", limit, 0)
        self.reasons = {}
        self._lock = threading.Lock()

    @classmethod
    def among(cls, pictures):
        """With the limit for a set of pictures.

        0.1 % of it; of a set of up to 10,000 pictures 10, or a tenth of it if
        that is less, but at least 1.
        """
        arguments.examples("pictures", pictures)
        floor = min(FLOOR, int(FLOOR_SHARE * pictures.count))
        return cls(max(1, floor, int(SHARE * pictures.count)))

    def __str__(self):
        return (
            f"Pictures that could not be read: {len(self.reasons)}; "
            f"at most {self.limit} may be."
        )

    def decode(self, pictures, example, preprocessing):
        """The picture by Pillow, or one pixel of the mean colour.

        Args:
            pictures: the `PictureSet`.
            example: one of its examples.
            preprocessing: whose mean is taken.

        Returns:
            uint8 tensor of shape `(height, width, 3)`.
        """
        mean = np.round(255 * np.array(preprocessing.mean)).astype("uint8")

        @tf.autograph.experimental.do_not_convert
        def decoded(picture, name):
            try:
                if pictures.are_files:
                    with open(picture, "rb") as file:
                        picture = file.read()
                return decode_with_pillow(picture)
            # A decoder may raise anything on bytes that are no picture.
            except Exception as error:
                self.count(name.decode(errors="replace"), error)
                return mean[np.newaxis, np.newaxis]

        pixels = tf.numpy_function(
            decoded, [example["picture"], example["name"]], tf.uint8
        )
        return tf.ensure_shape(pixels, (None, None, 3))

    def count(self, name, reason):
        """Notes a broken picture, or raises if they are too many."""
        with self._lock:
            is_new = name not in self.reasons
            if is_new:
                self.reasons[name] = f"{type(reason).__name__}: {reason}"
            number = len(self.reasons)
        if is_new:
            log.warning("Cannot read %s (%s)", name, self.reasons[name])
        if number > self.limit:
            named = "; ".join(list(self.reasons)[-NAMED:])
            raise RuntimeError(
                f"{number} pictures cannot be read, and at most {self.limit} "
                f"may be. The last ones: {named}"
            )


def decode_with_pillow(encoded):
    """Any picture that Pillow reads, as uint8 (height, width, 3)."""
    from PIL import Image, UnidentifiedImageError

    try:
        picture = Image.open(io.BytesIO(encoded))
    except UnidentifiedImageError:
        # Pillow's own message shows the address of the bytes in memory.
        raise ValueError("no known kind of picture") from None
    with picture:
        if picture.mode.startswith(("I", "F")):
            # Pillow would cut off all that is brighter than 255.
            levels = np.asarray(picture) // 257
            picture = Image.fromarray(levels.clip(0, 255).astype("uint8"))
        return np.asarray(picture.convert("RGB"))
