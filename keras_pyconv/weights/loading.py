"""The one way into a model for weights, wherever they are."""

import logging
import os
import re
from collections.abc import Mapping
from typing import Any, Literal

import keras
import numpy as np

from keras_pyconv import arguments
from keras_pyconv.typing import Weights
from keras_pyconv.weights.catalog import PUBLISHED, SETS
from keras_pyconv.weights.described import forget, known, note, of_run
from keras_pyconv.weights.files import fetch
from keras_pyconv.weights.keras_files import (
    layer_shapes,
    load_keras_weights,
    load_layers,
    own_shapes,
)
from keras_pyconv.weights.other_models import from_model
from keras_pyconv.weights.shipped import SET, shipped_weights
from keras_pyconv.weights.sources import fetched
from keras_pyconv.weights.torch_files import TORCH_FILES
from keras_pyconv.weights.torch_names import (
    backbone_layers,
    blocks_left_over,
    from_torch,
    misfits,
    named_variables,
)
from keras_pyconv.weights.torch_shapes import parameters_of

_LOG = logging.getLogger("keras_pyconv")
PARTS = ("all", "backbone")
# Layers whose width follows from the number of classes.
_OF_CLASSES = re.compile(
    r"predictions|classifier_conv|auxiliary_2_conv|map\d+_classes"
)


def is_torch_file(path) -> bool:
    """Whether the name of a file is one of the authors' framework's.

    Everything else is a file of Keras.
    """
    return os.fspath(path).lower().endswith(TORCH_FILES)


def is_published(weights) -> bool:
    """Whether `weights` is a name of the catalogue of published weights."""
    return isinstance(weights, str) and weights in (*SETS, SET)


def _published(model, set_name, part):
    """The row of the catalogue that fits a model, found by its variables."""
    rows = [row for row in PUBLISHED.values() if row.set == set_name]
    pairs = named_variables(model, part)
    for row in rows:
        arrays = {
            name: np.broadcast_to(np.float32(0), shape)
            for name, shape in parameters_of(row.variant).items()
        }
        if not any(misfits(pairs, arrays, part, adapt=True)):
            return row
    raise ValueError(
        f"No weights {set_name!r} are published for a network such as "
        f"{model.name!r}. They exist for "
        f"{', '.join(row.variant for row in rows)}."
    )


def _load_shipped(model, part):
    """Fills a model with the weights in the package that fit it.

    A head of other classes keeps its own, which is logged.
    """
    layers = model.layers if part == "all" else backbone_layers(model)
    own, difference = own_shapes(layers), ""
    for row in shipped_weights():
        held = layer_shapes(row.path)
        wrong = [name for name in own if held.get(name) != own[name]]
        kept = set(filter(_OF_CLASSES.fullmatch, held.keys() & wrong))
        if own.keys() > kept == {*wrong} and not blocks_left_over(
            held, own, "_"
        ):
            break
        if own.keys() == held.keys():
            difference = (
                f" The shapes of its layer {wrong[0]!r} are {own[wrong[0]]}, "
                f"those of {row.variant} {held[wrong[0]]}."
            )
    else:
        raise ValueError(
            f"No weights {SET!r} come with the package for a network such as "
            f"{model.name!r}. They exist for "
            f"{', '.join(row.variant for row in shipped_weights())}."
            f"{difference}"
        )
    load_layers(model, [x for x in layers if x.name not in kept], row.path)
    if kept:
        told = (
            "%s: the weights are of other classes, so %s is random until it is "
            "trained; all other layers have the weights."
        )
        _LOG.warning(told, model.name, ", ".join(sorted(kept)))
    forget(model)
    if not kept and part == "all":
        note(model, row.description)
    return model


def load(
    model: keras.Model,
    source: Weights | Mapping[str, Any] | keras.Model,
    part: Literal["all", "backbone"] = "all",
) -> keras.Model:
    """Loads weights from any source into a model or its backbone.

    If they do not fit, the error lists the differences and nothing changes.

    Args:
        model: a model of a `keras_pyconv` builder. For Keras files and other
            models as source, any model that consists of layers.
        source: one of

            - the name of published weights, such as `"imagenet"`, downloaded
              once. A classifier with other classes keeps its own weights,
              and a stem with other channels is adapted (`adapt_stem`); both
              are logged. `"digits_in_photos"` comes with the package, for
              networks of three channels.
            - the path of a file, here or as `gs://bucket/my.weights.h5`:
              Keras (`.weights.h5`, `.keras`, `.h5`), or
              PyTorch and arrays with the authors' names (`.pth`, `.pt`,
              `.npz`, `.safetensors`). If there is a `.sha256` beside it, it
              must match. Code in a file is never executed. From the folder
              of a run, its class names come along.
            - a mapping from the authors' parameter names to arrays.
            - a `keras.Model` with the same layer names; an
              `InceptionResNetV2` of `keras.applications`, whose published
              weights expect RGB pixels in [-1, 1]; or, for a video network,
              an image network (see `keras_pyconv.inflate`).
        part: `"all"`; or `"backbone"` for the stem and stages only, from a
            classifier of the same network with any number of classes; heads
            keep their weights.

    Returns:
        The model.

    Raises:
        FileNotFoundError, OSError: the file does not exist or is not readable.
        ConnectionError: the download failed; the message says how to get the
            file by hand.
        ImportError: the source needs a package that is not installed.
        ValueError: the source is damaged or unsafe, or does not fit.

    Example:

    >>> model = keras_pyconv.PyConvSSD("PyConvResNet50")
    >>> keras_pyconv.weights.load(model, "imagenet", part="backbone")
    """
    arguments.one_of("part", part, PARTS)
    arguments.instance("model", model, keras.Model)
    if isinstance(source, str) and source == SET:
        return _load_shipped(model, part)
    _load(model, source, part)
    forget(model)
    is_path = isinstance(source, (str, os.PathLike))
    if part == "all" and is_path and not is_published(source):
        found = of_run(source)
        if found is not None and known(model) is None:
            note(model, found)
    return model


def _load(model, source, part):
    if isinstance(source, keras.Model):
        return from_model(model, source, part)
    adapt = part == "backbone" or is_published(source)
    if is_published(source):
        source = fetch(_published(model, source, part))
    if isinstance(source, Mapping):
        return from_torch(model, source, part, adapt)
    arguments.path("source", source, anywhere=True)
    with fetched(source) as file:
        if is_torch_file(file):
            return from_torch(model, file, part, adapt)
        if part == "backbone":
            return load_layers(model, backbone_layers(model), file)
        return load_keras_weights(model, file)
