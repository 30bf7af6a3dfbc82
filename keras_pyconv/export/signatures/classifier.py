"""The signatures of classifiers of images and clips, and of other models."""

import dataclasses
import functools
from collections.abc import Sequence

import keras
import numpy as np

from keras_pyconv import arguments
from keras_pyconv.export.inspect import inspect
from keras_pyconv.export.signatures.images import (
    as_evaluated,
    example_images,
    file_of_example,
    file_signature,
    serialized_examples,
)
from keras_pyconv.export.signatures.recorded import Recorded
from keras_pyconv.export.signatures.signature import Signature
from keras_pyconv.lazy import tf
from keras_pyconv.tasks.preprocessing import (
    Preprocessing,
    imagenet_preprocessing,
    normalization_of,
    preprocessing_of_model,
    usual_preprocessing,
)
from keras_pyconv.tasks.results import TOP
from keras_pyconv.weights.described import known, shown_by

BEST = {
    "scores": "probabilities of the best classes, best first",
    "classes": "numbers of these classes",
    "labels": "names of these classes",
}
ALL = {"probabilities": "of every class"}


def _above(threshold):
    """The same of a model of several labels."""
    return {
        **BEST,
        "classes": f"numbers of these classes; -1 below {threshold:g}",
        "labels": f"names of these classes; empty below {threshold:g}",
    }


def checked_labels(labels, classes, model):
    """The labels, or the model's own, one for each class; None without."""
    if labels is None and (found := known(model)):
        labels = found.class_names
    if labels is None:
        return None
    labels = arguments.texts("labels", labels)
    if len(labels) != classes:
        raise ValueError(
            f"The model has {classes} classes. Received {len(labels)} labels: "
            f"{arguments.shown(labels)}"
        )
    return labels


def named(classes, labels):
    """The labels of int64 classes, or their numbers as text."""
    if labels is None:
        return tf.strings.as_string(classes)
    return tf.gather(tf.constant(labels), tf.maximum(classes, 0))


def check_classifier(seen):
    """Refuses a model that is no classifier."""
    if not seen.classes:
        raise ValueError(
            "A classifier has one output of shape (batch, classes) and ends "
            "in softmax, sigmoid, or a Dense layer without an activation; "
            "one unit is enough with a sigmoid. "
            f"Received a model with outputs of shape {seen.output_shapes}: "
            'export it with task="raw", or end it with keras.layers.Softmax.'
        )


def best_classes(seen, labels, top_k, threshold, output):
    """A server's outputs from a classifier's output.

    Below a threshold a class is -1 and has no name; its score tells it from
    what cannot be read.
    """
    probabilities = tf.cast(keras.tree.flatten(output)[0], tf.float32)
    if seen.head == "linear":
        probabilities = tf.nn.softmax(probabilities)
    if seen.output_shapes[0][-1] == 1:
        probabilities = tf.concat([1.0 - probabilities, probabilities], axis=-1)
    k = min(top_k, seen.classes)
    scores, classes = tf.math.top_k(probabilities, k, index_type=tf.int64)
    names = named(classes, labels)
    if threshold is not None:
        found = scores >= threshold
        classes = tf.where(found, classes, -1)
        names = tf.where(found, names, "")
    return {
        "scores": scores,
        "classes": classes,
        "labels": names,
        "probabilities": probabilities,
    }


def default_signature(
    seen, decode, outputs, meaning="The input of `model.predict`.", **about
):
    """`serving_default`: the inputs of the model, its output after `decode`."""

    def serve(served, tensors):
        flat = [tensors[spec.name] for spec in seen.specs]
        inputs = keras.tree.pack_sequence_as(seen.model.input, flat)
        return decode(served(inputs))

    inputs = {spec.name: spec for spec in seen.specs}
    return Signature(
        *("serving_default", inputs, serve),
        meaning=meaning,
        outputs=outputs,
        **about,
    )


def raw_signature(seen):
    """`serving_default` with the model's outputs by name, as float32."""

    def decode(outputs):
        return {
            name: tf.cast(one, tf.float32) if one.dtype.is_floating else one
            for name, one in zip(seen.outputs, keras.tree.flatten(outputs))
        }

    return default_signature(seen, decode, {})


def classifier_signatures(
    seen, labels=None, top_k=5, rule=None, threshold=None
):
    """The signatures of a classifier.

    With a `rule`, a `Preprocessing`, also those of files and of tf.Example.
    """
    decode = functools.partial(best_classes, seen, labels, top_k, threshold)
    meaning = BEST if threshold is None else _above(threshold)
    default = default_signature(seen, decode, {**meaning, **ALL})
    if rule is None:
        return [default]
    side = rule.resize

    def best(served, images):
        return decode(served(images))

    def classify(served, images):
        found = best(served, images)
        return {"classes": found["labels"], "scores": found["scores"]}

    def files(count):
        return example_images(count, side, side + side // 4, rule.channels)

    return [
        default,
        file_signature(
            best,
            *as_evaluated(rule),
            files,
            meaning="JPEG or PNG files.",
            outputs=meaning,
        ),
        file_signature(
            classify,
            *as_evaluated(rule, file_of_example),
            lambda count: serialized_examples(files(count)),
            name="classify",
            spec=tf.TensorSpec((None,), tf.string, "inputs"),
            method="classify",
            meaning="tf.Example with an image file in `image/encoded`.",
            outputs={"classes": meaning["labels"], "scores": meaning["scores"]},
        ),
    ]


def choose_preprocessing(seen, preprocessing="auto"):
    """The `Preprocessing` from images to the input of a model, or None.

    "auto" decides from the model, as `saved_model` says.
    """
    if preprocessing is None:
        return None
    shape, *others = seen.shapes
    is_image = not others and len(shape) == 3
    if isinstance(preprocessing, Preprocessing):
        made = (preprocessing.size, preprocessing.size, preprocessing.channels)
        if not is_image or any(n not in (None, m) for n, m in zip(shape, made)):
            raise ValueError(
                f"`preprocessing` makes pictures of shape {made}, and the "
                f"model {seen.name!r} takes inputs of shape "
                f"{[(None, *shape) for shape in seen.shapes]}."
            )
        return preprocessing
    rule = 'a Preprocessing, None or "auto"'
    is_auto = arguments.is_one_of(preprocessing, ["auto"])
    arguments.check("preprocessing", preprocessing, is_auto, rule)
    if not is_image or None in shape or shape[0] != shape[1]:
        return None
    side, _, channels = shape
    if own := preprocessing_of_model(seen.model, side):
        return own
    usual = usual_preprocessing(side, channels, seen.scales_pixels)
    return usual and dataclasses.replace(usual, **normalization_of(seen.model))


def model_signatures(seen, labels, top_k, task, preprocessing):
    """The signatures of a model by itself, and what is recorded of them."""
    task = task or ("classification" if seen.classes else "raw")
    if task == "classification":
        check_classifier(seen)
        labels = checked_labels(labels, seen.classes, seen.model)
    elif labels is not None:
        raise ValueError(
            "`labels` name the classes of a classifier, but this model is "
            "exported with its raw outputs. Received: "
            f"labels={arguments.shown(labels)}"
        )
    rule = choose_preprocessing(seen, preprocessing)
    if task == "raw":
        return [raw_signature(seen)], Recorded(top_k=top_k or TOP)
    several = seen.threshold is not None
    top_k = top_k or (seen.classes if several else TOP)
    made = classifier_signatures(seen, labels, top_k, rule, seen.threshold)
    return made, Recorded(rule, labels, top_k, threshold=seen.threshold)


def _clip_shape(seen):
    """Frames and side of the model's clips."""
    shape = seen.shapes[0]
    if len(shape) != 4 or None in shape or shape[1] != shape[2]:
        raise ValueError(
            "The model must take square clips of a fixed size, (frames, side, "
            f"side, 3). Received a model of input shape {shape}: build it "
            "with input_shape=(16, 224, 224, 3) and load the weights."
        )
    return shape[:2]


def video_signatures(
    model: keras.Model,
    labels: Sequence[str] | None = None,
    top_k: int = 5,
    preprocessing: Preprocessing | None = None,
) -> list[Signature]:
    """What a server of a video network takes and gives.

    TensorFlow Serving decodes no videos: clients send the frames of a clip. A
    clip of which one cannot be read has class -1; the others of its batch get
    their answers.

    Args:
        model: a video classifier of a fixed clip size, channels last.
        labels: name of every class; by default the model's own
            (`describe`), else the indices as text.
        top_k: number of best classes; at most all are given.
        preprocessing: a `Preprocessing` for each frame; by default the
            model's own, else ImageNet's of the model's side.

    Returns:
        List of `Signature`: `serving_default` takes prepared clips,
        `serve_frames` takes `frame_bytes`, `(batch, frames)` JPEG or PNG
        files.

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
    frames, side = _clip_shape(seen)
    check_classifier(seen)
    labels = checked_labels(labels, seen.classes, model)
    usual = imagenet_preprocessing(side)
    if shown_by(model, "video"):  # the short side is that of the squares
        usual = Preprocessing(side, side)
    own = dataclasses.replace(usual, **normalization_of(model))
    rule = preprocessing or own
    steps = (
        f"a frame's short side resized to {rule.resize} pixels with "
        f"antialiasing, the central {side} x {side} cut out"
    )
    decode = functools.partial(best_classes, seen, labels, top_k, None)

    def files(count):
        several = example_images(count * frames, side + 8, side + 40)
        return np.reshape(several, (count, frames))

    return [
        *classifier_signatures(seen, labels, top_k),
        file_signature(
            lambda served, clips: decode(served(clips)),
            *as_evaluated(rule),
            files,  # type: ignore[misc,call-arg]
            meaning="JPEG or PNG files of the frames of clips, in order. A "
            "clip with an unreadable frame gets class -1.",
            outputs=BEST,
            name="serve_frames",
            spec=tf.TensorSpec((None, frames), tf.string, "frame_bytes"),
            batch_sizes=(1, 2),
            recorded=Recorded(rule, labels, top_k, steps=steps),
        ),
    ]
