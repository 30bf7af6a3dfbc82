"""The layer of `plan.LAYERS` as `keras_pyconv.PyConv3D`."""

import numpy as np

from benchmarks.plan import LAYER_CHANNELS, LAYERS
from keras_pyconv.layers import PyConv3D


def finished(function):
    """A function of TensorFlow that returns when a GPU has done the work."""
    import tensorflow as tf

    def step():
        function()
        tf.test.experimental.sync_devices()

    return step


def _layer(case):
    kernels, groups, filters = zip(*LAYERS[case.subject])
    layer = PyConv3D(filters, kernels, groups=groups, use_bias=False)
    shape = (case.batch, case.frames, case.side, case.side, LAYER_CHANNELS)
    layer.build(shape)
    random = np.random.default_rng(1)
    outputs = (*shape[:-1], sum(filters))
    draws = (random.normal(size=size) for size in (shape, outputs))
    return layer, *(draw.astype("float32") for draw in draws)


def steps(case):
    """The layer forward, and forward with all gradients, by name."""
    import tensorflow as tf

    layer, *drawn = _layer(case)
    inputs, slopes = map(tf.constant, drawn)

    @tf.function
    def forward():
        return layer(inputs)

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs)
        kernels = [kernel.value for kernel in layer.kernels]
        return tape.gradient(outputs, [inputs, *kernels], slopes)

    return {"forward": finished(forward), "gradients": finished(gradients)}
