"""The cost of single layers as arithmetic, two ways of counting at once.

`multiply_adds` are the products of convolutions and dense layers, each with
its addition as one. `paper_ops` is the count behind the GFLOPs that the paper
prints: the tool thop (pytorch-OpCounter) as of April to July 2019. It also
counts normalization, activation and pooling, and multiplies the bias of a
convolution by the input channels, so that a biased 1x1 counts double.
"""

from dataclasses import dataclass
from math import prod

from keras_pyconv.arguments import MOST, PerAxis, flag, integer, integers


@dataclass(frozen=True)
class Cost:
    """Scalars to store and operations to run; costs add up with `+`.

    Attributes:
        parameters: trainable scalars, which is what the paper counts.
        non_trainable: moving means and variances of batch normalization.
        multiply_adds: of convolutions and dense layers alone, for one input.
        paper_ops: for one input, by the paper's convention.
    """

    parameters: int = 0
    non_trainable: int = 0
    multiply_adds: int = 0
    paper_ops: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.parameters + other.parameters,
            self.non_trainable + other.non_trainable,
            self.multiply_adds + other.multiply_adds,
            self.paper_ops + other.paper_ops,
        )

    @property
    def total_parameters(self) -> int:
        """What `count_params()` of a Keras model says."""
        return self.parameters + self.non_trainable


def output_size(size: int, kernel: int, stride: int, padding: str) -> int:
    """Positions along one axis after a convolution or a pooling."""
    if padding not in ("same", "valid"):
        raise ValueError(
            "`padding` must be 'same' or 'valid'. Received: "
            f"padding={padding!r}"
        )
    reach = kernel - 1 if padding == "valid" else 0
    if size <= reach:
        raise ValueError(
            f"A {padding} window of {kernel} does not fit on {size} positions"
        )
    return (size - reach - 1) // stride + 1


def conv_cost(
    channels: int,
    filters: int,
    kernel: tuple[int, ...],
    positions: int,
    groups: int = 1,
    use_bias: bool = False,
) -> Cost:
    """A convolution of any rank.

    thop: output elements x input channels per group x (kernel elements, plus
    one if there is a bias).

    Args:
        kernel: the kernel's size along each axis; its length is the rank.
        positions: spatial positions of the output, as height x width.

    Raises:
        ValueError: if `groups` does not divide the channels and the filters.
    """
    integer("channels", channels)
    integer("filters", filters)
    integers("kernel", kernel)
    integer("positions", positions, at_most=MOST**3)
    integer("groups", groups)
    flag("use_bias", use_bias)
    if channels % groups or filters % groups:
        raise ValueError(
            f"groups={groups} must divide the {channels} input channels and "
            f"the {filters} filters"
        )
    depth = channels // groups
    weights = filters * depth * prod(kernel)
    bias = filters if use_bias else 0
    return Cost(
        parameters=weights + bias,
        multiply_adds=weights * positions,
        paper_ops=(weights + bias * depth) * positions,
    )


def pyconv_cost(
    channels: int,
    filters: tuple[int, ...],
    kernels: tuple[int, ...],
    groups: tuple[int, ...],
    positions: int,
    rank: int = 2,
) -> tuple[Cost, ...]:
    """A bare pyramid, level by level: equation (1) of the paper.

    Level i holds K_i^2 x FM_i / G_i x FM_oi weights, each used once at every
    output position. `sum(levels, Cost())` is the whole pyramid.

    Args:
        channels: that enter every level (FM_i).
        filters: of each level (FM_o1, ..., FM_on).
        kernels: side of each level's kernel (K_1, ..., K_n).
        groups: of each level (G_1, ..., G_n).
        positions: spatial positions of the output (W x H).
        rank: number of spatial axes.

    Raises:
        ValueError: if the lists differ in length, or a group count does not
            divide the channels and the level's filters.
    """
    integers("filters", filters)
    integers("kernels", kernels)
    integers("groups", groups)
    integer("rank", rank, at_most=3)
    if not len(filters) == len(kernels) == len(groups):
        raise ValueError(
            "A pyramid needs one entry a level in each list; got "
            f"filters={filters}, kernels={kernels}, groups={groups}"
        )
    return tuple(
        conv_cost(channels, level_filters, (side,) * rank, positions, count)
        for level_filters, side, count in zip(filters, kernels, groups)
    )


def dense_cost(inputs: int, outputs: int, use_bias: bool = True) -> Cost:
    """A dense layer. thop: (2 x inputs - 1) x outputs, bias or not."""
    weights = inputs * outputs
    parameters = weights + (outputs if use_bias else 0)
    return Cost(parameters, 0, weights, (2 * inputs - 1) * outputs)


def batch_norm_cost(channels: int, positions: int) -> Cost:
    """Batch normalization. thop: 4 x elements."""
    return Cost(2 * channels, 2 * channels, 0, 4 * channels * positions)


def relu_cost(elements: int) -> Cost:
    """ReLU. thop: one an element, of each ReLU object's last call alone."""
    return Cost(paper_ops=elements)


def max_pool_cost(elements: int, window: PerAxis) -> Cost:
    """Max pooling. thop: output elements x the window as it was written."""
    return Cost(paper_ops=elements * _as_written(window))


def average_pool_cost(elements: int, window: PerAxis) -> Cost:
    """Average pooling. thop: output elements x (window as written + 1)."""
    return Cost(paper_ops=elements * (_as_written(window) + 1))


def adaptive_pool_cost(
    channels: int, sizes: tuple[int, ...], outputs: tuple[int, ...]
) -> Cost:
    """Average pooling along each axis. thop: windows of sizes // outputs."""
    window = tuple(size // output for size, output in zip(sizes, outputs))
    return average_pool_cost(channels * prod(outputs), window)


def _as_written(window):
    # The number 3 counts 3, and (3, 3) counts 9.
    return window if isinstance(window, int) else prod(window)
