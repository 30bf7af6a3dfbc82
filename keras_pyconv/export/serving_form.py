"""The form of a model that is served: float32, folded, convolved for servers.

At inference batch normalization is a scale and a shift per channel, so it
moves into the kernel and the bias of the convolution before it. The sums are
done in float64. A PyConv has one normalization after its concatenated
levels: each level's kernel takes its own slice of the scale.

Only a Conv1D, Conv2D, Conv3D, PointwiseConv2D, PyConv or Dense without an
activation, whose output goes to one batch normalization over its channels and
nowhere else, is folded; everything else is copied as it is.
"""

import collections

import keras
import numpy as np

from keras_pyconv.export.wiring import Wiring
from keras_pyconv.layers.normalization import FusedBatchNormalization
from keras_pyconv.layers.pointwise import PointwiseConv2D
from keras_pyconv.layers.pyconv import PyConv, PyConv1D, PyConv3D
from keras_pyconv.layers.residual import ResidualAdd
from keras_pyconv.models.auxiliary import inference_model
from keras_pyconv.models.nesting import all_models, as_functional

PYRAMIDS = (PyConv, PyConv1D, PyConv3D)
FOLDABLE = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Dense,
    PointwiseConv2D,
    *PYRAMIDS,
)
NORMALIZATIONS = (keras.layers.BatchNormalization, FusedBatchNormalization)
LOW_PRECISION = ("float16", "bfloat16")
# Of the largest output. Float32 rounding moves the logits of PyConvResNet-50
# by 1e-5 when only the way of convolution changes, by 2e-5 when it is folded.
TOLERANCE = 1e-4
# Pixels, where the model takes any size: the first at which it runs. Some
# networks shrink a small image to nothing.
UNKNOWN_SIZES = (64, 96, 128, 192, 299)
FLIPPED = 0.01  # of the integers, which rounding may move to another one


class FoldedNormalization(keras.layers.Layer):
    """Stands where a normalization was; it gives back what it gets."""

    def call(self, inputs, mask=None):
        return inputs


def _can_take(layer):
    """Whether a scale per channel can move into the layer's kernel."""
    return (
        type(layer) in FOLDABLE
        and layer.activation is keras.activations.linear
        and not getattr(layer, "lora_enabled", False)
        and not getattr(layer, "quantization_mode", None)
        and not getattr(layer, "activity_regularizer", None)
    )


def _over_channels(norm, layer):
    """Whether the normalization's axis is the layer's channel axis."""
    rank = len(norm.input.shape)
    first = getattr(layer, "data_format", None) == "channels_first"
    return norm.axis % rank == (1 if first else rank - 1)


def find_pairs(model):
    """Pairs of a layer and the normalization that can fold into it.

    Args:
        model: functional or sequential `keras.Model`; nested ones are
            searched too.

    Returns:
        List of `(layer, normalization)`.
    """
    models = list({id(m): m for m in all_models(model)}.values())
    owners = collections.Counter(
        id(layer) for owner in models for layer in owner.layers
    )
    pairs = []
    for owner in models:
        wiring = Wiring(owner)
        layers = {layer.name: layer for layer in owner.layers}
        for name, norm in layers.items():
            calls = wiring.inputs.get(name, [])
            if type(norm) not in NORMALIZATIONS or len(calls) != 1:
                continue
            (source,) = calls[0] if len(calls[0]) == 1 else (None,)
            layer = layers.get(source)
            if (
                layer is not None
                and _can_take(layer)
                and len(wiring.inputs.get(source, [[]])) == 1
                and wiring.uses[source] == 1
                and owners[id(layer)] == owners[id(norm)] == 1
                and _over_channels(norm, layer)
            ):
                pairs.append((layer, norm))
    return pairs


def _float64(variable):
    return variable.numpy().astype(np.float64)


def scale_and_shift(norm):
    """The normalization at inference as `inputs * scale + shift`, float64."""
    scale = 1 / np.sqrt(_float64(norm.moving_variance) + norm.epsilon)
    if norm.scale:
        scale = scale * _float64(norm.gamma)
    shift = -_float64(norm.moving_mean) * scale
    if norm.center:
        shift = shift + _float64(norm.beta)
    return scale, shift


def _copy_folded(layer, norm, clone):
    """Gives `clone` the kernels and bias of the layer and its norm."""
    scale, shift = scale_and_shift(norm)
    kernels = getattr(layer, "kernels", None) or [layer.kernel]
    targets = getattr(clone, "kernels", None) or [clone.kernel]
    begin = 0
    for kernel, target in zip(kernels, targets):
        end = begin + kernel.shape[-1]
        target.assign(_float64(kernel) * scale[begin:end])
        begin = end
    bias = _float64(layer.bias) if layer.use_bias else 0.0
    clone.bias.assign(bias * scale + shift)


def _copy_weights(layer, clone):
    weights = []
    for weight in layer.get_weights():
        if weight.dtype.name in LOW_PRECISION:
            weight = weight.astype(np.float32)
        weights.append(weight)
    clone.set_weights(weights)
    if hasattr(clone, "finalize_state"):
        clone.finalize_state()


def _in_float32(config):
    """A layer's config with every low-precision policy made float32."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            name = config["config"]["name"]
            if any(low in name for low in LOW_PRECISION):
                return {**config, "config": {"name": "float32"}}
        return {
            key: (
                "float32"
                if key == "dtype"
                and isinstance(value, str)
                and any(low in value for low in LOW_PRECISION)
                else _in_float32(value)
            )
            for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return type(config)(_in_float32(value) for value in config)
    return config


def _takes(layer, way):
    """Whether the copy of a layer computes by `way`."""
    if type(layer) not in PYRAMIDS or way is None:
        return False
    # Another runtime may lack what a layer's owner chose for TensorFlow.
    return layer.way is None or way == "portable"


def _clone(model, pairs, way=None):
    """A copy in float32, on new variables, with the pairs folded."""
    norms = {id(layer): norm for layer, norm in pairs}
    folded = {id(norm) for _, norm in pairs}
    copies = []

    def clone_layer(layer):
        if id(layer) in folded:
            return FoldedNormalization(name=layer.name, dtype="float32")
        config = _in_float32(layer.get_config())
        if type(layer) is keras.layers.Add:
            return ResidualAdd.from_config(config)
        if id(layer) in norms:
            config["use_bias"] = True
        if _takes(layer, way):
            config["way"] = way
        copies.append((layer, type(layer).from_config(config)))
        return copies[-1][1]

    clone = keras.models.clone_model(
        model, clone_function=clone_layer, recursive=True
    )
    for layer, copy in copies:
        if id(layer) in norms:
            _copy_folded(layer, norms[id(layer)], copy)
        elif isinstance(layer, keras.layers.Layer):
            _copy_weights(layer, copy)
    return clone


def _layers(model):
    """Every layer of the model and of those nested in it."""
    for owner in all_models(model):
        for layer in (owner, *owner.layers):
            if isinstance(layer, keras.layers.Layer):
                yield layer


def random_inputs(model, batch=2, seed=0, size=UNKNOWN_SIZES[0]):
    """Inputs of the model's shapes: normal numbers, or small integers.

    Args:
        model: functional or sequential `keras.Model`.
        batch: size of the first axis.
        seed: of the generator.
        size: pixels of every size that the model leaves open.

    Returns:
        List of arrays, one for each of `model.inputs`.
    """
    generator = np.random.default_rng(seed)
    arrays = []
    for tensor in model.inputs:
        shape = [known or size for known in tensor.shape]
        shape[0] = batch
        dtype = keras.backend.standardize_dtype(tensor.dtype)
        if "float" in dtype:
            arrays.append(generator.normal(size=shape).astype(np.float32))
        else:
            arrays.append(generator.integers(0, 2, shape).astype(dtype))
    return arrays


def call(model, arrays):
    """The model's flat list of outputs for a list of input arrays."""
    model = as_functional(model)
    tensors = [keras.ops.convert_to_tensor(array) for array in arrays]
    structured = keras.tree.pack_sequence_as(model.input, tensors)
    outputs = keras.tree.flatten(model(structured, training=False))
    return [keras.ops.convert_to_numpy(output) for output in outputs]


def is_sound(array):
    """Whether an output holds anything, and numbers only."""
    is_float = "float" in array.dtype.name
    return array.size > 0 and (not is_float or bool(np.isfinite(array).all()))


def _probe(model):
    """Random inputs of the first size at which the model runs, and outputs."""
    is_open = any(None in tensor.shape[1:] for tensor in model.inputs)
    *smaller, largest = UNKNOWN_SIZES if is_open else UNKNOWN_SIZES[:1]
    for size in smaller:
        arrays = random_inputs(model, size=size)
        try:
            outputs = call(model, arrays)
        # Every layer has an error of its own for an input that is too small.
        except Exception:
            continue
        if all(map(is_sound, outputs)):
            return arrays, outputs
    arrays = random_inputs(model, size=largest)
    return arrays, call(model, arrays)


def running_size(model):
    """Pixels of a side at which a model runs, where it takes any size.

    Args:
        model: functional or sequential `keras.Model`.

    Returns:
        One of `UNKNOWN_SIZES`; the first where the model's sizes are known.
    """
    if not any(None in tensor.shape[1:] for tensor in model.inputs):
        return UNKNOWN_SIZES[0]
    arrays, _ = _probe(model)
    sizes = [
        array.shape[axis]
        for array, tensor in zip(arrays, model.inputs)
        for axis, known in enumerate(tensor.shape)
        if axis and known is None
    ]
    return sizes[0]


def _error(wanted, got):
    """How far an output is off, and how far it may be."""
    if wanted.shape != got.shape:
        return np.inf, 0.0
    if "float" not in wanted.dtype.name:
        return (np.mean(wanted != got) if wanted.size else 0.0), FLIPPED
    largest = np.abs(wanted).max(initial=0.0) or 1.0
    return np.abs(wanted - got).max(initial=0.0) / largest, TOLERANCE


def _check_equal(expected, received):
    """Refuses a copy that does not compute what the model computes."""
    arrays, outputs = _probe(expected)
    for index, pair in enumerate(zip(outputs, call(received, arrays))):
        error, allowed = _error(*pair)
        if not error <= allowed:
            raise ValueError(
                f"The form of {expected.name!r} that is served moves its "
                f"output {index} by {error:.1e} of the largest value, or of "
                f"all integers, and allowed are {allowed:.0e}. Export with "
                "fold=False."
            )


def serving_form(model, fold=True, way="served"):
    """Copies a model into the form that is served.

    The copy is for inference: float32 whatever the model's precision, with
    batch normalization folded into the kernels before it, and grouped levels
    of PyConv layers computed as is fast on processors of servers. It is
    compared with the model, in float32, on random inputs before it is
    returned; sizes that the model leaves open are 64 pixels there, or as many
    as it takes to run.

    Args:
        model: built functional or sequential `keras.Model`; nested models
            are rewritten too.
        fold: whether batch normalization is folded.
        way: of `keras_pyconv.ops.WAYS`, by which the copy's PyConv layers
            compute: "served" for TensorFlow on machines that are not known,
            "portable" for other runtimes.

    Returns:
        A new `keras.Model` on new variables with the same inputs and
        outputs, or `model` itself where there is nothing to change.

    Raises:
        ValueError: the copy computes something else than the model, by
            more than 1e-4 of the largest output, or in more than 1 % of the
            integers.
    """
    model = inference_model(model)
    pairs = find_pairs(model) if fold else []
    layers = list(_layers(model))
    low = any(layer.compute_dtype in LOW_PRECISION for layer in layers)
    if not (low or pairs or any(_takes(layer, way) for layer in layers)):
        return model
    reference = _clone(model, []) if low else model
    clone = _clone(model, pairs, way)
    _check_equal(reference, clone)
    return clone
