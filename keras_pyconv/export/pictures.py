"""Signatures that take the bytes of pictures, and what they decode with.

One file that cannot be read would fail its whole batch, and a server's batch
holds the requests of strangers. So each picture is decoded by itself: where
that fails its row is empty and says so, and all others get their answers.
"""

import numpy as np

from keras_pyconv.tasks.preprocessing import (
    Preprocessing,
    decode_picture,
    imagenet_preprocessing,
    pixels_as_they_are,
    prepare_picture,
)

EXAMPLE_KINDS = 4  # of example pictures; more of them come again
PARALLEL = 8  # pictures of one batch that are decoded at a time


def map_strings(strings, function, shape):
    """A function of each string of a batch, whichever of them it refuses.

    Args:
        strings: string tensor of shape `(batch,)`.
        function: from a string scalar to a float32 tensor of `shape`; what
            it raises in the graph is about its own row alone.
        shape: tuple of integers.

    Returns:
        float32 tensor `(batch, *shape)` that is zero where the function
        failed, and bool tensor `(batch,)` that is true where it did not.
    """
    import tensorflow as tf

    count = tf.shape(strings, out_type=tf.int64)[0]

    def one(index, string):
        return index, tf.ensure_shape(function(string), shape)

    results = tf.data.Dataset.from_tensor_slices(strings).enumerate()
    results = results.map(one, num_parallel_calls=PARALLEL)
    results = results.ignore_errors()
    # One row more than there are, so that there is one in an empty batch.
    more = tf.data.Dataset.from_tensors((count, tf.zeros(shape)))
    results = results.concatenate(more).batch(count + 1)
    options = tf.data.Options()
    options.autotune.enabled = False  # a batch is over before it has learnt
    rows, values = results.with_options(options).get_single_element()
    rows = rows[:, tf.newaxis]
    whole = tf.stack([count + 1, *shape])
    values = tf.scatter_nd(rows, values, whole)[:-1]
    good = tf.scatter_nd(rows, tf.ones_like(rows[:, 0]), whole[:1])[:-1]
    return tf.ensure_shape(values, (None, *shape)), good > 0


def decode_pictures(encoded, prepare, shape, channels=3):
    """Decodes a batch of JPEG and PNG files; a broken one harms no other.

    Args:
        encoded: string tensor of shape `(batch,)`.
        prepare: from a uint8 tensor `(height, width, channels)` to a float32
            tensor of `shape`.
        shape: tuple of integers.
        channels: 3 for colours, 1 for gray.

    Returns:
        float32 tensor `(batch, *shape)` that is zero for what cannot be
        read, and bool tensor `(batch,)` that is false there.
    """
    return map_strings(
        encoded, lambda one: prepare(decode_picture(one, channels)), shape
    )


def decode_prepared(encoded, preprocessing):
    """Decodes a batch of files as the evaluation does.

    Args:
        encoded: string tensor of shape `(batch,)`.
        preprocessing: the `Preprocessing`.

    Returns:
        float32 tensor `(batch, size, size, channels)` and bool tensor
        `(batch,)`, as `decode_pictures`.
    """
    size, channels = preprocessing.size, preprocessing.channels
    return decode_pictures(
        encoded,
        lambda picture: prepare_picture(picture, preprocessing),
        (size, size, channels),
        channels,
    )


def decode_examples(serialized, preprocessing):
    """Decodes the picture in each tf.Example, its `image/encoded`.

    Args:
        serialized: string tensor of shape `(batch,)`.
        preprocessing: the `Preprocessing`.

    Returns:
        As `decode_prepared`; a broken Example is as a broken picture.
    """
    import tensorflow as tf

    feature = {"image/encoded": tf.io.FixedLenFeature((), tf.string)}

    def one(string):
        encoded = tf.io.parse_single_example(string, feature)["image/encoded"]
        picture = decode_picture(encoded, preprocessing.channels)
        return prepare_picture(picture, preprocessing)

    size, channels = preprocessing.size, preprocessing.channels
    return map_strings(serialized, one, (size, size, channels))


def example_pictures(count, height, width, channels=3):
    """JPEG files of waves in colours: small files, no two neighbours alike.

    Args:
        count: how many.
        height: in pixels.
        width: in pixels.
        channels: 3 for colours, 1 for gray.

    Returns:
        Array of `count` bytes objects.
    """
    import tensorflow as tf

    y, x, channel = np.meshgrid(
        np.linspace(0, 1, height),
        np.linspace(0, 1, width),
        np.arange(channels),
        indexing="ij",
    )
    files = []
    for kind in range(min(count, EXAMPLE_KINDS)):
        waves = np.sin((kind + 3) * x + (5 - kind) * y + 2 * channel + kind)
        pixels = np.uint8(np.rint(127.5 + 127.5 * waves))
        files.append(tf.io.encode_jpeg(pixels).numpy())
    array = np.empty(count, object)
    array[:] = [files[index % EXAMPLE_KINDS] for index in range(count)]
    return array


def serialized_examples(files):
    """Wraps files as tf.Example with the feature `image/encoded`.

    Args:
        files: iterable of bytes objects.

    Returns:
        Array of bytes objects, as many.
    """
    import tensorflow as tf

    examples = []
    for file in files:
        value = tf.train.BytesList(value=[file])
        feature = {"image/encoded": tf.train.Feature(bytes_list=value)}
        example = tf.train.Example(features=tf.train.Features(feature=feature))
        examples.append(example.SerializeToString())
    array = np.empty(len(examples), object)
    array[:] = examples
    return array


def choose_preprocessing(model, preprocessing="auto", scales_pixels=False):
    """Decides how pictures become the input of a model.

    Args:
        model: functional or sequential `keras.Model`.
        preprocessing: a `Preprocessing`, None for no signatures of files, or
            "auto" to decide from the model. Where it takes one square of
            known size, it is the ImageNet evaluation of the package's
            networks, or, where the model begins by scaling its pixels
            itself, the whole central square in [0, 255].
        scales_pixels: whether the model does.

    Returns:
        A `Preprocessing`, or None.

    Raises:
        ValueError: the model cannot take what `preprocessing` makes.
    """
    shape = tuple(model.inputs[0].shape)[1:]
    if isinstance(preprocessing, Preprocessing):
        made = (preprocessing.size, preprocessing.size, preprocessing.channels)
        fits = len(model.inputs) == 1 and len(shape) == 3
        if not fits or any(n not in (None, m) for n, m in zip(shape, made)):
            raise ValueError(
                f"`preprocessing` makes pictures of shape {made}, and the "
                f"model {model.name!r} takes inputs of shape "
                f"{[tuple(tensor.shape) for tensor in model.inputs]}."
            )
        return preprocessing
    if preprocessing is None:
        return None
    if preprocessing != "auto":
        raise ValueError(
            '`preprocessing` must be a Preprocessing, None or "auto". '
            f"Received: {preprocessing!r}"
        )
    if len(model.inputs) > 1 or len(shape) != 3 or None in shape:
        return None
    height, width, channels = shape
    if height != width or channels not in (1, 3):
        return None
    if scales_pixels:
        return pixels_as_they_are(height, channels)
    return imagenet_preprocessing(height) if channels == 3 else None
