"""A trained network's body in a network with a classifier of its own.

The fact a reader would get wrong: the classifier stays as it is, also where
the trained one has the same number of classes. Other classes may be meant.
"""

import os

import keras

from keras_pyconv.models.arguments import (
    check_weights,
    is_published,
    is_torch_file,
)
from keras_pyconv.models.backbone import load_backbone
from keras_pyconv.models.resnet import build_classifier
from keras_pyconv.weights import (
    fetch,
    fit_to,
    from_torch,
    get_published,
    read_arrays,
)


def _classes_in(path):
    """Classes of the classifier in a `.weights.h5`; None without one."""
    import h5py

    with h5py.File(path) as file:
        bias = file.get("layers/dense/vars/1")
        return None if bias is None else bias.shape[0]


def _keras_model(path, variant, channels):
    """The network that a file of Keras holds."""
    if os.fspath(path).endswith(".keras"):
        return keras.saving.load_model(path, compile=False)
    classes = _classes_in(path)
    top = {"include_top": False} if classes is None else {"classes": classes}
    shape = [None, None]
    shape.insert(
        2 if keras.config.image_data_format() == "channels_last" else 0,
        channels,
    )
    return build_classifier(variant, weights=path, input_shape=shape, **top)


def load_body(model: keras.Model, weights, variant: str) -> keras.Model:
    """Fills all of a network but its classifier with trained weights.

    Args:
        model: Made by `build_classifier`, with any number of classes.
        weights: The name of a published set, such as `"imagenet"`; or the
            path of a file, as for `build_classifier`, of a network of the
            same variant with any number of classes.
        variant: Name of the model's record, such as `"PyConvResNet50"`.

    Returns:
        The model.

    Raises:
        ValueError: if the name is unknown or the file does not fit.

    Example:

    >>> model = keras_pyconv.PyConvResNet50(classes=5)
    >>> load_body(model, "runs/mine/PyConvResNet50.weights.h5", model.name)
    """
    check_weights(weights, variant)
    if is_published(weights):
        weights = fetch(get_published(variant, weights))
    if is_torch_file(weights):
        arrays = fit_to(model, read_arrays(weights), new_head=True)
        return from_torch(model, arrays)
    axis = -1 if keras.config.image_data_format() == "channels_last" else 1
    channels = model.input_shape[axis]
    load_backbone(model, _keras_model(weights, variant, channels))
    return model
