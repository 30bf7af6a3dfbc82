"""The signatures of a classifier, and of a model of any other kind.

Which of the two a model is, is read from its last layers. The label names of
the best classes are an output of shape `(batch, k)` and never a plain list,
which would have no batch.
"""

import re

import keras

from keras_pyconv.export.entry_points import (
    Signature,
    concrete_function,
    input_specs,
    traced_model,
)
from keras_pyconv.export.pictures import (
    decode_examples,
    decode_prepared,
    example_pictures,
    serialized_examples,
)
from keras_pyconv.export.serving_form import FoldedNormalization
from keras_pyconv.export.wiring import Wiring
from keras_pyconv.models.nesting import as_functional, is_graph

TASKS = ("classification", "raw")
TRANSPARENT = (
    keras.layers.Dropout,
    keras.layers.Identity,
    FoldedNormalization,
)
SCALING = (keras.layers.Rescaling, keras.layers.Normalization)
OUTPUTS = {
    "scores": "probabilities of the best classes, best first",
    "classes": "their numbers",
    "labels": "their names",
    "probabilities": "of every class",
}


def _final_layers(model):
    """Layers from the model's output backwards, while the path is single."""
    wiring = Wiring(model)
    layers = {layer.name: layer for layer in model.layers}
    name = wiring.outputs[0]
    while name in layers:
        layer = layers[name]
        if is_graph(layer):
            yield from _final_layers(layer)
            return
        yield layer
        calls = wiring.inputs.get(name, [])
        if len(calls) != 1 or len(calls[0]) != 1:
            return
        name = calls[0][0]


def _activation_name(layer):
    """Name of the function that a layer applies to its outputs."""
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    activation = getattr(layer, "activation", None)
    return "linear" if activation is None else activation.__name__


def final_activation(model):
    """The activation that ends a classifier.

    Args:
        model: functional or sequential `keras.Model`.

    Returns:
        "softmax", "sigmoid", or "linear" where a Dense layer without an
        activation ends the model; None for every other model.
    """
    if len(model.outputs) != 1 or len(model.outputs[0].shape) != 2:
        return None
    for layer in _final_layers(model):
        name = _activation_name(layer)
        if name in ("softmax", "sigmoid"):
            return name
        if isinstance(layer, keras.layers.Dense):
            return name if name == "linear" else None
        silent = isinstance(layer, keras.layers.Activation)
        if not (isinstance(layer, TRANSPARENT) or silent and name == "linear"):
            return None
    return None


def number_of_classes(model):
    """How many classes a model tells apart.

    Args:
        model: functional or sequential `keras.Model`.

    Returns:
        The units of a classifier's output, 2 for one unit with a sigmoid,
        and 0 for every other model.
    """
    activation = final_activation(model)
    if activation is None:
        return 0
    units = model.outputs[0].shape[-1]
    if units == 1:
        return 2 if activation == "sigmoid" else 0
    return units or 0


def choose_task(model, task=None, labels=None):
    """Decides which outputs a model's signature has.

    Args:
        model: functional or sequential `keras.Model`.
        task: "classification", "raw", or None to decide from the model: a
            classifier ends in softmax, sigmoid, or a Dense layer without an
            activation, of at least two units. One unit with a sigmoid tells
            two classes apart.
        labels: names of the classes, or None.

    Returns:
        "classification" or "raw".

    Raises:
        ValueError: an unknown task, "classification" or labels for a model
            that is no classifier, or not one label for each class.
    """
    if task not in (None, *TASKS):
        raise ValueError(
            f"Unknown task {task!r}. Known: {', '.join(TASKS)}, or None to "
            "decide from the model."
        )
    shapes = [tuple(tensor.shape) for tensor in model.outputs]
    classes = number_of_classes(model)
    if task is None:
        task = "classification" if classes else "raw"
    if task == "classification" and not classes:
        raise ValueError(
            "A classifier has one output of shape (batch, classes) and ends "
            "in softmax, sigmoid, or a Dense layer without an activation; "
            "one unit is enough with a sigmoid. "
            f"Received a model with outputs of shape {shapes}: export it "
            'with task="raw", or end it with keras.layers.Softmax.'
        )
    if labels is not None:
        _check_labels(labels, task, classes)
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


def _output_names(model):
    """A name for each flat output: dictionary keys, or the layers' names."""
    model = as_functional(model)
    names = list(model.output_names)
    if isinstance(model.output, dict):
        paths = keras.tree.flatten_with_path(model.output)
        names = ["_".join(map(str, path)) for path, _ in paths]
    names = [re.sub(r"\W", "_", name) for name in names]
    if len(set(names)) < len(names):
        names = [f"{name}_{index}" for index, name in enumerate(names)]
    return names


def _raw_outputs(model, outputs):
    """The model's outputs by name, floats in float32."""
    import tensorflow as tf

    return {
        name: (
            tf.cast(output, tf.float32) if output.dtype.is_floating else output
        )
        for name, output in zip(
            _output_names(model), keras.tree.flatten(outputs)
        )
    }


def class_outputs(model, labels, top_k):
    """Function from a classifier's output to the best classes by name."""
    import tensorflow as tf

    k = min(top_k, number_of_classes(model))
    is_logits = final_activation(model) == "linear"
    is_second = model.outputs[0].shape[-1] == 1

    def decode(output):
        probabilities = tf.cast(keras.tree.flatten(output)[0], tf.float32)
        if is_logits:
            probabilities = tf.nn.softmax(probabilities)
        if is_second:
            both = [1.0 - probabilities, probabilities]
            probabilities = tf.concat(both, axis=-1)
        scores, indices = tf.math.top_k(probabilities, k, sorted=True)
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


def only_readable(outputs, readable):
    """The best classes, with none where the picture could not be read."""
    import tensorflow as tf

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


def _default_signature(model, decode, outputs):
    """What `model.predict` takes, and what `decode` makes of the answer."""
    specs = input_specs(model)
    structure = as_functional(model).input

    def serve(served, tensors):
        flat = [tensors[spec.name] for spec in specs]
        return decode(served(keras.tree.pack_sequence_as(structure, flat)))

    return Signature(
        "serving_default",
        {spec.name: spec for spec in specs},
        serve,
        meaning="What `model.predict` takes.",
        outputs=outputs,
    )


def raw_signatures(model):
    """The signatures of a model that is no classifier.

    Args:
        model: functional or sequential `keras.Model`.

    Returns:
        List of one `Signature`, `serving_default`, with the model's outputs
        under their names.
    """
    return [
        _default_signature(
            model, lambda outputs: _raw_outputs(model, outputs), {}
        )
    ]


def classifier_signatures(model, labels=None, top_k=5, preprocessing=None):
    """The signatures of a classifier.

    Args:
        model: functional or sequential `keras.Model` that is one.
        labels: name of every class, or None for the indices as text.
        top_k: number of best classes; at most all are given.
        preprocessing: `Preprocessing` from a decoded picture to the model's
            input, or None for no signatures that take files.

    Returns:
        List of `Signature`: `serving_default`, and with `preprocessing`
        `serve_bytes` of JPEG and PNG files, and `classify` of tf.Example.
    """
    import tensorflow as tf

    decode = class_outputs(model, labels, top_k)
    signatures = [_default_signature(model, decode, OUTPUTS)]
    if preprocessing is None:
        return signatures
    strings = tf.TensorSpec((None,), tf.string)
    side = preprocessing.resize

    def files(count):
        return example_pictures(
            count, side, side + side // 4, preprocessing.channels
        )

    def best(served, pictures, readable):
        return only_readable(decode(served(pictures)), readable)

    def serve_bytes(served, tensors):
        encoded = tensors["image_bytes"]
        return best(served, *decode_prepared(encoded, preprocessing))

    def classify(served, tensors):
        encoded = tensors["inputs"]
        outputs = best(served, *decode_examples(encoded, preprocessing))
        return {"classes": outputs["labels"], "scores": outputs["scores"]}

    return signatures + [
        Signature(
            "serve_bytes",
            {"image_bytes": strings},
            serve_bytes,
            examples=lambda count: {"image_bytes": files(count)},
            meaning="The files of pictures, JPEG or PNG.",
            outputs={key: OUTPUTS[key] for key in OUTPUTS if key[0] != "p"},
        ),
        Signature(
            "classify",
            {"inputs": strings},
            classify,
            method="classify",
            examples=lambda n: {"inputs": serialized_examples(files(n))},
            meaning="tf.Example with a picture's file as `image/encoded`.",
            outputs={"classes": OUTPUTS["labels"], "scores": OUTPUTS["scores"]},
        ),
    ]


def scales_pixels(model):
    """Whether a model begins by scaling or normalizing its one input.

    Args:
        model: functional or sequential `keras.Model`.
    """
    model = as_functional(model)
    sources = {
        layer.name
        for layer in model.layers
        if isinstance(layer, keras.layers.InputLayer)
    }
    wiring = Wiring(model)
    readers = [
        layer
        for layer in model.layers
        for names in wiring.inputs.get(layer.name, [])
        if sources & set(names)
    ]
    if len(readers) == 1 and is_graph(readers[0]):
        return scales_pixels(readers[0])
    return any(isinstance(layer, SCALING) for layer in readers)


def serving_function(model, labels=None, top_k=5, task=None):
    """The function behind a model's default signature.

    Args:
        model: functional or sequential `keras.Model`.
        labels: name of every class, or None for the indices as text.
        top_k: number of best classes; at most all are given.
        task: "classification", "raw", or None to decide from the model.

    Returns:
        A concrete TensorFlow function from keyword tensors to a dictionary
        of tensors, traced for every batch size.
    """
    if choose_task(model, task, labels) == "raw":
        signature, *_ = raw_signatures(model)
    else:
        signature, *_ = classifier_signatures(model, labels, top_k)
    return concrete_function(signature, traced_model(model))
