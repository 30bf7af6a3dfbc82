"""Batch normalization by TensorFlow's fused kernel, with unbiased variance.

Keras's separate operations cost a PyConv network a sixth of a training step.
"""

import math
from typing import Any

import keras
from keras import ops

from keras_pyconv.arguments import MOST, flag, integer, number, told_options
from keras_pyconv.layers.checked import CheckedCall
from keras_pyconv.layers.targeted import Targeted
from keras_pyconv.lazy import tf
from keras_pyconv.ops.fold import can_fold, rescale_channels
from keras_pyconv.ops.graph import on_tensorflow
from keras_pyconv.ops.target import TARGETS
from keras_pyconv.ops.uncut import cut_numbers, uncut, whole_numbers

_FUSED_DTYPES = ("float16", "bfloat16", "float32")


def scale_and_shift(norm, numbers):
    """A normalization at inference as `inputs * scale + shift`.

    `numbers` gives those of a variable, in the precision to compute with.
    """
    scale = (numbers(norm.moving_variance) + norm.epsilon) ** -0.5
    if norm.scale:
        scale = scale * numbers(norm.gamma)
    shift = -numbers(norm.moving_mean) * scale
    if norm.center:
        shift = shift + numbers(norm.beta)
    return scale, shift


def _in_float32(variable):
    return tf.cast(variable, "float32")


def _image_shape(shape, channels_last):
    """The shape of any rank as the kernel wants it, which is four axes."""
    if len(shape) == 4:
        return shape
    if channels_last:
        return shape[0], math.prod(shape[1:-1]), 1, shape[-1]
    return shape[0], shape[1], math.prod(shape[2:]), 1


@keras.saving.register_keras_serializable(package="keras_pyconv")
class FusedBatchNormalization(
    CheckedCall, Targeted, keras.layers.BatchNormalization
):
    """`keras.layers.BatchNormalization`, faster on TensorFlow.

    Arguments, variables and their order are those of the Keras layer, so
    that `set_weights(stock.get_weights())` takes over its weights, and
    `trainable = False` means inference, as there. The moving variance follows
    the unbiased one of the batch, as in PyTorch: n / (n - 1) times the one
    that normalizes it.

    The fused kernel takes float16, bfloat16 and float32, and channels in the
    last axis or in axis 1. At inference on a CPU, float32 becomes a scale and
    a shift, which a graph moves into the convolution before, and so does
    bfloat16 where there is one, and arithmetic for it. All else
    (float64, masks in training, statistics synchronized over replicas, other
    backends) is computed in separate operations to the same result, and
    `renorm=True` by Keras itself.

    Args:
        axis: Of the channels.
        momentum: Of the moving statistics, in [0, 1]; the paper's networks
            have 0.9.
        epsilon: Added to the variance; the paper's networks have 1e-5.
        center: Whether to add `beta`.
        scale: Whether to multiply by `gamma`.
        **kwargs: The others of `keras.layers.BatchNormalization`.

    Input shape:
        Any, with known channels.

    Output shape:
        The input's.

    Example:

    >>> x = np.random.rand(2, 56, 56, 64)
    >>> layer = keras_pyconv.FusedBatchNormalization(momentum=0.9, epsilon=1e-5)
    >>> y = layer(x, training=True)
    >>> print(y.shape)
    (2, 56, 56, 64)
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        **kwargs: Any,
    ):
        integer("axis", axis, -MOST)
        number("momentum", momentum, 0, 1)
        number("epsilon", epsilon, 0)
        flags = flag("center", center), flag("scale", scale)
        given = (axis, momentum, epsilon, *flags)
        with told_options(kwargs) as options:
            super().__init__(*given, **options)

    def call(self, inputs, training=None, mask=None):
        if self.renorm:
            return super().call(inputs, training=training, mask=mask)
        # As in Keras, frozen means inference.
        if not (training and self.trainable):
            outputs = uncut(self._at_inference, inputs)
            return ops.cast(outputs, self.compute_dtype)
        inputs = whole_numbers(inputs, TARGETS[self.target])
        outputs, mean, variance = self._normalized(inputs, True, mask)
        self._follow(self.moving_mean, mean)
        self._follow(self.moving_variance, variance)
        return cut_numbers(outputs, self.compute_dtype)

    def _at_inference(self, inputs):
        if self._can_scale(inputs):
            numbers = scale_and_shift(self, _in_float32)
            return rescale_channels(inputs, *numbers)
        inputs = whole_numbers(inputs, TARGETS[self.target])
        return self._normalized(inputs, False, None)[0]

    def _normalized(self, inputs, training, mask):
        """Outputs, and the mean and unbiased variance that made them."""
        fused = self._can_fuse(inputs, training, mask)
        compute = self._fused if fused else self._unfused
        return compute(inputs, training, mask)

    def _follow(self, average, value):
        average.assign(
            ops.cast(average, value.dtype) * self.momentum
            + value * (1.0 - self.momentum)
        )

    def _is_shared(self):
        """Whether several replicas compute the statistics of one batch."""
        # Building inside a strategy's scope traces outside of any replica.
        return (
            self.synchronized
            and not tf.distribute.in_cross_replica_context()
            and tf.distribute.get_strategy().num_replicas_in_sync > 1
        )

    def _can_scale(self, inputs):
        """Whether the convolution before may take a scale and a shift."""
        # Elsewhere the fused kernel is faster. Here TensorFlow would fuse it
        # with that convolution, and oneDNN computes the two of a single image
        # without vectors.
        rank, target = len(inputs.shape), TARGETS[self.target]
        return (
            on_tensorflow()
            and (inputs.dtype == "float32" or self._is_folded_half(inputs))
            and not target.on_gpu(inputs)
            and 1 < rank < 6
            and self.axis % rank == rank - 1
        )

    def _is_folded_half(self, inputs):
        """Whether it is bfloat16 that a convolution takes in."""
        lacks = TARGETS[self.target].lacks_arithmetic
        is_half = inputs.dtype == "bfloat16" and not lacks(inputs)
        return is_half and can_fold(inputs)

    def _can_fuse(self, inputs, training, mask):
        if not on_tensorflow():
            return False
        if training and (mask is not None or self._is_shared()):
            return False
        rank = len(inputs.shape)
        return (
            inputs.dtype.name in _FUSED_DTYPES
            and rank > 1
            and self.axis % rank in (1, rank - 1)
        )

    def _fused(self, inputs, training, mask):
        del mask  # `_can_fuse` lets one through only where it has no effect.
        shape = ops.shape(inputs)
        last = self.axis % len(shape) == len(shape) - 1
        mean = _in_float32(self.moving_mean)
        variance = _in_float32(self.moving_variance)
        gamma = _in_float32(self.gamma) if self.scale else None
        beta = _in_float32(self.beta) if self.center else None
        # The public function would raise an epsilon of 1e-5 to 1.001e-5. In
        # training the kernel returns the batch's mean and unbiased variance.
        outputs, *found = tf.raw_ops.FusedBatchNormV3(
            x=tf.reshape(inputs, _image_shape(shape, last)),
            scale=tf.ones_like(mean) if gamma is None else gamma,
            offset=tf.zeros_like(mean) if beta is None else beta,
            mean=mean[:0] if training else mean,
            variance=variance[:0] if training else variance,
            epsilon=self.epsilon,
            data_format="NHWC" if last else "NCHW",
            is_training=training,
        )[:3]
        if training and not inputs.shape[0]:
            # Of an empty batch both are NaN; it teaches nothing.
            is_empty = tf.equal(tf.size(inputs), 0)
            found = [
                tf.where(is_empty, before, now)
                for before, now in zip((mean, variance), found)
            ]
        return tf.reshape(outputs, shape), *found

    def _unfused(self, inputs, training, mask):
        # Half precision overflows in the squares.
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        inputs = ops.cast(inputs, dtype)
        mean = ops.cast(self.moving_mean, dtype)
        unbiased = variance = ops.cast(self.moving_variance, dtype)
        if training:
            mean, variance, unbiased, count = self._statistics(inputs, mask)
        outputs = ops.batch_normalization(
            inputs,
            mean,
            variance,
            self.axis,
            offset=ops.cast(self.beta, dtype) if self.center else None,
            scale=ops.cast(self.gamma, dtype) if self.scale else None,
            epsilon=self.epsilon,
        )
        if training:
            # Of no values at all the moving statistics learn nothing.
            before = self.moving_mean, self.moving_variance
            mean, unbiased = (
                ops.where(count > 0, now, ops.cast(was, dtype))
                for was, now in zip(before, (mean, unbiased))
            )
        return outputs, mean, unbiased

    def _statistics(self, inputs, mask):
        """Mean, variance, unbiased variance, count, over all replicas."""
        shape = ops.shape(inputs)
        axes = [i for i in range(len(shape)) if i != self.axis % len(shape)]
        kept = None
        if mask is not None:
            kept = ops.cast(ops.expand_dims(mask, -1), "bool")
            kept = ops.broadcast_to(kept, shape)

        def over_replicas(values):
            if not self._is_shared():
                return values
            replica = tf.distribute.get_replica_context()
            return replica.all_reduce("sum", values)

        def total(values):
            if kept is not None:
                values = ops.where(kept, values, 0)
            return over_replicas(ops.sum(values, axes))

        if mask is None:
            count = math.prod(shape[i] for i in axes)
            count = over_replicas(ops.cast(count, inputs.dtype))
        else:
            count = total(ops.ones_like(inputs))
        divisor = ops.maximum(count, 1)
        mean = total(inputs) / divisor
        per_channel = [-1 if i not in axes else 1 for i in range(len(shape))]
        # The gradient through this mean is zero over the whole batch.
        center = ops.reshape(ops.stop_gradient(mean), per_channel)
        squares = total(ops.square(inputs - center))
        unbiased = squares / ops.maximum(count - 1, 1)
        return mean, squares / divisor, unbiased, count
