"""Which convolutions of a model can be pyramids, and why others cannot.

Nothing is built here: the graph is walked with shapes that are all known. A
layer may be called at several sizes.
"""

import difflib
import math
from dataclasses import dataclass

import keras

from keras_pyconv.architectures.levels import PYRAMIDS
from keras_pyconv.arguments import integer, is_one_of, plain, shown
from keras_pyconv.complexity.cost import Cost, pyconv_cost
from keras_pyconv.layers.levels import ResolvedLevel
from keras_pyconv.layers.pointwise import PointwiseConv2D
from keras_pyconv.layers.pyconv import PyConvND
from keras_pyconv.models.nesting import (
    as_functional,
    check_readable,
    is_graph,
)
from keras_pyconv.models.replacement_report import (
    Replacement,
    ReplacementReport,
)

UNKNOWN_SIZE = 224  # pixels, where the model takes any size
STEM_CHANNELS = 4  # an image has up to four: red, green, blue, depth
TRANSPOSED = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
)
DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
SEPARABLE = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)
OTHER = {
    TRANSPOSED: "transposed",
    DEPTHWISE: "depthwise",
    SEPARABLE: "depthwise separable",
    (PyConvND,): "a PyConv already",
    (PointwiseConv2D,): "1x1",
    (keras.layers.Conv1D,): "over one axis",
    (keras.layers.Conv3D,): "over three axes",
}


def levels_at(ratio: float) -> int:
    """Levels of a map at 1/ratio of the input: 4 at 1/4, 1 at 1/32."""
    return min(4, max(1, 6 - round(math.log2(ratio))))


def fit_pyramid(
    channels: int, filters: int, kernel: int, count: int
) -> tuple[ResolvedLevel, ...]:
    """Up to `count` levels that cost no more than the convolution, or none."""
    divisors = [n for n in range(1, channels + 1) if channels % n == 0]
    # Groups and shares are the paper's where they divide. Elsewhere a level has
    # the divisor of the channels closest to the paper's groups, and filters
    # that this divides; the dense level takes the rest.
    for number in range(count, 1, -1):
        levels = []
        for step, level in enumerate(PYRAMIDS[number][1:], 1):
            width = int(filters * level.share)
            groups = min(
                (d for d in divisors if d <= max(width, 1)),
                key=lambda divisor: (abs(divisor - level.groups), -divisor),
            )
            side = kernel + 2 * step
            levels.append(
                ResolvedLevel((side, side), width // groups * groups, groups)
            )
        rest = filters - sum(level.filters for level in levels)
        levels.insert(0, ResolvedLevel((kernel, kernel), rest, 1))
        if all(level.filters > 0 for level in levels):
            weights = pyramid_weights(channels, levels)
            if weights <= kernel * kernel * channels * filters:
                return tuple(levels)
    return ()


def pyramid_weights(channels, levels):
    """Scalars in all kernels of the levels."""
    sizes, filters, groups = zip(*levels)
    sides = tuple(size[0] for size in sizes)
    return sum(
        cost.parameters
        for cost in pyconv_cost(channels, filters, sides, groups, positions=1)
    )


def pads_of(conv, sizes: tuple[int, int], largest: int):
    """Zeros around a map that keep the centres of the convolution's kernels.

    Keras pads "same" unevenly at stride 2 on even sizes, and "valid" gives
    larger kernels fewer outputs.
    """
    pads = []
    for size, kernel, stride, dilation in zip(
        sizes, conv.kernel_size, conv.strides, conv.dilation_rate
    ):
        more = (largest - kernel) // 2 * dilation
        total = 0
        if conv.padding == "same":
            reach = (kernel - 1) * dilation + 1
            total = (math.ceil(size / stride) - 1) * stride + reach - size
        total = max(total, 0)
        pads.append((total // 2 + more, total - total // 2 + more))
    return tuple(pads)


@dataclass(frozen=True)
class Call:
    """One use of a layer: its path, its shapes, and if sizes are known."""

    path: str
    layer: object
    inputs: tuple
    outputs: tuple
    known: bool


def _sized(shape):
    """A shape whose every axis but the batch is known."""
    return (shape[0], *(size or UNKNOWN_SIZE for size in shape[1:]))


def _watch(model, tensors, calls, prefix="", known=True):
    """Appends every use of every layer, nested ones too, to `calls`."""
    known = known and all(None not in t.shape[1:] for t in model.inputs)

    def note(operation, *args, **kwargs):
        outputs = operation.compute_output_spec(*args, **kwargs)
        inputs = keras.tree.flatten((args, kwargs))
        inputs = [t for t in inputs if keras.utils.is_keras_tensor(t)]
        path = prefix + operation.name
        if is_graph(operation):
            _watch(operation, inputs, calls, f"{path}/", known)
        elif isinstance(operation, keras.layers.Layer):
            shapes = inputs[0].shape, keras.tree.flatten(outputs)[0].shape
            calls.append(Call(path, operation, *shapes, known))
        return outputs

    fresh = [keras.KerasTensor(_sized(t.shape), t.dtype) for t in tensors]
    as_functional(model)._run_through_graph(fresh, call_fn=note)


def _sides(layer, shape):
    first = getattr(layer, "data_format", None) == "channels_first"
    return tuple(shape[2:] if first else shape[1:-1])


def _reference_side(model, calls):
    """Pixels along the larger side of the model's input."""
    convs = [call for call in calls if type(call.layer) is keras.layers.Conv2D]
    if not convs:
        return UNKNOWN_SIZE
    shapes = [_sized(t.shape) for t in model.inputs if len(t.shape) == 4]
    shapes = shapes or [call.inputs for call in convs]
    layer = convs[0].layer
    return max(max(_sides(layer, shape)) for shape in shapes)


@dataclass(frozen=True)
class Plan:
    """A `Conv2D`, its pyramid, and the zeros around the pyramid's input."""

    layer: keras.layers.Layer
    levels: tuple[ResolvedLevel, ...]
    pads: tuple

    @property
    def is_same(self) -> bool:
        """Whether the pyramid's own padding "same" is what is needed."""
        half = self.levels[-1].kernel_size[0] // 2
        return self.pads == tuple(
            (half * dilation,) * 2 for dilation in self.layer.dilation_rate
        )


def _why_never(layer, min_kernel):
    """Why no pyramid can replace the layer, whatever its size."""
    for kinds, reason in OTHER.items():
        if isinstance(layer, kinds):
            return reason
    if type(layer) is not keras.layers.Conv2D:
        return "a subclass of Conv2D"
    kernel = layer.kernel_size
    if max(kernel) < max(min_kernel, 3):
        size = "x".join(map(str, kernel))
        return size if max(kernel) < 3 else f"{size} is below `min_kernel`"
    if len(set(kernel)) > 1 or kernel[0] % 2 == 0:
        return "its kernel is not square and odd"
    if layer.groups > 1:
        return "grouped"
    if getattr(layer, "lora_enabled", False) or getattr(
        layer, "quantization_mode", None
    ):
        return "quantized or with LoRA"
    return ""


def _count(layer, calls, side):
    """How many levels the rule gives, and why not two if it gives one."""
    maps = [_sides(layer, call.outputs) for call in calls]
    largest, smallest = max(map(max, maps)), min(map(min, maps))
    count = levels_at(side / largest)
    if count == 1:
        return 1, f"one level for a map of {largest} at 1/{side / largest:g}"
    kernel = layer.kernel_size[0]
    while count > 1 and kernel + 2 * count - 2 > smallest:
        count -= 1
    second = kernel + 2
    return count, f"{second}x{second} exceeds the map of {smallest}"


def _plan(layer, calls, side, count, named):
    """A `Plan`, or why there is none; `named` layers may be the stem."""
    channels = layer.kernel.shape[-2]
    if channels <= STEM_CHANNELS and not named:
        return f"the stem, which reads {channels} channels"
    reason = "one level was asked for"
    if count is None:
        count, reason = _count(layer, calls, side)
    if count == 1:
        return reason
    kernel = layer.kernel_size[0]
    pyramid = fit_pyramid(channels, layer.filters, kernel, count)
    if not pyramid:
        return (
            f"no levels of {channels} channels and {layer.filters} filters "
            "at no more cost"
        )
    strided = layer.padding == "same" and max(layer.strides) > 1
    if strided and not all(call.known for call in calls):
        return "strided, and the padding depends on an unknown size"
    pads = {
        pads_of(layer, _sides(layer, call.inputs), pyramid[-1].kernel_size[0])
        for call in calls
    }
    if len(pads) > 1:
        return "shared by sizes that are padded differently"
    return Plan(layer, pyramid, pads.pop())


def _cost(layer, calls, weights=None):
    """Parameters, and multiply-adds over all calls."""
    bias = getattr(layer, "bias", None)
    biases = 0 if bias is None else math.prod(bias.shape)
    if weights is None:
        weights = layer.count_params() - biases
    read = isinstance(layer, TRANSPOSED)
    shapes = [call.inputs if read else call.outputs for call in calls]
    positions = sum(math.prod(_sides(layer, shape)) for shape in shapes)
    return Cost(weights + biases, multiply_adds=weights * positions)


def _is_convolution(layer):
    kinds = (keras.layers.Conv2D, *(kind for row in OTHER for kind in row))
    return isinstance(layer, kinds)


def _kernel(layer):
    """The layer's kernel; of a PyConv, its last level's."""
    if isinstance(layer, PyConvND):
        return layer.levels[-1].kernel_size
    return tuple(getattr(layer, "kernel_size", ()))


def _hidden(layer):
    """Why convolutions inside the layer cannot be seen, if there are any."""
    if any(map(_is_convolution, layer._flatten_layers(include_self=False))):
        return f"inside a {type(layer).__name__}"
    return ""


def _check_arguments(model, levels, min_kernel):
    check_readable(model)
    known = (None, *PYRAMIDS)
    for count in levels.values() if isinstance(levels, dict) else [levels]:
        if not is_one_of(plain(count), known):
            raise ValueError(
                "`levels` must be None, the number of levels, or a dictionary "
                f"from layer names to numbers. Received: {shown(count)}; "
                f"known: {', '.join(map(str, known))}."
            )
    integer("min_kernel", min_kernel, at_least=3)


def _check_names(levels, paths):
    for name in levels:
        if name not in paths:
            near = difflib.get_close_matches(str(name), paths, n=3, cutoff=0)
            raise ValueError(
                "`levels` names a layer that is not a convolution of the "
                f"model: levels={shown(levels)}. Received: {name!r}; nearest: "
                f"{', '.join(near)}."
            )


def _check_named(path, count, result):
    """Refuses levels for a layer, by its name, that must stay as it is."""
    if count not in (None, 1) and not isinstance(result, Plan):
        raise ValueError(
            "`levels` names a convolution that cannot be replaced. Received: "
            f"{{{path!r}: {count}}}; reason: {result}; nearest: 1, which keeps "
            "it."
        )


def _row(path, layer, calls, result):
    before = after = Cost(layer.count_params())
    if not _hidden(layer):
        before = after = _cost(layer, calls)
    if not isinstance(result, Plan):
        return Replacement(path, _kernel(layer), (), result, before, after)
    channels = layer.kernel.shape[-2]
    after = _cost(layer, calls, pyramid_weights(channels, result.levels))
    return Replacement(path, _kernel(layer), result.levels, "", before, after)


def plan(model, levels=None, min_kernel=3):
    """Plans by the identity of the layer, and the report."""
    _check_arguments(model, levels, min_kernel)
    calls = []
    _watch(model, model.inputs, calls)
    side = _reference_side(model, calls)
    uses = {}
    for call in calls:
        uses.setdefault(id(call.layer), []).append(call)
    found = [
        (own[0].path, own[0].layer, own)
        for own in uses.values()
        if _is_convolution(own[0].layer) or _hidden(own[0].layer)
    ]
    each = levels if isinstance(levels, dict) else {}
    _check_names(each, [path for path, _, _ in found])
    plans, rows = {}, []
    for path, layer, own in found:
        named = each.get(path)
        count = named if levels is each else levels
        result = _hidden(layer) or _why_never(layer, min_kernel)
        result = result or _plan(layer, own, side, count, named is not None)
        _check_named(path, named, result)
        if isinstance(result, Plan):
            plans[id(layer)] = result
        rows.append(_row(path, layer, own, result))
    shapes = tuple(_sized(tensor.shape) for tensor in model.inputs)
    return plans, ReplacementReport(model.name, shapes, tuple(rows))
