"""Signatures that take the files of images, and what they decode with.

One file that cannot be read would fail its whole batch, and a server's batch
holds the requests of strangers. So each image is decoded by itself: where
that fails its row holds nothing, and all others get their answers.
"""

import numpy as np

from keras_pyconv.export.signatures.signature import Signature
from keras_pyconv.lazy import tf
from keras_pyconv.tasks.image import decode_image
from keras_pyconv.tasks.preprocessing import prepare_picture

INPUT = "image_bytes"
EXAMPLE_KINDS = 4  # of example images; more of them come again
PARALLEL = 8  # images of one batch that are decoded at a time
# What an output holds where an image cannot be read.
NOTHING = {
    "boxes": 0.0,
    "classes": -1,
    "labels": "",
    "mask_bytes": "",
    "num_detections": -1,
    "scores": 0.0,
}


def map_files(files, function, *shapes):
    """A function of each file of a batch, whichever of them it refuses.

    Args:
        files: string tensor of shape `(batch,)`.
        function: from a string scalar to float32 tensors of `shapes`; what
            it raises in the graph is about its own row alone.
        *shapes: tuples of integers.

    Returns:
        float32 tensors `(batch, *shape)` that are zero where the function
        failed, and bool tensor `(batch,)` that is true where it did not.
    """
    count = tf.shape(files, out_type=tf.int64)[0]

    def one(row, file):
        return row, *map(tf.ensure_shape, function(file), shapes)

    results = tf.data.Dataset.from_tensor_slices(files).enumerate()
    results = results.map(one, num_parallel_calls=PARALLEL).ignore_errors()
    # One row more than there are, so that there is one in an empty batch.
    more = tf.data.Dataset.from_tensors((count, *map(tf.zeros, shapes)))
    results = results.concatenate(more).batch(count + 1)
    options = tf.data.Options()
    options.autotune.enabled = False  # a batch is over before it has learnt
    rows, *values = results.with_options(options).get_single_element()

    def in_place(value, shape):
        whole = tf.stack([count + 1, *shape])
        value = tf.scatter_nd(rows[:, tf.newaxis], value, whole)[:-1]
        return tf.ensure_shape(value, (None, *shape))

    return *map(in_place, values, shapes), in_place(tf.ones_like(rows), ()) > 0


def file_of_example(example):
    """The `image/encoded` of a serialized tf.Example."""
    feature = {"image/encoded": tf.io.FixedLenFeature((), tf.string)}
    return tf.io.parse_single_example(example, feature)["image/encoded"]


def prepared_images(files, rule, file_of=None):
    """Files, or what holds them, prepared as in evaluation; as `map_files`."""

    def prepare(held):
        file = file_of(held) if file_of else held
        image = decode_image(file, rule.channels, rule.exif)
        return (prepare_picture(image, rule),)

    return map_files(files, prepare, (rule.size, rule.size, rule.channels))


def only_readable(outputs, readable):
    """Those of `NOTHING`, with that in rows of what could not be read."""

    def one(name, output):
        row = tf.reshape(readable, [-1] + [1] * (output.shape.rank - 1))
        return tf.where(row, output, tf.constant(NOTHING[name], output.dtype))

    return {k: one(k, v) for k, v in outputs.items() if k in NOTHING}


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
    examples = [tf.train.Example() for _ in files]
    for example, file in zip(examples, files):
        feature = example.features.feature["image/encoded"]
        feature.bytes_list.value.append(file)
    return as_objects([example.SerializeToString() for example in examples])


def file_signature(function, examples, name="serve_bytes", spec=None, **about):
    """A signature of one input, by default `INPUT`, that holds files.

    Args:
        function: from the model and the tensor of the input to the outputs.
        examples: from a number to an array of so many rows of the input.
        name: of the signature.
        spec: of the input.
        **about: of `Signature`.
    """
    spec = spec or tf.TensorSpec((None,), tf.string, INPUT)
    return Signature(
        name,
        {spec.name: spec},
        lambda model, tensors: function(model, tensors[spec.name]),
        examples=lambda count: {spec.name: examples(count)},
        **about,
    )
