"""What a served model takes and gives: the entry points of a SavedModel.

Every output carries the batch dimension, because TF Serving's batcher and
its REST rows refuse one that does not; so the label names of the best
classes are an output of shape `(batch, k)` and never a plain list. Outputs
are float32, int64 or string, the types that the server can write as JSON.
"""

import re

import keras

from keras_pyconv.export.serving_form import LOW_PRECISION, FoldedNormalization
from keras_pyconv.export.wiring import Wiring
from keras_pyconv.models.nesting import as_functional, is_graph

TASKS = ("classification", "raw")
INPUT_NAMES = {4: "images", 5: "clips"}  # by rank, for one float input
TRANSPARENT = (
    keras.layers.Dropout,
    keras.layers.Identity,
    FoldedNormalization,
)


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


def _input_specs(model):
    """One `tf.TensorSpec` for each input; any batch, float32 for floats."""
    import tensorflow as tf

    specs = []
    single = len(model.inputs) == 1
    for tensor in model.inputs:
        dtype = keras.backend.standardize_dtype(tensor.dtype)
        name = re.sub(r"\W", "_", tensor.name)
        if dtype in (*LOW_PRECISION, "float32"):
            dtype = "float32"
            if single:
                name = INPUT_NAMES.get(len(tensor.shape), name)
        shape = (None, *tensor.shape[1:])
        specs.append(tf.TensorSpec(shape, dtype, name))
    return specs


def _output_names(model):
    """A name for each flat output: dictionary keys, or the layers' names."""
    names = list(model.output_names)
    if isinstance(model.output, dict):
        paths = keras.tree.flatten_with_path(model.output)
        names = ["_".join(map(str, path)) for path, _ in paths]
    names = [re.sub(r"\W", "_", name) for name in names]
    if len(set(names)) < len(names):
        names = [f"{name}_{index}" for index, name in enumerate(names)]
    return names


def _raw_outputs(model):
    """Function from the model's flat outputs to named ones, float32."""
    import tensorflow as tf

    def decode(outputs):
        return {
            name: (
                tf.cast(output, tf.float32)
                if output.dtype.is_floating
                else output
            )
            for name, output in zip(_output_names(model), outputs)
        }

    return decode


def _class_outputs(model, labels, top_k):
    """Function from a classifier's output to the best classes by name."""
    import tensorflow as tf

    k = min(top_k, number_of_classes(model))
    is_logits = final_activation(model) == "linear"
    is_second = model.outputs[0].shape[-1] == 1

    def decode(outputs):
        probabilities = tf.cast(outputs[0], tf.float32)
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
    import tensorflow as tf

    model = as_functional(model)
    specs = _input_specs(model)
    if choose_task(model, task, labels) == "classification":
        decode = _class_outputs(model, labels, top_k)
    else:
        decode = _raw_outputs(model)
    dtypes = [tensor.dtype for tensor in model.inputs]

    def serve(**tensors):
        flat = [
            tf.cast(tensors[spec.name], dtype)
            for spec, dtype in zip(specs, dtypes)
        ]
        structured = keras.tree.pack_sequence_as(model.input, flat)
        outputs = model(structured, training=False)
        return decode(keras.tree.flatten(outputs))

    arguments = {spec.name: spec for spec in specs}
    return tf.function(serve, autograph=False).get_concrete_function(
        **arguments
    )


def serving_module(model, labels=None, top_k=5, task=None):
    """Makes the object that `tf.saved_model.save` writes.

    Args: as in `serving_function`.

    Returns:
        A `tf.Module` that owns the model's variables, and its concrete
        functions by signature name.
    """
    import tensorflow as tf

    module = tf.Module()
    # A Session restores tf.Variables only. Keras's own variables, or the
    # model, would be restored by tf.saved_model.load and by nothing else.
    module.model_variables = [v.value for v in model.variables]
    function = serving_function(model, labels, top_k, task)
    return module, {"serving_default": function}
