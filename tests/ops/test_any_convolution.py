"""Convolutions drawn at random equal the loop in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.ops import grouped_conv
from tests.ops import grid
from tests.reference.numpy_conv import numpy_conv

DRAWS = 40


def draw(seed):
    """Arrays and options of a convolution, small but otherwise any."""
    random = np.random.default_rng(seed)
    rank = int(random.integers(1, 4))
    groups = int(random.choice([1, 2, 3, 4, 8]))
    taps = tuple(2 * random.integers(0, 4, rank) + 1)
    sizes = tuple(random.integers(1, 10, rank))
    channels = groups * int(random.integers(1, 5))
    filters = groups * int(random.integers(1, 5))
    options = {
        "strides": tuple(map(int, random.integers(1, 4, rank))),
        "dilation_rate": int(random.choice([1, 1, 2])),
        "groups": groups,
    }
    shape = int(random.integers(1, 4)), *sizes, channels
    kernel = random.normal(size=(*taps, channels // groups, filters))
    return random.normal(size=shape), kernel, options


@pytest.mark.ci
@pytest.mark.parametrize("mode", ["eager", "graph", "unknown"])
@pytest.mark.parametrize("seed", range(DRAWS))
def test_a_convolution_drawn_at_random_equals_the_loop(seed, mode):
    inputs, kernel, options = draw(seed)
    dilation = options["dilation_rate"]
    outputs, gradients = numpy_conv(
        inputs,
        kernel,
        strides=options["strides"],
        pads=tuple(size // 2 * dilation for size in kernel.shape[:-2]),
        dilations=(dilation,) * (inputs.ndim - 2),
        groups=options["groups"],
    )
    upstream = np.random.default_rng(seed).normal(size=outputs.shape)
    wanted = outputs, *gradients(upstream)
    arrays = [tf.constant(a, "float32") for a in (inputs, kernel, upstream)]
    for choice in list(grid.CHOICES.values())[seed % 2 :: 2]:
        got = grid.run(arrays, mode, **choice, **options)
        assert [tuple(a.shape) for a in got] == [a.shape for a in wanted]
        for a, b in zip(got, wanted):
            atol = 1e-5 * max(1.0, np.abs(b).max())
            np.testing.assert_allclose(a, b, atol=atol, rtol=1e-4)
        outputs = grouped_conv(arrays[0][:0], arrays[1], **choice, **options)
        assert outputs.shape == (0, *wanted[0].shape[1:])
