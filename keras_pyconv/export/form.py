"""The form of a model that is served: float32, folded, convolved for servers.

At inference a batch normalization over the channels is a scale and a shift,
which go into the kernel and the bias of the only layer before it, in float64.
The levels of a PyConv share one normalization: each takes its own slice.
"""

import keras
import numpy as np

from keras_pyconv import arguments, placement, renamed
from keras_pyconv.export.inspect import inspect
from keras_pyconv.layers.normalization import (
    FusedBatchNormalization,
    scale_and_shift,
)
from keras_pyconv.layers.pointwise import PointwiseConv2D
from keras_pyconv.layers.pyconv import PyConv, PyConv1D, PyConv3D
from keras_pyconv.layers.residual import ResidualAdd
from keras_pyconv.layers.targeted import targeted_layers
from keras_pyconv.models.auxiliary import inference_model
from keras_pyconv.models.copying import Copier, built, copy_weights
from keras_pyconv.ops.fold import folded
from keras_pyconv.ops.target import TARGETS

NAMES_SHOWN = 5
LOW_PRECISION = ("float16", "bfloat16")
# What becomes float32, by the way: other runtimes compute with nothing wider.
CHANGED = dict.fromkeys(("portable", "onnx"), (*LOW_PRECISION, "float64"))
PYRAMIDS = (PyConv, PyConv1D, PyConv3D)
CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    PointwiseConv2D,
    *PYRAMIDS,
)
FOLDABLE = (*CONVOLUTIONS, keras.layers.Dense)
NORMALIZATIONS = (keras.layers.BatchNormalization, FusedBatchNormalization)
# Of the largest output. Float32 rounding moves the logits of PyConvResNet-50
# by 1e-5 when only the way of convolution changes, by 2e-5 when it is folded.
TOLERANCE = 1e-4
FLIPPED = 0.01  # of the integers, which rounding may move to another one


class FoldedNormalization(keras.layers.Layer):
    """Takes the place of a folded normalization and returns its input."""

    def call(self, inputs, mask=None):
        return inputs


def _is_finite(array):
    is_float = "float" in array.dtype.name
    return not is_float or np.isfinite(array.astype(np.float32)).all()


def check_finite(model):
    """Refuses a model that holds NaN or infinity, naming the variables."""
    bad = [v.path for v in model.weights if not _is_finite(v.numpy())]
    if bad:
        names, more = ", ".join(bad[:NAMES_SHOWN]), len(bad) - NAMES_SHOWN
        raise ValueError(
            f"{len(bad)} variables of {model.name!r} hold NaN or infinity: "
            f"{names}{f' and {more} more' * (more > 0)}."
        )


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


def find_pairs(seen):
    """Pairs of a layer and the normalization that can fold into it."""
    return [
        (layer, norm)
        for layer, norm in seen.chains
        if type(norm) in NORMALIZATIONS
        and _can_take(layer)
        and _over_channels(norm, layer)
    ]


def _float64(variable):
    return variable.numpy().astype(np.float64)


def kernels_of(layer):
    """The kernel of each level of a PyConv, or the only one."""
    return getattr(layer, "kernels", None) or [layer.kernel]


def _copy_folded(layer, norm, copy):
    """Gives `copy` the kernels and bias of the layer and its norm."""
    scaled, bias = folded(
        [_float64(kernel) for kernel in kernels_of(layer)],
        _float64(layer.bias) if layer.use_bias else None,
        *scale_and_shift(norm, _float64),
    )
    for target, kernel in zip([*kernels_of(copy), copy.bias], [*scaled, bias]):
        target.assign(kernel)


def _retyped(config, types, wanted, keys=("dtype",)):
    """A layer's config with its policies of some types made another one."""
    if isinstance(config, (list, tuple)):
        return type(config)(
            _retyped(one, types, wanted, keys) for one in config
        )
    if not isinstance(config, dict):
        return config
    if "DTypePolicy" in str(config.get("class_name")):
        keys = ("name", "source_name")  # the latter of a quantized one
    changed = {}
    for key, value in config.items():
        is_named = key in keys and isinstance(value, str)
        if is_named and any(one in value for one in types):
            changed[key] = wanted
        else:
            changed[key] = _retyped(value, types, wanted, keys)
    return changed


def _targeted(operation):
    is_layer = isinstance(operation, keras.layers.Layer)
    return targeted_layers(operation) if is_layer else []


class _Former(Copier):
    """Copies a model, with pairs folded and `types` of numbers changed."""

    def __init__(self, pairs, target, types, wanted):
        super().__init__()
        self.norms = {id(layer): norm for layer, norm in pairs}
        self.folded = {id(norm) for _, norm in pairs}
        self._target = target
        self._types = types
        self._wanted = wanted

    def number_type(self, dtype):
        return self._wanted if dtype in self._types else dtype

    def cast(self, array):
        """A weight in the type that it has in the copy."""
        return array.astype(self.number_type(array.dtype.name))

    def config(self, config):
        return _retyped(config, self._types, self._wanted)

    def single(self, operation):
        if id(operation) in self.folded:
            dtype = self.config(operation.get_config())["dtype"]
            return FoldedNormalization(name=operation.name, dtype=dtype)
        if type(operation) is keras.layers.Add:
            return ResidualAdd.from_config(self.config(operation.get_config()))
        more = {"use_bias": True} if id(operation) in self.norms else {}
        copy = built(operation, lambda made: {**self.config(made), **more})
        for layer in _targeted(copy):
            layer.target = self._target
        return copy


def _copied(seen, target, pairs=(), types=(), wanted="float32"):
    """A copy of the model with its weights, inspected."""
    former = _Former(pairs, target, types, wanted)
    with placement.undivided():
        form = former.copy(seen.model)
    for layer, copy in former.pairs():
        if id(layer) in former.norms:
            _copy_folded(layer, former.norms[id(layer)], copy)
        elif id(layer) not in former.folded:
            copy_weights(layer, copy, former.cast)
    return inspect(form)


def difference(wanted, got):
    """How far an array is off, as a share of the largest number.

    Of integers, the share that differs; infinity where the shapes do.
    """
    if wanted.shape != got.shape:
        return np.inf
    if "float" not in wanted.dtype.name:
        return float(np.mean(wanted != got)) if wanted.size else 0.0
    largest = np.abs(wanted).max(initial=0.0) or 1.0
    error = np.abs(wanted - got.astype(wanted.dtype)).max(initial=0.0)
    return float(error / largest)


def formed_in_bfloat16(seen, fold=True):
    """The like of a bfloat16 model, which computes in it, on such weights.

    It is not compared: this machine may have no arithmetic for bfloat16.
    """
    pairs = find_pairs(seen) if fold else []
    types = "served_bfloat16", pairs, ("bfloat16",), "bfloat16"
    return _copied(seen, *types)


def _check_equal(seen, form):
    """Refuses a copy that computes something else than the model."""
    _, arrays, outputs = seen.example
    for index, pair in enumerate(zip(outputs, form.answer(arrays))):
        error = difference(*pair)
        allowed = TOLERANCE if pair[0].dtype.kind in "fV" else FLIPPED
        if not error <= allowed:
            raise ValueError(
                f"Output {index} of the serving form of {seen.name!r} differs "
                f"from the model by {error:.1e} of the largest value, or of "
                f"all integers; the tolerance is {allowed:.0e}. Export with "
                "fold=False."
            )


def formed(seen, fold=True, target="served"):
    """`serving_form` of an inspected model, inspected; itself if unchanged."""
    check_finite(seen.model)
    types = CHANGED.get(target, LOW_PRECISION)
    if any(layer.compute_dtype in types for layer in seen.layers):
        seen = _copied(seen, target, types=types)
    pairs = find_pairs(seen) if fold else []
    aimed = (x.target for layer in seen.layers for x in _targeted(layer))
    if not pairs and all(other == target for other in aimed):
        return seen
    form = _copied(seen, target, pairs)
    _check_equal(seen, form)
    return form


def serving_form(
    model: keras.Model,
    fold: bool = True,
    target: str = "served",
    way: str | None = None,
) -> keras.Model:
    """Copies a model into the form that is served.

    The copy is for inference: float32 if the model is of less precision, or
    of float64 and goes to another runtime, with batch normalization folded
    into the kernels before it, and grouped levels of PyConv layers computed
    as is fast on processors of servers. It is compared with the model on
    random inputs first; sizes that the model leaves open are 64 pixels there,
    or as many as it takes to run.

    Args:
        model: built functional or sequential `keras.Model`; nested models
            are rewritten too.
        fold: whether batch normalization is folded.
        target: who runs the copy, of `keras_pyconv.ops.TARGETS`: "served" is
            TensorFlow on machines that are not known, "onnx" and "portable"
            are other runtimes. Whoever builds its graph takes care of empty
            batches, as `saved_model` does.
        way: the deprecated name of `target`.

    Returns:
        A new `keras.Model` on new variables with the same inputs and
        outputs, or `model` itself where there is nothing to change.

    Raises:
        TypeError, ValueError: `model` is no built model whose graph can be
            read; a layer cannot be copied; or the copy computes something
            else than the model, by more than 1e-4 of the largest output, or
            in more than 1 % of the integers.
    """
    if way is not None:
        renamed.warn(
            f"`way` of serving_form goes with version {renamed.GOES}: it is "
            "`target`."
        )
        target = way
    arguments.flag("fold", fold)
    arguments.one_of("target", target, TARGETS)
    seen = inspect(model)
    form = formed(seen, fold, target)
    return inference_model(model) if form is seen else form.model
