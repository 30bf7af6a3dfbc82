"""Layers that compute otherwise for some machines and runtimes."""


class Targeted:
    """Mixin of a Keras layer whose graphs depend on who runs them.

    `target`, a name of `keras_pyconv.ops.TARGETS`, is no part of the
    configuration: who saves a model does not decide who runs it.
    """

    target = "here"


def targeted_layers(layer):
    """Those of a layer and of what it holds that are `Targeted`."""
    return [
        inner
        for inner in layer._flatten_layers()
        if isinstance(inner, Targeted)
    ]
