"""Models whose graph can be read, and the models nested in them."""

import keras

from keras_pyconv.arguments import shown


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
