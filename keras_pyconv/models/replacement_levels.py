"""The levels in the place of one convolution, and their padding.

The paper's choices (Table 1) for a network that is not the paper's: more
levels where maps are large, and groups that pay for the larger kernels.
"""

import math

from keras_pyconv.architectures.levels import PYRAMIDS
from keras_pyconv.complexity.cost import pyconv_cost
from keras_pyconv.layers.levels import ResolvedLevel


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
