"""The signatures of a classifier, and of a model of any other kind.

The label names of the best classes are an output of shape `(batch, k)` and
never a plain list, which would have no batch.
"""

import keras

from keras_pyconv.export.signatures.images import (
    classify_signature,
    decode_prepared,
    image_signature,
    only_readable,
)
from keras_pyconv.export.signatures.recorded import Recorded
from keras_pyconv.export.signatures.signature import Signature
from keras_pyconv.lazy import tf
from keras_pyconv.tasks.preprocessing import (
    Preprocessing,
    imagenet_preprocessing,
    pixels_as_they_are,
)

TASKS = ("classification", "raw")
OUTPUTS = {
    "scores": "probabilities of the best classes, best first",
    "classes": "their numbers",
    "labels": "their names",
    "probabilities": "of every class",
}
BEST = {key: OUTPUTS[key] for key in ("scores", "classes", "labels")}


def choose_task(seen, task=None, labels=None):
    """The task, or what it must be: "classification" or "raw".

    Raises:
        ValueError: an unknown task, "classification" or labels for a model
            that is no classifier, or not one label for each class.
    """
    if task not in (None, *TASKS):
        raise ValueError(
            f"Unknown task {task!r}. Known: {', '.join(TASKS)}, or None to "
            "decide from the model."
        )
    if task is None:
        task = "classification" if seen.classes else "raw"
    if task == "classification" and not seen.classes:
        raise ValueError(
            "A classifier has one output of shape (batch, classes) and ends "
            "in softmax, sigmoid, or a Dense layer without an activation; "
            "one unit is enough with a sigmoid. "
            f"Received a model with outputs of shape {seen.output_shapes}: "
            'export it with task="raw", or end it with keras.layers.Softmax.'
        )
    if labels is not None:
        _check_labels(labels, task, seen.classes)
    return task


def _check_labels(labels, task, classes):
    if task != "classification":
        raise ValueError(
            "`labels` name the classes of a classifier, and this model is "
            "exported with its raw outputs."
        )
    wrong = [label for label in labels if not isinstance(label, str)]
    if wrong:
        raise ValueError(f"`labels` must be strings. Received: {wrong[0]!r}")
    if len(labels) != classes:
        raise ValueError(
            f"The model has {classes} classes. Received {len(labels)} labels."
        )


def class_outputs(seen, labels, top_k):
    """Function from a classifier's output to the best classes by name."""

    def decode(output):
        probabilities = tf.cast(keras.tree.flatten(output)[0], tf.float32)
        if seen.head == "linear":
            probabilities = tf.nn.softmax(probabilities)
        if seen.output_shapes[0][-1] == 1:
            both = [1.0 - probabilities, probabilities]
            probabilities = tf.concat(both, axis=-1)
        scores, indices = tf.math.top_k(
            probabilities, min(top_k, seen.classes), sorted=True
        )
        classes = tf.cast(indices, tf.int64)
        names = (
            tf.strings.as_string(classes)
            if labels is None
            else tf.gather(tf.constant(list(labels)), classes)
        )
        return {
            "scores": scores,
            "classes": classes,
            "labels": names,
            "probabilities": probabilities,
        }

    return decode


def default_signature(
    seen, decode, outputs, meaning="What `model.predict` takes.", **about
):
    """What `model.predict` takes, and what `decode` makes of the answer."""

    def serve(served, tensors):
        flat = [tensors[spec.name] for spec in seen.specs]
        return decode(
            served(keras.tree.pack_sequence_as(seen.model.input, flat))
        )

    return Signature(
        "serving_default",
        {spec.name: spec for spec in seen.specs},
        serve,
        meaning=meaning,
        outputs=outputs,
        **about,
    )


def raw_signature(seen):
    """`serving_default` with the model's outputs under their names.

    Floats of less precision become float32.
    """

    def name(outputs):
        return {
            key: (
                tf.cast(value, tf.float32) if value.dtype.is_floating else value
            )
            for key, value in zip(seen.outputs, keras.tree.flatten(outputs))
        }

    return default_signature(seen, name, {})


def classifier_signatures(seen, labels=None, top_k=5, preprocessing=None):
    """The signatures of a classifier.

    `serving_default`, and with a `Preprocessing` from a decoded image to the
    model's input `serve_bytes` of JPEG and PNG files, and `classify` of
    tf.Example. Without labels the classes are named by their numbers.
    """
    decode = class_outputs(seen, labels, top_k)
    signatures = [default_signature(seen, decode, OUTPUTS)]
    if preprocessing is None:
        return signatures
    side = preprocessing.resize
    sides = side, side + side // 4, preprocessing.channels

    def best(served, encoded, **options):
        images, good = decode_prepared(encoded, preprocessing, **options)
        return only_readable(decode(served(images)), good)

    def classify(served, examples):
        found = best(served, examples, in_examples=True)
        return {"classes": found["labels"], "scores": found["scores"]}

    meanings = {"classes": OUTPUTS["labels"], "scores": OUTPUTS["scores"]}
    return signatures + [
        image_signature(
            best, sides, "The files of pictures, JPEG or PNG.", BEST
        ),
        classify_signature(classify, sides, meanings),
    ]


def choose_preprocessing(seen, preprocessing="auto"):
    """The `Preprocessing` from images to the input of a model, or None.

    "auto" decides from the model. Where it takes one square of known size, it
    is the ImageNet evaluation of the package's networks, or, where the model
    begins by scaling its pixels itself, the whole central square in [0, 255].

    Raises:
        ValueError: the model cannot take what `preprocessing` makes.
    """
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
    if preprocessing is None:
        return None
    if preprocessing != "auto":
        raise ValueError(
            '`preprocessing` must be a Preprocessing, None or "auto". '
            f"Received: {preprocessing!r}"
        )
    if not is_image or None in shape:
        return None
    height, width, channels = shape
    if height != width or channels not in (1, 3):
        return None
    if seen.scales_pixels:
        return pixels_as_they_are(height, channels)
    return imagenet_preprocessing(height) if channels == 3 else None


def model_signatures(seen, labels, top_k, task, preprocessing):
    """The signatures of a model by itself, and what is recorded of them."""
    task = choose_task(seen, task, labels)
    if preprocessing == "auto" and task == "raw":
        preprocessing = None
    preprocessing = choose_preprocessing(seen, preprocessing)
    if task == "raw":
        return [raw_signature(seen)], Recorded(top_k=top_k)
    made = classifier_signatures(seen, labels, top_k, preprocessing)
    names = None if labels is None else tuple(labels)
    return made, Recorded(preprocessing, names, top_k)
