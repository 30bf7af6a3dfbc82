"""Models whose graph can be read, and the models nested in them."""

import collections

import keras

from keras_pyconv.arguments import shown

_SCALING = (keras.layers.Rescaling, keras.layers.Normalization)
_TRANSPARENT = (keras.layers.Dropout, keras.layers.Identity)


def is_graph(layer):
    """Whether a layer is a model whose layers and edges can be read."""
    return isinstance(layer, keras.Model) and bool(
        getattr(layer, "inputs", None)
    )


def check_readable(model):
    """Refuses a model whose graph cannot be read."""
    if not is_graph(model):
        raise ValueError(
            "`model` must be a functional model, or a Sequential one that is "
            "built: the graph of other models cannot be read. Received: "
            f"{shown(model)} of type {type(model).__name__}."
        )


def as_functional(model):
    """The same layers and inputs as a functional model, if they are not."""
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs, model.outputs, name=model.name)
    return model


def all_models(model):
    """The model and every model nested in it, outermost first."""
    yield model
    for layer in model.layers:
        if is_graph(layer):
            yield from all_models(layer)


def inner_layers(layer):
    """The layers that a layer holds itself, by where it holds them."""
    if is_graph(layer):
        return {inner.name: inner for inner in layer.layers}
    found = {}
    for name, value in vars(layer).items():
        items = value if isinstance(value, (list, tuple)) else [value]
        for index, item in enumerate(items):
            # Keras lists what its owner has in attributes once more.
            if isinstance(item, keras.layers.Layer) and not any(
                item is other for other in found.values()
            ):
                found[name, index] = item
    return found


class Graph:
    """Who feeds whom in one functional or sequential model.

    Attributes:
        model: the `keras.Model`.
        calls: pairs of a layer and the tensors that one call of it reads.
    """

    # Keras tells the same in public by the configuration alone, which fails
    # for layers that have none.
    def __init__(self, model):
        self.model = model
        depths = as_functional(model)._nodes_by_depth.values()
        nodes = [node for nodes in depths for node in nodes]
        self.calls = [
            (n.operation, n.input_tensors) for n in nodes if not n.is_input
        ]

    @staticmethod
    def source(tensor):
        """The layer that made a tensor."""
        return tensor._keras_history.operation

    def feeder(self, layer):
        """The layer that feeds another, if that is one and called once."""
        given = [tensors for called, tensors in self.calls if called is layer]
        if len(given) != 1 or len(given[0]) != 1:
            return None
        return self.source(given[0][0])

    def chains(self):
        """Pairs of a layer and the only layer that reads it, called once."""
        read = [x for _, given in self.calls for x in given]
        sources = map(self.source, [*read, *self.model.outputs])
        uses = collections.Counter(map(id, sources))
        calls = collections.Counter(id(layer) for layer, _ in self.calls)
        for reader, _ in self.calls:
            layer = self.feeder(reader)
            if calls[id(layer)] == uses[id(layer)] == 1:
                yield layer, reader

    def readers(self):
        """The layers that read the model's inputs."""
        inputs = set(map(id, self.model.inputs))
        return [
            layer
            for layer, tensors in self.calls
            if inputs.intersection(map(id, tensors))
        ]


def last_layers(graph):
    """Layers from the model's output backwards, while the path is single."""
    layer = graph.source(graph.model.outputs[0])
    while isinstance(layer, keras.layers.Layer):
        if is_graph(layer):
            yield from last_layers(Graph(layer))
            return
        yield layer
        layer = graph.feeder(layer)


def activation_name(layer):
    """Name of the function that a layer applies to its outputs."""
    if isinstance(layer, keras.layers.Softmax):
        return "softmax" if layer.axis in (-1, 1) else ""
    activation = getattr(layer, "activation", None)
    if isinstance(activation, keras.layers.Layer):
        return activation_name(activation)
    if activation is None:
        return "linear" if hasattr(layer, "activation") else ""
    return getattr(activation, "__name__", "")


def head_layer(graph):
    """The last layer of a classifier that computes, and its activation's name.

    Returns:
        The layer with "softmax", "sigmoid", or "linear", which is a Dense
        layer; `(None, None)` for every other model.
    """
    outputs = graph.model.outputs
    if len(outputs) != 1 or len(outputs[0].shape) != 2:
        return None, None
    for layer in last_layers(graph):
        name = activation_name(layer)
        if name in ("softmax", "sigmoid"):
            return layer, name
        if isinstance(layer, keras.layers.Dense):
            return (layer, name) if name == "linear" else (None, None)
        silent = isinstance(layer, keras.layers.Activation)
        if not (isinstance(layer, _TRANSPARENT) or silent and name == "linear"):
            break
    return None, None


def scales_pixels(graph) -> bool:
    """Whether the model of a `Graph` begins by scaling its images."""
    readers = graph.readers()
    if len(readers) == 1 and is_graph(readers[0]):
        return scales_pixels(Graph(readers[0]))
    return any(isinstance(layer, _SCALING) for layer in readers)
