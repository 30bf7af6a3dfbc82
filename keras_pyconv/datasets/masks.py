"""What a mask file says about each pixel, and the refusal of wrong ones.

A mask is an 8-bit gray PNG, whose header is checked: a decoder makes colours of
a palette and drops half of 16 bits. By the rule "from_one", ADE20K's, classes
count from 1 and 0 is "other"; by "from_zero" they count from 0 and 255 is no
class; by "binary" 0 is the background and 1 or 255 the object.
"""

import re

from keras_pyconv.lazy import tf
from keras_pyconv.tasks.segmentation.classes import IGNORED

LABEL_RULES = ("from_one", "from_zero", "binary")

_BEGINNING = "The mask of"
_SIGNATURE = b"\x89PNG"
# By PNG's own numbers of its kinds of colour.
_KINDS = ["gray", "1", "RGB", "palette", "gray with alpha", "5", "RGBA"]


def _check(holds, name, *words):
    """An assertion whose message is one sentence on a named mask."""
    words = map(tf.strings.as_string, words)
    said = tf.strings.join([_BEGINNING, name, *words], " ")
    return tf.debugging.Assert(holds, [said], summarize=1)


def fault(error, name) -> str:
    """One sentence on what is wrong with the mask of a named image."""
    # TensorFlow fails to say what it found in bytes that are no text.
    said = getattr(error, "message", "the file is damaged")
    if _BEGINNING in said:
        said = said[said.index(_BEGINNING) :].splitlines()[0]
        return said.strip(" '\"]")
    said = re.sub(r"\{\{.*?\}\}|\[Op:.*", "", said).strip()
    said = (said.splitlines() or ["empty"])[0]
    return f"{_BEGINNING} {name} cannot be read: {said}"


def _check_header(encoded, name):
    """Assertions on the file's kind: what it is comes into the message."""
    is_png = tf.strings.substr(encoded, 0, 4) == _SIGNATURE
    header = tf.cond(
        tf.strings.length(encoded) > 25,
        lambda: tf.strings.substr(encoded, 24, 2),
        lambda: tf.constant(b"\x00\x00"),
    )
    numbers = tf.cast(tf.io.decode_raw(header, tf.uint8), tf.int32)
    bits, color = tf.unstack(numbers, num=2)
    kind = tf.gather(_KINDS, tf.minimum(color, len(_KINDS) - 1))
    gray = (color == 0) & (bits == 8)
    must = "must be an 8-bit gray PNG; found"
    return [
        _check(is_png, name, must, "a file that is no PNG"),
        _check(gray | ~is_png, name, must, kind, "of", bits, "bits"),
    ]


def _labels(pixels, classes, rule, name):
    """The values of a file as labels; the arguments are `decode_mask`'s."""
    values = tf.cast(pixels, tf.int32)
    if rule == "from_one":
        nothing, labels, last = values == 0, values - 1, classes
    elif rule == "from_zero":
        nothing, labels, last = values == IGNORED, values, classes - 1
    else:
        object_ = (values == 1) | (values == IGNORED)
        values = tf.where(object_, 1, values)
        nothing, labels, last = values < 0, values, 1
    highest = tf.reduce_max(tf.where(nothing, 0, values))
    check = _check(
        highest <= last,
        name,
        "holds the value",
        highest,
        f"but of {classes} classes, counted by the rule {rule!r}, the last is "
        f"{last}",
    )
    with tf.control_dependencies([check]):
        return tf.cast(tf.where(nothing, IGNORED, labels), tf.uint8)


def decode_mask(encoded, classes, rule, name="a picture", size=None):
    """A PNG as checked uint8 labels from 0, 255 for no class, in graphs too."""
    with tf.control_dependencies(_check_header(encoded, name)):
        pixels = tf.io.decode_png(encoded, channels=1)[..., 0]
    checks = []
    if size is not None:
        found = tf.shape(pixels)
        said = "has another size than its image; found"
        words = (said, found[0], "x", found[1], "and", size[0], "x", size[1])
        checks.append(_check(tf.reduce_all(found == size), name, *words))
    with tf.control_dependencies(checks):
        return _labels(pixels, classes, rule, name)
