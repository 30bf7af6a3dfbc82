"""The layer of `plan.LAYERS` as `keras_pyconv.PyConv3D`."""

import keras
import numpy as np

from benchmarks.plan import LAYER_CHANNELS, LAYERS
from keras_pyconv.layers import PyConv3D


def _layer(case):
    kernels, groups, filters = zip(*LAYERS[case.subject])
    layer = PyConv3D(filters, kernels, groups=groups, use_bias=False)
    shape = (case.batch, case.frames, case.side, case.side, LAYER_CHANNELS)
    layer.build(shape)
    random = np.random.default_rng(1)
    outputs = (*shape[:-1], sum(filters))
    draws = (random.normal(size=size) for size in (shape, outputs))
    return layer, *(draw.astype("float32") for draw in draws)


def _on_tensorflow(layer, inputs, slopes):
    import tensorflow as tf

    inputs, slopes = tf.constant(inputs), tf.constant(slopes)

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs)
        kernels = [kernel.value for kernel in layer.kernels]
        return tape.gradient(outputs, [inputs, *kernels], slopes)

    # On CPU both return when the work has ended.
    return {
        "forward": tf.function(lambda: layer(inputs)),
        "gradients": gradients,
    }


def _on_jax(layer, inputs, slopes):
    import jax

    kernels = [kernel.value for kernel in layer.trainable_variables]
    inputs, slopes = jax.device_put(inputs), jax.device_put(slopes)

    @jax.jit
    def forward(inputs, kernels):
        return layer.stateless_call(kernels, [], inputs)[0]

    @jax.jit
    def gradients(inputs, kernels, slopes):
        return jax.vjp(forward, inputs, kernels)[1](slopes)

    return {
        "forward": lambda: jax.block_until_ready(forward(inputs, kernels)),
        "gradients": lambda: jax.block_until_ready(
            gradients(inputs, kernels, slopes)
        ),
    }


def steps(case):
    """The layer forward, and forward with all gradients, by name."""
    if keras.backend.backend() == "jax":
        return _on_jax(*_layer(case))
    return _on_tensorflow(*_layer(case))
