"""Any Keras model, its grouped convolutions computed by ours."""

import warnings

import keras

from keras_pyconv.layers.native_groups import NATIVE
from keras_pyconv.models.conversion import take_state
from keras_pyconv.models.copying import Copier, copy_weights
from keras_pyconv.models.nesting import check_readable


def native_groups(model: keras.Model) -> keras.Model:
    """Copies a model; this package computes its grouped convolutions.

    On TensorFlow, Keras compiles every `Conv1D`, `Conv2D` and `Conv3D` with
    `groups` above 1 with XLA, at its first call. That is slow on a CPU, and
    TensorFlow Serving rejects the export. In the copy, these layers have the
    same name, weights and configuration, and need no compiler. Of
    `keras.applications`, this concerns the ConvNeXts. `DepthwiseConv` and
    `SeparableConv` layers do not use XLA and are kept.

    Args:
        model: A functional `keras.Model`, or a built `Sequential`, which may
            contain nested models and blocks. It stays unchanged.

    Returns:
        A new model with new variables and the same weights, names,
        trainability and compilation as `model`. Its outputs are equal up to
        rounding, and weights files fit both. It is plain functional if `model`
        has a class with its own constructor. If a custom layer creates grouped
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
