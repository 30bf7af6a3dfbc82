"""Signatures that take the files of images.

A server's batch holds the requests of strangers. So each image is decoded by
itself, and one that cannot be read leaves the others their answers.
"""

import numpy as np

from keras_pyconv.export.signatures.signature import Signature
from keras_pyconv.lazy import tf
from keras_pyconv.tasks.image import decode_image
from keras_pyconv.tasks.preprocessing import prepare_picture

INPUT = "image_bytes"
IN_EXAMPLE = "image/encoded"  # the feature of a tf.Example that holds a file
EXAMPLE_KINDS = 4  # of example images; more of them come again
PARALLEL = 8  # images of one batch that are decoded at a time


def map_files(files, function, *shapes):
    """Applies a function to each file of a batch, whichever of them fail.

    `function` takes a string scalar and gives float32 tensors of `shapes`.
    Returns them as `(batch, *shape)`, zero where it failed, and bool `(batch,)`
    that is true where it did not.
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
    feature = {IN_EXAMPLE: tf.io.FixedLenFeature((), tf.string)}
    return tf.io.parse_single_example(example, feature)[IN_EXAMPLE]


def as_evaluated(rule, file_of=None):
    """`prepare` and `shapes` of a `file_signature`, as in evaluation."""

    def prepare(held):
        file = file_of(held) if file_of else held
        image = decode_image(file, rule.channels, rule.exif)
        return (prepare_picture(image, rule),)

    return prepare, [(rule.size, rule.size, rule.channels)]


def _only_readable(output, readable):
    """An output with "", -1 or 0.0 in the rows of unreadable files."""
    is_good = tf.reshape(readable, [-1] + [1] * (output.shape.rank - 1))
    nothing = "" if output.dtype == tf.string else -output.dtype.is_integer
    return tf.where(is_good, output, tf.constant(nothing, output.dtype))


def as_objects(items):
    """A one-dimensional array of any objects."""
    array = np.empty(len(items), object)
    array[:] = items
    return array


def example_images(count, height, width, channels=3):
    """An array of small JPEG files that differ from their neighbours."""
    y = np.linspace(0, 1, height)[:, np.newaxis, np.newaxis]
    x = np.linspace(0, 1, width)[:, np.newaxis]
    channel = np.arange(channels)
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
        feature = example.features.feature[IN_EXAMPLE]
        feature.bytes_list.value.append(file)
    return as_objects([example.SerializeToString() for example in examples])


def file_signature(
    answer, prepare, shapes, examples, name="serve_bytes", spec=None, **about
):
    """A signature of one input whose rows hold a file each, or several.

    `prepare` makes float32 tensors of `shapes` of each, and `answer` the
    outputs of the model and batches of these. `examples` gives as many rows of
    the input as it is asked for.
    """
    spec = spec or tf.TensorSpec((None,), tf.string, INPUT)
    several = tuple(spec.shape[1:])

    def serve(model, tensors):
        files = tf.reshape(tensors[spec.name], [-1])
        *found, readable = map_files(files, prepare, *shapes)
        found = [tf.reshape(x, (-1, *several, *x.shape[1:])) for x in found]
        if several:
            readable = tf.reshape(readable, (-1, *several))
            readable = tf.reduce_all(readable, axis=1)
        outputs = answer(model, *found)
        return {
            k: _only_readable(outputs[k], readable) for k in about["outputs"]
        }

    return Signature(
        name,
        {spec.name: spec},
        serve,
        examples=lambda count: {spec.name: examples(count)},
        **about,
    )
