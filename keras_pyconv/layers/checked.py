"""What layers check before Keras looks at it: their format, their inputs."""

from typing import Any

import keras

from keras_pyconv import arguments
from keras_pyconv.typing import Tensor


def checked_format(data_format) -> str:
    """`data_format`, or Keras's where it is None."""
    if data_format is None:
        return keras.config.image_data_format()
    return arguments.one_of("data_format", data_format, arguments.DATA_FORMATS)


def _is_input(value):
    """Whether a value is a tensor of numbers, or can be made one."""
    if isinstance(value, (list, tuple)):
        return bool(value) and all(map(_is_input, value))
    if isinstance(value, (int, float)):
        return True
    return arguments.is_tensor(value)


class CheckedCall:
    """A layer that refuses inputs that are no tensor, or of another rank."""

    rank: int | None = None  # of the spatial axes; None for any

    def __call__(self, inputs: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if not _is_input(inputs):
            arguments.refuse("inputs", inputs, "a tensor of numbers", TypeError)
        rank = len(getattr(inputs, "shape", ()))
        if self.rank is not None and rank != self.rank + 2:
            raise ValueError(
                f"{type(self).__name__} takes inputs of rank {self.rank + 2}. "
                f"Received: inputs={arguments.shown(inputs)}"
            )
        call = super().__call__  # type: ignore[misc]
        return call(inputs, *args, **kwargs)
