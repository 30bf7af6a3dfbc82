"""PyConv in a network that its owner already has (paper, section 3)."""

import warnings
from collections.abc import Mapping

import keras

from keras_pyconv.arguments import flag
from keras_pyconv.layers.pyconv import PyConv
from keras_pyconv.models.copying import Copier, copy_weights
from keras_pyconv.models.nesting import all_models, inner_layers
from keras_pyconv.models.replacement import plan
from keras_pyconv.models.replacement_report import ReplacementReport

# What `Conv2D` and `PyConv` call alike.
KEPT = (
    "name",
    "trainable",
    "strides",
    "data_format",
    "dilation_rate",
    "use_bias",
    "kernel_initializer",
    "bias_initializer",
    "kernel_regularizer",
    "bias_regularizer",
    "activity_regularizer",
    "kernel_constraint",
    "bias_constraint",
)


def _pyconv(plan, activation):
    """The PyConv in the place of a `Conv2D`."""
    kernels, filters, groups = zip(*plan.levels)
    # Not through a configuration, which has the owner's functions by name.
    return PyConv(
        **{name: getattr(plan.layer, name) for name in KEPT},
        dtype=plan.layer.dtype_policy,
        activation=activation,
        filters=filters,
        kernel_size=kernels,
        groups=groups,
        padding="same" if plan.is_same else "valid",
    )


class _Copier(Copier):
    """Copies a model, with pyramids where they are planned."""

    def __init__(self, plans, names):
        super().__init__()
        self._plans, self._names, self._pads = plans, names, {}

    def single(self, operation):
        if id(operation) not in self._plans:
            return super().single(operation)
        planned = self._plans[id(operation)]
        pyramid = _pyconv(planned, self._activation(operation))
        if not planned.is_same:
            self._pads[id(pyramid)] = self._padding(planned)
        return pyramid

    def before(self, copy):
        return self._pads.get(id(copy))

    def _activation(self, conv):
        """That of a convolution; a copy where it is a layer."""
        if not isinstance(conv.activation, keras.layers.Layer):
            return conv.activation
        copy = self.copy(conv.activation)
        if conv.activation.built and not copy.built:
            copy.build_from_config(conv.activation.get_build_config())
        return copy

    def _padding(self, planned):
        name = f"{planned.layer.name}_pad"
        while name in self._names:
            name = f"{name}_pyconv"
        self._names.add(name)
        return keras.layers.ZeroPadding2D(
            planned.pads,
            data_format=planned.layer.data_format,
            dtype=planned.layer.dtype_policy,
            name=name,
        )


def _start_from(conv, pyramid):
    """Gives the dense level the first filters of the old kernel."""
    count = pyramid.levels[0].filters
    pyramid.kernels[0].assign(conv.kernel[..., :count])
    if conv.use_bias:
        rest = pyramid.bias[count:]
        pyramid.bias.assign(keras.ops.concatenate([conv.bias[:count], rest]))


def _set_trainable(layer, copy, above=()):
    # Outermost first: what a layer says, those that it holds follow until
    # they are told otherwise.
    copy.trainable = layer.trainable
    above = (*above, layer)
    copies = inner_layers(copy)
    for where, inner in inner_layers(layer).items():
        if where in copies and inner not in above:
            _set_trainable(inner, copies[where], above)


def _compile(model, copy):
    """Compiles the copy as the model is, if a configuration can say how."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The object being serialized")
            copy.compile_from_config(model.get_compile_config())
    # The owner's own losses and metrics may fail in their own ways.
    except Exception as error:
        reason = str(error).split(". ")[0]
        warnings.warn(
            f"The copy of {model.name!r} is left uncompiled because its loss, "
            f"metrics or optimizer cannot be copied: {reason}. Call its "
            "`compile` before training.",
            stacklevel=4,
        )


def take_state(model, copier):
    """Makes a copy trainable and compiled as the model and its parts are."""
    _set_trainable(model, copier.copy(model))
    for owner in all_models(model):
        if owner.compiled:
            _compile(owner, copier.copy(owner))


def replacement_report(
    model: keras.Model,
    levels: int | Mapping[str, int] | None = None,
    min_kernel: int = 3,
) -> ReplacementReport:
    """Reports what `replace_convolutions` would do; builds nothing.

    Args:
        model: As for `replace_convolutions`.
        levels: As for `replace_convolutions`.
        min_kernel: As for `replace_convolutions`.

    Returns:
        A `ReplacementReport` with the rows `replaced` and `left`, and the
        totals `before` and `after`. Printed, it is a table of all
        convolutions: kernel, new levels as kernel:groups:filters or the reason
        for keeping it, and cost before and after. Unknown sizes count as 224
        pixels.

    Raises:
        ValueError: as `replace_convolutions`.

    Example:

    >>> model = keras.applications.ResNet50(weights=None)
    >>> report = keras_pyconv.replacement_report(model)
    >>> print(len(report.replaced), report.left[0].reason)
    13 the stem, which reads 3 channels
    """
    return plan(model, levels, min_kernel)[1]


def replace_convolutions(
    model: keras.Model,
    levels: int | Mapping[str, int] | None = None,
    min_kernel: int = 3,
    keep_weights: bool = True,
    verbose: bool = False,
) -> keras.Model:
    """Copies a model with PyConvs in place of its dense k x k convolutions.

    It replaces every `keras.layers.Conv2D` with one group and a square odd
    kernel of at least `min_kernel` by a `PyConv` with the same name, output
    shape, options, dtype and trainability, and with no more parameters and
    multiply-adds. If the new kernels would be centered elsewhere (Keras's
    "same" is asymmetric at stride 2 on even sizes; "valid" has no room for
    larger kernels), it inserts a `ZeroPadding2D` named `<layer>_pad`.

    It keeps, and lists in the report with the reason: 1 x 1, grouped,
    depthwise, transposed and non-2-D convolutions; even and oblong kernels;
    subclasses of `Conv2D`; convolutions inside other layers; the stem, which
    reads at most 4 channels; strided "same" convolutions with unknown input
    size; and layers for which the rule gives one level, or whose channels no
    levels fit.

    Reference: [Pyramidal Convolution](https://arxiv.org/abs/2006.11538),
    section 3 and Table 1.

    Args:
        model: A functional `keras.Model`, or a built `Sequential`; it stays
            unchanged. Nested models are converted too.
        levels: `None` for the paper's rule: 4 levels on feature maps of at
            least a quarter of the input's side, 3 at an eighth, 2 at a
            sixteenth, none below, and no kernel larger than the map. Or an
            integer from 1 to 4 for every layer, where 1 keeps it. Or a
            dictionary of such integers by layer name (`"backbone/conv2"` in a
            nested model), with the rule for the others; the stem becomes a
            pyramid only if you name it. There are fewer levels if the
            channels do not divide into groups that keep the cost. Groups are
            1, 4, 8, 16 and filters in the paper's proportions, or the closest
            that divide.
        min_kernel: The smallest kernel to replace. A kernel of 5 gets levels
            of 5, 7, 9, 11.
        keep_weights: Whether the dense level, whose kernel has the old size,
            starts from the first old filters and their biases; the report
            says how many. The other levels start from the layer's
            initializers. Layers that are not replaced always keep their
            weights.
        verbose: Whether to print the report.

    Returns:
        A new model with new variables and the names, inputs and outputs of
        `model`; Sequential if `model` is, and plain functional if `model` has
        a class with its own constructor. Its outputs differ, so fine-tune it.
        If `model` is compiled, so is the new model, with a new optimizer; a
        warning says if that is not possible.

    Raises:
        ValueError: the model is subclassed or not built, an argument is not
            valid, or `levels` names a layer that cannot be replaced.

    Example:

    >>> model = keras.applications.ResNet50(weights=None)
    >>> converted = keras_pyconv.replace_convolutions(model)
    >>> print(type(converted.get_layer("conv2_block1_2_conv")).__name__)
    PyConv
    """
    plans, report = plan(model, levels, min_kernel)
    flag("keep_weights", keep_weights)
    if flag("verbose", verbose):
        print(report)
    if not plans:
        warnings.warn(
            f"No convolution of {model.name!r} is replaced: "
            f"{report.reasons() or 'it has none'}.",
            stacklevel=2,
        )
    names = {layer.name for own in all_models(model) for layer in own.layers}
    copier = _Copier(plans, names)
    converted = copier.copy(model)
    for layer, copy in copier.pairs():
        if id(layer) not in plans:
            copy_weights(layer, copy)
        elif keep_weights:
            _start_from(layer, copy)
    take_state(model, copier)
    return converted
