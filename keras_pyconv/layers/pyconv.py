"""Pyramidal convolution (section 3 of the paper) in one, two and three axes.

Every level convolves the whole input with its own kernel size and number of
channel groups. The outputs are concatenated in the given order; the paper's
networks put the smallest kernel first. Padding "same" is symmetric,
`kernel // 2 * dilation` on both sides, unlike Keras's at stride 2.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import ops

from keras_pyconv import placement
from keras_pyconv.arguments import flag, of_keras, one_of, plain, told_options
from keras_pyconv.layers import levels
from keras_pyconv.layers.checked import CheckedCall, checked_format
from keras_pyconv.layers.targeted import Targeted
from keras_pyconv.ops.arguments import axis_sizes
from keras_pyconv.ops.grouped_conv import pyramid_conv, targeted
from keras_pyconv.ops.uncut import uncut
from keras_pyconv.typing import DataFormat, Identifier, PerAxis


def _level_initializer(initializer, index):
    """An initializer that draws other values for every level.

    Keras's initializers repeat themselves at every call, so that one shared by
    all levels would start them alike.
    """
    if not isinstance(initializer, keras.initializers.Initializer):
        return initializer
    config = initializer.get_config()
    seed = config.get("seed")
    if isinstance(seed, int):
        return initializer.from_config({**config, "seed": seed + index})
    # A seed generator moves on by itself; a clone would start it afresh.
    return initializer if seed is not None else initializer.clone()


def activated(activation, outputs):
    """Outputs of a convolution after its activation, if it has one."""
    if activation in (None, keras.activations.linear):
        return outputs  # which remember the convolution
    return uncut(activation, outputs)


class PyConvND(CheckedCall, Targeted, keras.layers.Layer):
    """What `PyConv1D`, `PyConv` and `PyConv3D` share; `rank` is their axes."""

    rank: int

    def __init__(
        self,
        filters: PerAxis,
        kernel_size: int | Sequence[PerAxis] = (3, 5, 7, 9),
        groups: PerAxis | Literal["auto"] = "auto",
        strides: PerAxis = 1,
        padding: Literal["same", "valid"] = "same",
        data_format: DataFormat | None = None,
        dilation_rate: PerAxis = 1,
        activation: Identifier | None = None,
        use_bias: bool = True,
        kernel_initializer: Identifier = "glorot_uniform",
        bias_initializer: Identifier = "zeros",
        kernel_regularizer: Identifier | None = None,
        bias_regularizer: Identifier | None = None,
        activity_regularizer: Identifier | None = None,
        kernel_constraint: Identifier | None = None,
        bias_constraint: Identifier | None = None,
        way: str | None = None,
        **kwargs: Any,
    ):
        kwargs["activity_regularizer"] = activity_regularizer
        with told_options(kwargs) as options:
            super().__init__(**options)
        self.filters = plain(filters)
        self.kernel_size = plain(kernel_size)
        self.groups = plain(groups)
        self._kernels = levels.level_kernels(self.kernel_size, self.rank)
        self._filters = levels.level_filters(self.filters, len(self._kernels))
        self._groups = levels.level_groups(self.groups, self._filters)
        self.strides = axis_sizes("strides", strides, self.rank)
        self.dilation_rate = axis_sizes(
            "dilation_rate", dilation_rate, self.rank
        )
        self.padding = one_of("padding", padding, ("same", "valid"))
        self.data_format = checked_format(data_format)
        self.way, self.target = targeted(way, self.target)
        self.activation = of_keras("activation", activation)
        self.use_bias = flag("use_bias", use_bias)
        self.kernel_initializer = of_keras(
            "kernel_initializer", kernel_initializer
        )
        self.bias_initializer = of_keras("bias_initializer", bias_initializer)
        self.kernel_regularizer = of_keras(
            "kernel_regularizer", kernel_regularizer
        )
        self.bias_regularizer = of_keras("bias_regularizer", bias_regularizer)
        self.kernel_constraint = of_keras(
            "kernel_constraint", kernel_constraint
        )
        self.bias_constraint = of_keras("bias_constraint", bias_constraint)
        self.input_spec = keras.InputSpec(ndim=self.rank + 2)
        self.levels = None
        self.kernels = None
        self.bias = None
        self.devices = None
        self._among = placement.current()
        # Of which XLA knows one.
        self.supports_jit = self._among is None

    @property
    def _channel_axis(self):
        return -1 if self.data_format == "channels_last" else 1

    def _channels(self, input_shape):
        if len(input_shape) != self.rank + 2:
            raise ValueError(
                f"{type(self).__name__} takes inputs of rank {self.rank + 2}. "
                f"Received: input_shape={tuple(input_shape)}."
            )
        channels = input_shape[self._channel_axis]
        if channels is None:
            raise ValueError(
                "The channels of the input must be known; every other size "
                f"may be None. Received: input_shape={tuple(input_shape)} with "
                f'data_format="{self.data_format}".'
            )
        return channels

    def build(self, input_shape):
        channels = self._channels(input_shape)
        self.levels = levels.resolve_levels(
            channels, self._kernels, self._filters, self._groups
        )
        self.compute_output_shape(input_shape)
        shapes = [
            (*level.kernel_size, channels // level.groups, level.filters)
            for level in self.levels
        ]
        self.devices = self._allotted(shapes)
        self.kernels = [self._add_kernel(*pair) for pair in enumerate(shapes)]
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(sum(self._filters),),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.input_spec = keras.InputSpec(
            ndim=self.rank + 2, axes={self._channel_axis: channels}
        )

    def _allotted(self, shapes):
        """The device of each level, or None."""
        if self._among is None or len(shapes) == 1:
            return None
        placement.check_free()
        costs = [math.prod(shape) for shape in shapes]
        places = placement.allotted(costs, len(self._among))
        return tuple(self._among[place] for place in places)

    def _add_kernel(self, index, shape):
        with placement.place_of(index, self.devices):
            return self.add_weight(
                name=f"kernel_{index + 1}",
                shape=shape,
                initializer=_level_initializer(self.kernel_initializer, index),
                regularizer=self.kernel_regularizer,
                constraint=self.kernel_constraint,
            )

    def _kernel(self, index):
        with placement.place_of(index, self.devices):
            return ops.convert_to_tensor(self.kernels[index])

    def call(self, inputs):
        if self.devices:
            placement.check_free()
        # Integers, such as the pixels of an image, are not cast by Keras.
        inputs = ops.cast(inputs, self.compute_dtype)
        outputs = pyramid_conv(
            inputs,
            [self._kernel(index) for index in range(len(self.kernels))],
            groups=[level.groups for level in self.levels],
            bias=self.bias,
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
            way=self.way,
            target=self.target,
            devices=self.devices,
        )
        return activated(self.activation, outputs)

    def _largest_kernel(self):
        return tuple(max(sizes) for sizes in zip(*self._kernels))

    def compute_output_shape(self, input_shape):
        self._channels(input_shape)
        spatial = list(input_shape)
        del spatial[self._channel_axis], spatial[0]
        # Symmetric padding gives back what an odd kernel takes.
        taken = [0] * self.rank
        if self.padding == "valid":
            taken = [
                (size - 1) * dilation
                for size, dilation in zip(
                    self._largest_kernel(), self.dilation_rate
                )
            ]
        sizes = [
            None if size is None else (size - less - 1) // stride + 1
            for size, less, stride in zip(spatial, taken, self.strides)
        ]
        if any(size is not None and size < 1 for size in sizes):
            smallest = tuple(less + 1 for less in taken)
            raise ValueError(
                "The largest kernel does not fit into the input. Received: "
                f"input_shape={tuple(input_shape)}; nearest: sizes of at "
                f"least {smallest}."
            )
        sizes.insert(
            self.rank if self._channel_axis == -1 else 0, sum(self._filters)
        )
        return (input_shape[0], *sizes)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "groups": self.groups,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "way": self.way,
            **{
                f"{variable}_{kind[:-1]}": getattr(keras, kind).serialize(
                    getattr(self, f"{variable}_{kind[:-1]}")
                )
                for variable in ("kernel", "bias")
                for kind in ("initializers", "regularizers", "constraints")
            },
            "activity_regularizer": keras.regularizers.serialize(
                self.activity_regularizer
            ),
        }


@keras.saving.register_keras_serializable(package="keras_pyconv")
class PyConv1D(PyConvND):
    """Pyramidal convolution over one axis, such as time.

    It works like `PyConv`; the kernel size of a level is one odd integer.

    Input shape:
        `(batch, steps, channels)`, or `(batch, channels, steps)` with
        `data_format="channels_first"`.

    Output shape:
        `(batch, new_steps, filters)`, or channels first.

    Example:

    >>> x = np.random.rand(4, 100, 16)
    >>> y = keras_pyconv.PyConv1D(32, kernel_size=(3, 7))(x)
    >>> print(y.shape)
    (4, 100, 32)
    """

    rank = 1


@keras.saving.register_keras_serializable(package="keras_pyconv")
class PyConv3D(PyConvND):
    """Pyramidal convolution over three axes, such as time, height and width.

    As `PyConv` in everything else; a level's kernel is one odd integer or
    three, the leading axis first: `kernel_size=((3, 3, 3), (3, 5, 5))`.

    Input shape:
        `(batch, time, height, width, channels)`, or
        `(batch, channels, time, height, width)` with
        `data_format="channels_first"`.

    Output shape:
        `(batch, new_time, new_height, new_width, filters)`, or channels first.

    Example:

    >>> x = np.random.rand(1, 8, 28, 28, 16)
    >>> y = keras_pyconv.PyConv3D(32, kernel_size=(3, (3, 5, 5)))(x)
    >>> print(y.shape)
    (1, 8, 28, 28, 32)
    """

    rank = 3


@keras.saving.register_keras_serializable(package="keras_pyconv")
class PyConv(PyConvND):
    """Pyramidal convolution over height and width.

    Reference: [Pyramidal Convolution](https://arxiv.org/abs/2006.11538),
    section 3.

    Args:
        filters: Integer, the number of output channels, split evenly among
            the levels; or one integer per level.
        kernel_size: One kernel size per level, smallest first: an odd integer,
            or a tuple with one per axis. `(3, 5)` is two levels, `((3, 5),)`
            is one. A single integer is one level.
        groups: Channel groups: one integer per level, one integer for all
            levels, or `"auto"`. The latter takes, for each level, the common
            divisor of input channels and filters that is closest to the ratio
            of its kernel's area to the smallest kernel's. For kernels of 3, 5,
            7, 9 that is 1, 2, 4, 8 if these divide the channels; the paper's
            networks use 1, 4, 8, 16.
        strides: Integer, or one per axis.
        padding: `"same"` pads `kernel // 2 * dilation_rate` zeros on both
            sides, at any stride. `"valid"` pads nothing: the outputs are the
            positions where the largest kernel fits into the input; smaller
            kernels are centered on the same positions.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for
            `keras.config.image_data_format()`.
        dilation_rate: Integer, or one per axis; combines with any stride.
        activation: Activation after the bias.
        use_bias: Whether to add one bias to the concatenated levels.
        kernel_initializer: Initializer of each level's kernel, with different
            values for each level. Fans are those of the kernel's shape,
            `(*kernel_size, channels // groups, filters)`.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of every level's kernel.
        bias_regularizer: Regularizer of the bias.
        activity_regularizer: Regularizer of the output.
        kernel_constraint: Constraint of every level's kernel.
        bias_constraint: Constraint of the bias.
        way: Algorithm for grouped levels, a name in `keras_pyconv.ops.WAYS`;
            `None` selects the fastest.

    Input shape:
        `(batch, height, width, channels)`, or
        `(batch, channels, height, width)` with
        `data_format="channels_first"`. All sizes but channels may be unknown.

    Output shape:
        `(batch, new_height, new_width, filters)`, or channels first.

    Attributes:
        levels: `(kernel_size, filters, groups)` of each level, once built.
        kernels: The kernel of each level, once built.
        bias: The bias, or `None`.
        devices: The device of each level, once built, if the layer was created
            in a `keras_pyconv.level_devices` scope; else `None`.

    Example:

    >>> x = np.random.rand(2, 56, 56, 64)
    >>> y = keras_pyconv.PyConv(64, groups=(1, 4, 8, 16), use_bias=False)(x)
    >>> print(y.shape)
    (2, 56, 56, 64)
    """

    rank = 2
