"""Any Keras model, its grouped convolutions computed by ours."""

import warnings

from keras_pyconv.layers.native_groups import NATIVE
from keras_pyconv.models.conversion import take_state
from keras_pyconv.models.copying import Copier, copy_weights
from keras_pyconv.models.nesting import check_readable


def native_groups(model):
    """Copies a model with its grouped convolutions computed by this package.

    On TensorFlow, Keras hands every `Conv1D`, `Conv2D` and `Conv3D` with
    `groups` above 1 to XLA: each is compiled at its first call, slow on a CPU,
    and TensorFlow Serving refuses the export. In the copy they are layers of
    the same name, weights and configuration that need no compiler. Of
    `keras.applications` this concerns the ConvNeXts. `DepthwiseConv` and
    `SeparableConv` layers need none, and stay.

    Args:
        model: A functional `keras.Model`, or a built `Sequential`, also with
            models and blocks nested in it. It is not changed.

    Returns:
        A new model on new variables with the same weights and names, trainable
        and compiled as `model`; it answers alike but for rounding, and files
        of weights fit both. Plain functional if `model` is of a class with a
        constructor of its own. Where a layer of one's own makes such
        convolutions, call this again after loading a `.keras` file.

    Raises:
        ValueError: if the model is subclassed or not built.

    Example:

    >>> model = keras.applications.ConvNeXtTiny(weights=None)
    >>> native = keras_pyconv.native_groups(model)
    >>> print(type(native.layers[3]).__module__)
    keras_pyconv.layers.native_groups
    """
    check_readable(model)
    copier = Copier()
    copy = copier.copy(model)
    for layer, twin in copier.pairs():
        copy_weights(layer, twin)
    layers = copy._flatten_layers(include_self=False)
    found = [x for x in layers if type(x) in NATIVE and x.groups > 1]
    for layer in found:
        # Also inside of layers that make their own: no configuration is asked.
        object.__setattr__(layer, "__class__", NATIVE[type(layer)])
    take_state(model, copier)
    if not found:
        warnings.warn(
            f"{model.name!r} has no `Conv1D`, `Conv2D` or `Conv3D` of Keras "
            "with groups: nothing to do.",
            stacklevel=2,
        )
    return copy
