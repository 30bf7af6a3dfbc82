"""What every classifier shares: its pooling, its weights, its builders.

A named builder's signature is made once,
from the general function's, and so `inspect.signature` and `help` show it in
full.
"""

import inspect

import keras

from keras_pyconv.models.keras_net import GLOBAL_POOLINGS
from keras_pyconv.weights import load


def pool(x, pooling):
    """What follows the last feature map, of 2 or 3 sizes, without the top."""
    if pooling is None:
        return x
    layer = GLOBAL_POOLINGS[pooling][len(x.shape) - 2]
    return layer(name=f"{pooling}_pool")(x)


def finish(
    images, outputs, name, weights, backbone_weights=None, make=keras.Model
):
    """The model from the images' source to `outputs`, its weights loaded."""
    sources = keras.utils.get_source_inputs(images)
    sources = sources[0] if len(sources) == 1 else sources
    model = make(sources, outputs, name=name)
    if weights is not None:
        load(model, weights)
    if backbone_weights is not None:
        load(model, backbone_weights, part="backbone")
    return model


def named_builder(build, row, summary):
    """`build` with its record fixed to the row of that name.

    Args:
        build: A function whose first argument is the record.
        row: Name of the record, and of the builder.
        summary: First paragraph of the docstring, which goes on with the
            arguments of `build`.
    """

    def builder(*args, **kwargs):
        return build(row, *args, **kwargs)

    _, *parameters = inspect.signature(build).parameters.values()
    parameters = [
        p.replace(default=row.lower()) if p.name == "name" else p
        for p in parameters
    ]
    builder.__signature__ = inspect.Signature(parameters)
    builder.__name__ = builder.__qualname__ = row
    # Pickling looks for the builder beside the function it was made from.
    builder.__module__ = build.__module__
    _, _, arguments = inspect.getdoc(build).partition("`.\n")
    builder.__doc__ = f"{summary}\n\nArgs:\n{arguments}"
    return builder
