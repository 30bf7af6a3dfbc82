"""What layers check before Keras looks at it: their format, their inputs."""

import keras

from keras_pyconv.arguments import (
    DATA_FORMATS,
    is_tensor,
    one_of,
    refuse,
    shown,
)


def checked_format(data_format) -> str:
    """`data_format`, or Keras's where it is None."""
    if data_format is None:
        return keras.config.image_data_format()
    return one_of("data_format", data_format, DATA_FORMATS)


def _is_input(value):
    """Whether a value is a tensor of numbers, or can be made one."""
    if isinstance(value, (list, tuple)):
        return bool(value) and all(map(_is_input, value))
    if isinstance(value, (int, float)):
        return True
    return is_tensor(value)


class CheckedCall:
    """A layer that refuses what is no tensor, or one of another rank.

    Attributes:
        rank: the axes of the inputs beside batch and channels; None for any.
    """

    rank = None

    def __call__(self, inputs, *args, **kwargs):
        if not _is_input(inputs):
            refuse("inputs", inputs, "a tensor of numbers", TypeError)
        rank = len(getattr(inputs, "shape", ()))
        if self.rank is not None and rank != self.rank + 2:
            raise ValueError(
                f"{type(self).__name__} takes inputs of rank {self.rank + 2}. "
                f"Received: inputs={shown(inputs)}"
            )
        return super().__call__(inputs, *args, **kwargs)
