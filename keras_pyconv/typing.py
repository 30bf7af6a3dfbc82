"""The types that arguments of the package have in common.

Keras and TensorFlow have no types of their own yet: a checker takes what is
theirs, such as `keras.Model` or `Tensor`, for anything.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from keras_pyconv.arguments import PerAxis

if TYPE_CHECKING:
    import tensorflow as tf


__all__ = [
    "Array",
    "ArrayLike",
    "Batches",
    "DataFormat",
    "Identifier",
    "ImageLike",
    "PathLike",
    "PerAxis",
    "PillowImage",
    "Shape",
    "Shard",
    "Tensor",
    "TfdsBuilder",
    "Weights",
]


class PillowImage(Protocol):
    """A `PIL.Image.Image`; Pillow is optional."""

    @property
    def mode(self) -> str:
        """The kind of its pixels, such as "RGB"."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""


class Batches(Protocol):
    """What `datasets.training_*` give: a function of the first step."""

    steps_per_epoch: int
    batch_size: int
    fingerprint: dict[str, Any]

    def __call__(self, first_step: int = 0) -> "tf.data.Dataset":
        """An endless `tf.data.Dataset` that begins with that step's batch."""


class TfdsBuilder(Protocol):
    """A `tfds.core.DatasetBuilder`; TFDS is optional."""

    info: Any

    def as_dataset(self, *args: Any, **kwargs: Any) -> Any:
        """Examples of a split."""


PathLike = str | os.PathLike[str]
# A file, its bytes, or pixels.
ImageLike = PathLike | bytes | PillowImage | npt.NDArray[Any]
# What NumPy makes an array of.
ArrayLike = npt.ArrayLike
Array = np.ndarray
# Of TensorFlow, or a place in a Keras model.
Tensor = Any
# Without the batch; None where it is open.
Shape = Sequence[int | None]
DataFormat = Literal["channels_last", "channels_first"]
# By what Keras finds activations, initializers, regularizers and constraints.
Identifier = str | Mapping[str, Any] | Callable[..., Any]
# The name of a published set, or the path of a file.
Weights = PathLike
# A machine's number, and how many there are.
Shard = tuple[int, int]
