"""What a description of a network asks of its reader.

A description is a function whose first argument, `net`, has the methods below,
one a kind of layer. What a layer becomes is the reader's: a Keras layer
(`models`), a cost (`complexity`), a module of PyTorch (`parity`); and so is
what stands for a feature map, `x` here. Sizes such as kernels are one number
for all axes, or one an axis. Padding "same" is half the kernel on both sides.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from keras_pyconv.arguments import PerAxis


class Net(ABC):
    """A reader of descriptions, over images (rank 2) or clips (rank 3)."""

    rank = 2

    @abstractmethod
    def channels(self, x) -> int:
        """Channels of a feature map."""

    @abstractmethod
    def conv(
        self,
        x,
        filters,
        kernels=(1,),
        groups=1,
        strides=1,
        dilation=1,
        *,
        name,
        padding="same",
        use_bias=False,
        start="kaiming",
        precise=False,
    ):
        """Convolution of one or more levels over the whole of `x`.

        Filters and kernels are of each level. Weights `start` "kaiming" (by
        the fan out), "uniform" (by the fan in, as PyTorch's) or "xavier".
        `precise` outputs stay in the precision of the variables.
        """

    @abstractmethod
    def norm(self, x, *, name, epsilon=1e-5, start=1.0):
        """Batch normalization, momentum 0.9; `start` is of the scale."""

    @abstractmethod
    def relu(self, x, *, name, shared=False):
        """ReLU; `shared` says that a later call of its object counts.

        The paper counts the last call, and a block of the authors has one.
        """

    @abstractmethod
    def add(self, shortcut, x, *, name):
        """The sum at the end of a residual block."""

    @abstractmethod
    def scale(self, x, factor, *, name):
        """Multiplication by a constant."""

    @abstractmethod
    def concat(self, maps, *, name):
        """Maps side by side, on channels."""

    @abstractmethod
    def max_pool(self, x, window, strides, *, name, padding="same"):
        """Max pooling; write the window as the authors write it."""

    @abstractmethod
    def average_pool(self, x, window, *, name):
        """Averages over the positions inside the map, at stride 1."""

    @abstractmethod
    def adaptive_pool(self, x, bins, *, name):
        """Averages over so many bins along each axis."""

    @abstractmethod
    def global_pool(self, x, *, name, adaptive=True):
        """Averages over all positions; `adaptive` if that is how it counts."""

    @abstractmethod
    def resize(self, x, like, *, name, precise=False):
        """Bilinear resizing to the size of `like`, corners kept in place."""

    @abstractmethod
    def dropout(self, x, rate, *, name, of_channels=False):
        """Dropout of numbers or of whole channels; none at a rate of 0."""

    @abstractmethod
    def dense(self, x, units, *, name, activation=None, use_bias=True):
        """Linear layer; readers other than Keras's give it no activation."""

    @abstractmethod
    def gate(self, x, weights, *, name):
        """Each channel of `x` times the sigmoid of its number in `weights`."""

    @abstractmethod
    def attend(self, queries, keys, values, *, name):
        """At each position of `queries`, a mean of `values`, by the keys."""

    @abstractmethod
    def join_boxes(self, maps, width, detector, *, name):
        """Predictions of all maps, `width` numbers for each default box."""

    def axes(self, size: PerAxis) -> tuple[int, ...]:
        """A size along each axis."""
        return (size,) * self.rank if isinstance(size, int) else tuple(size)

    def levels(
        self, filters: PerAxis, kernels: Sequence[PerAxis], groups: PerAxis
    ) -> list[tuple]:
        """(kernel along each axis, filters, groups) of each level."""
        count = len(kernels)
        filters = (filters,) if isinstance(filters, int) else filters
        groups = (groups,) * count if isinstance(groups, int) else groups
        return list(zip(map(self.axes, kernels), filters, groups, strict=True))

    def part(self, x, name):
        """Names what was made since the last part; gives its output, `x`."""
        return x


def conv(net, x, *sizes, name, **options):
    """Convolution, named by the number of its levels; `sizes` as `Net.conv`."""
    kind = "pyconv" if sizes[1:] and len(sizes[1]) > 1 else "conv"
    return net.conv(x, *sizes, name=f"{name}_{kind}", **options)


def conv_norm(net, x, *sizes, name, epsilon=1e-5, **options):
    """Convolution and normalization; arguments as `conv`."""
    x = conv(net, x, *sizes, name=name, **options)
    return net.norm(x, name=f"{name}_bn", epsilon=epsilon)


def unit(net, x, *sizes, name, shared=False, **options):
    """Convolution, normalization, ReLU; arguments as `conv`."""
    x = conv_norm(net, x, *sizes, name=name, **options)
    return net.relu(x, name=f"{name}_relu", shared=shared)
