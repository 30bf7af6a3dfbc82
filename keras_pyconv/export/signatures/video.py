"""The signatures of a video network: clips, or the files of their frames.

A server decodes no video files: TensorFlow Serving has no operation for them.
So whoever asks sends the frames of a clip, chosen as in training, as JPEG or
PNG files. A clip of which one frame cannot be read gets no answer at all,
class -1; the others of its batch get theirs.
"""

import numpy as np

from keras_pyconv.export.inspect import inspect
from keras_pyconv.export.signatures.classifier import (
    BEST,
    choose_task,
    class_outputs,
    classifier_signatures,
)
from keras_pyconv.export.signatures.images import (
    decode_prepared,
    example_images,
    only_readable,
)
from keras_pyconv.export.signatures.recorded import Recorded
from keras_pyconv.export.signatures.signature import Signature
from keras_pyconv.lazy import tf
from keras_pyconv.tasks.preprocessing import imagenet_preprocessing


def _sizes(seen):
    """Frames and side of the model's clips."""
    shape = seen.shapes[0]
    if len(shape) != 4 or None in shape or shape[1] != shape[2]:
        raise ValueError(
            "The model must take square clips of a fixed size, (frames, side, "
            f"side, 3). Received a model of input shape {shape}: build it "
            "with input_shape=(16, 224, 224, 3) and load the weights."
        )
    return shape[0], shape[1]


def video_signatures(model, labels=None, top_k=5, preprocessing=None):
    """What a server of a video network takes and gives.

    Args:
        model: a video classifier of a fixed clip size, channels last.
        labels: name of every class, or None for the indices as text.
        top_k: number of best classes; at most all are given.
        preprocessing: a `Preprocessing` for each frame; by default
            ImageNet's of the model's side, the short side resized and the
            middle cut out.

    Returns:
        List of `Signature`: `serving_default` takes prepared clips,
        `serve_frames` takes `frame_bytes`, `(batch, frames)` files.

    Raises:
        ValueError: the model is no classifier of clips of a fixed size, or
            there is not one label for each class.

    Example:

    >>> signatures = video_signatures(model, names)
    >>> keras_pyconv.export.saved_model(
    ...     model, "saved_models/actions", signatures=signatures,
    ...     batch_sizes=(1, 2),
    ... )
    """
    seen = inspect(model)
    frames, side = _sizes(seen)
    choose_task(seen, "classification", labels)
    preprocessing = preprocessing or imagenet_preprocessing(side)
    decode = class_outputs(seen, labels, top_k)
    names = None if labels is None else tuple(labels)
    steps = (
        f"a frame's short side resized to {preprocessing.resize} pixels with "
        f"antialiasing, the central {side} x {side} cut out"
    )
    spec = tf.TensorSpec((None, frames), tf.string, "frame_bytes")

    def serve_frames(served, tensors):
        encoded = tf.reshape(tensors[spec.name], [-1])
        pixels, good = decode_prepared(encoded, preprocessing)
        clips = tf.reshape(pixels, (-1, frames, *pixels.shape[1:]))
        readable = tf.reduce_all(tf.reshape(good, (-1, frames)), axis=1)
        return only_readable(decode(served(clips)), readable)

    def files(count):
        several = example_images(count * frames, side + 8, side + 40)
        return {spec.name: np.reshape(several, (count, frames))}

    (default,) = classifier_signatures(seen, labels, top_k)
    return [
        default,
        Signature(
            "serve_frames",
            {spec.name: spec},
            serve_frames,
            examples=files,
            batch_sizes=(1, 2),
            meaning="The frames of clips in their order, JPEG or PNG files. A "
            "clip of which one cannot be read has class -1.",
            outputs=BEST,
            recorded=Recorded(preprocessing, names, top_k, steps=steps),
        ),
    ]
