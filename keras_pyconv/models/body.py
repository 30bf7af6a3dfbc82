"""A trained network's body in a network with a classifier of its own.

The fact a reader would get wrong: the classifier stays as it is, also where
the trained one has the same number of classes. Other classes may be meant.
"""

import keras

from keras_pyconv.models.arguments import (
    check_weights,
    is_published,
    is_torch_file,
)
from keras_pyconv.models.backbone import backbone_layers
from keras_pyconv.weights import fetch, get_published
from keras_pyconv.weights.keras_files import load_layers
from keras_pyconv.weights.published import load_fitting


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
        return load_fitting(model, weights, new_head=True)
    load_layers(backbone_layers(model), weights)
    return model
