"""A model, read once: all that an export asks of it."""

import collections
import dataclasses
import functools
import re

import keras
import numpy as np

from keras_pyconv.arguments import instance, shown
from keras_pyconv.lazy import tf
from keras_pyconv.models.auxiliary import inference_model
from keras_pyconv.models.nesting import (
    Graph,
    all_models,
    as_functional,
    head_layer,
    is_graph,
    scales_pixels,
)
from keras_pyconv.tasks.results import THRESHOLD, is_multi_label

INPUT_NAMES = {4: "images", 5: "clips"}  # by rank, for one float input
# Pixels, where the model takes any size: the first at which it runs. Some
# networks shrink a small image to nothing.
UNKNOWN_SIZES = (64, 96, 128, 192, 299)


@dataclasses.dataclass(frozen=True, eq=False)
class Inspected:
    """What an export needs to know of a model.

    Attributes:
        model: the model at inference, functional, on the layers of the given.
        graphs: its `Graph` and those of the models nested in it, each once.
        specs: `tf.TensorSpec` of each input, of any batch, at least float32.
        outputs: name of each flat output.
        head: what ends a classifier: "softmax", "sigmoid", or "linear" for a
            Dense layer without an activation; None for every other model.
        scales_pixels: whether it begins by scaling or normalizing its input.
    """

    model: keras.Model
    graphs: tuple
    specs: tuple
    outputs: tuple
    head: str | None
    scales_pixels: bool

    @property
    def name(self):
        return self.model.name

    @property
    def shapes(self):
        """Shapes of the inputs, without the batch."""
        return [tuple(tensor.shape[1:]) for tensor in self.model.inputs]

    @property
    def output_shapes(self):
        return [tuple(tensor.shape) for tensor in self.model.outputs]

    @property
    def chains(self):
        """Pairs as of `Graph.chains`, of layers that one model alone has."""
        owners = collections.Counter(map(id, self.layers))
        return [
            (layer, reader)
            for graph in self.graphs
            for layer, reader in graph.chains()
            if owners[id(layer)] == owners[id(reader)] == 1
        ]

    @property
    def classes(self):
        """Number of classes of a classifier; 0 for other models."""
        if self.head is None:
            return 0
        units = self.output_shapes[0][-1] or 0
        return units if units != 1 else 2 * (self.head == "sigmoid")

    @property
    def threshold(self):
        """The usual one of a classifier of several labels; else None."""
        return THRESHOLD if is_multi_label(self.model) else None

    @property
    def is_open(self):
        """Whether the model takes any size."""
        return any(None in shape for shape in self.shapes)

    @property
    def layers(self):
        """Every layer, those of nested models too, and the models."""
        return [
            layer
            for graph in self.graphs
            for layer in (graph.model, *graph.model.layers)
            if isinstance(layer, keras.layers.Layer)
        ]

    def inputs(self, batch=2, seed=0, size=UNKNOWN_SIZES[0]):
        """Random arrays, one an input; open axes are `size`."""
        return random_arrays(self.specs, batch, size, seed)

    def __call__(self, flat):
        """The model's flat outputs for its flat inputs, at inference."""
        structured = keras.tree.pack_sequence_as(self.model.input, list(flat))
        return keras.tree.flatten(self.model(structured, training=False))

    def answer(self, arrays):
        """The flat outputs as arrays, for arrays."""
        tensors = [keras.ops.convert_to_tensor(array) for array in arrays]
        return [keras.ops.convert_to_numpy(output) for output in self(tensors)]

    @functools.cached_property
    def example(self):
        """The first size at which the model runs, with inputs and outputs."""
        *smaller, last = UNKNOWN_SIZES if self.is_open else UNKNOWN_SIZES[:1]
        for size in smaller:
            arrays = self.inputs(size=size)
            try:
                outputs = self.answer(arrays)
            # Every layer has an error of its own for too small an input.
            except Exception:
                continue
            if all(map(is_sound, outputs)):
                return size, arrays, outputs
        arrays = self.inputs(size=last)
        return last, arrays, self.answer(arrays)

    @property
    def size(self):
        """Pixels of a side at which it runs, where it takes any size."""
        return self.example[0] if self.is_open else UNKNOWN_SIZES[0]


def is_sound(array):
    """Whether an output is not empty and has no NaN or infinity."""
    is_float = "float" in array.dtype.name
    return array.size > 0 and (not is_float or bool(np.isfinite(array).all()))


def random_arrays(specs, batch, size, seed=0):
    """Normal numbers, any bytes, or small integers; open axes are `size`."""
    generator = np.random.default_rng(seed)

    def one(spec):
        shape = [size if n is None else n for n in (batch, *spec.shape[1:])]
        dtype = spec.dtype.as_numpy_dtype
        if spec.dtype.is_floating:
            return generator.normal(size=shape).astype(dtype)
        most = 256 if spec.dtype == tf.uint8 else 2
        return generator.integers(0, most, shape).astype(dtype)

    return list(map(one, specs))


def _check(model):
    """Refuses what is not a built functional or sequential model."""
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            "Exporting a SavedModel needs Keras on the TensorFlow backend. "
            f"This process runs {keras.backend.backend()!r}: save the weights, "
            "and export in a process with KERAS_BACKEND=tensorflow."
        )
    instance("model", model, keras.Model)
    if isinstance(model, keras.Sequential) and not model.built:
        raise ValueError(
            f"The model {model.name!r} is not built: its input shape is not "
            "known. Start it with keras.Input, or call model.build. Received: "
            f"model={shown(model)}"
        )
    if not is_graph(model):
        raise ValueError(
            f"The model {model.name!r} is a subclass whose inputs are not "
            "known. Wrap it: inputs = keras.Input(shape); "
            "keras.Model(inputs, model(inputs))."
        )


def _specs(model):
    single = len(model.inputs) == 1
    for tensor in model.inputs:
        dtype = keras.backend.standardize_dtype(tensor.dtype)
        name = re.sub(r"\W", "_", tensor.name)
        if "float" in dtype:
            dtype = "float64" if dtype == "float64" else "float32"
            if single:
                name = INPUT_NAMES.get(len(tensor.shape), name)
        yield tf.TensorSpec((None, *tensor.shape[1:]), dtype, name)


def _output_names(model):
    """Dictionary keys, or the layers' names."""
    names = list(model.output_names)
    if isinstance(model.output, dict):
        paths = keras.tree.flatten_with_path(model.output)
        names = ["_".join(map(str, path)) for path, _ in paths]
    names = [re.sub(r"\W", "_", name) for name in names]
    if len(set(names)) < len(names):
        names = [f"{name}_{index}" for index, name in enumerate(names)]
    return tuple(names)


def inspect(model):
    """Reads a model, which is not changed.

    Refuses what is no built functional or sequential model, and other backends
    of Keras than TensorFlow.
    """
    _check(model)
    model = as_functional(inference_model(model))
    models = {id(each): each for each in all_models(model)}
    graphs = tuple(Graph(each) for each in models.values())
    return Inspected(
        model=model,
        graphs=graphs,
        specs=tuple(_specs(model)),
        outputs=_output_names(model),
        head=head_layer(graphs[0])[1],
        scales_pixels=scales_pixels(graphs[0]),
    )
