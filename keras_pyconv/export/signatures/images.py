"""Signatures that take the files of images, and what they decode with.

One file that cannot be read would fail its whole batch, and a server's batch
holds the requests of strangers. So each image is decoded by itself: where
that fails its row is empty and says so, and all others get their answers.
"""

import numpy as np

from keras_pyconv.export.signatures.signature import Signature
from keras_pyconv.lazy import tf
from keras_pyconv.tasks.image import decode_image
from keras_pyconv.tasks.preprocessing import prepare_picture

INPUT = "image_bytes"
EXAMPLE_KINDS = 4  # of example images; more of them come again
PARALLEL = 8  # images of one batch that are decoded at a time


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


def decode_sized(encoded, prepare, shape, numbers, exif=True):
    """Decodes a batch of files to images, and some numbers of each.

    Args:
        encoded: string tensor `(batch,)` of JPEG and PNG files.
        prepare: from an image, uint8 `(height, width, 3)`, to a float32
            tensor of `shape` and a float32 tensor of so many `numbers`.
        shape: tuple of integers.
        numbers: how many.
        exif: whether images are turned as viewers show them.

    Returns:
        float32 tensors `(batch, *shape)` and `(batch, numbers)`, zero for
        what cannot be read, and bool tensor `(batch,)`, false there.
    """

    def one(string):
        image, sizes = prepare(decode_image(string, exif=exif))
        return tf.concat([tf.reshape(image, [-1]), sizes], axis=0)

    pixels = int(np.prod(shape))
    values, readable = map_strings(encoded, one, (pixels + numbers,))
    images = tf.reshape(values[:, :pixels], (-1, *shape))
    return images, values[:, pixels:], readable


def decode_prepared(encoded, rule, in_examples=False):
    """Decodes a batch of files as the evaluation does; as `map_strings`.

    With `in_examples` each is the `image/encoded` of a tf.Example.
    """
    feature = {"image/encoded": tf.io.FixedLenFeature((), tf.string)}

    def one(string):
        if in_examples:
            (string,) = tf.io.parse_single_example(string, feature).values()
        image = decode_image(string, rule.channels, rule.exif)
        return prepare_picture(image, rule)

    return map_strings(encoded, one, (rule.size, rule.size, rule.channels))


def only_readable(outputs, readable):
    """The best classes, with none where the image could not be read."""
    row = readable[:, tf.newaxis]
    none = {
        "scores": tf.constant(0.0),
        "classes": tf.constant(-1, tf.int64),
        "labels": tf.constant(""),
    }
    return {
        name: tf.where(row, outputs[name], nothing)
        for name, nothing in none.items()
    }


def as_objects(items):
    """A one-dimensional array of any objects."""
    array = np.empty(len(items), object)
    array[:] = items
    return array


def example_images(count, height, width, channels=3):
    """An array of JPEG files: waves of colours, small, no neighbours alike."""
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
    return as_objects([files[index % EXAMPLE_KINDS] for index in range(count)])


def serialized_examples(files):
    """An array of tf.Example with each file as `image/encoded`."""
    examples = []
    for file in files:
        value = tf.train.BytesList(value=[file])
        feature = {"image/encoded": tf.train.Feature(bytes_list=value)}
        example = tf.train.Example(features=tf.train.Features(feature=feature))
        examples.append(example.SerializeToString())
    return as_objects(examples)


def image_signature(function, sides, meaning, outputs, **about):
    """The signature `serve_bytes`, from `function(model, files)`.

    Example images have the `sides` height and width, and channels.
    """
    return Signature(
        "serve_bytes",
        {INPUT: tf.TensorSpec((None,), tf.string, INPUT)},
        lambda model, tensors: function(model, tensors[INPUT]),
        examples=lambda count: {INPUT: example_images(count, *sides)},
        meaning=meaning,
        outputs=outputs,
        **about,
    )


def classify_signature(function, sides, outputs):
    """The signature `classify`, of the same files in tf.Example."""

    def examples(count):
        return {"inputs": serialized_examples(example_images(count, *sides))}

    return Signature(
        "classify",
        {"inputs": tf.TensorSpec((None,), tf.string)},
        lambda model, tensors: function(model, tensors["inputs"]),
        method="classify",
        examples=examples,
        meaning="tf.Example with a picture's file as `image/encoded`.",
        outputs=outputs,
    )
