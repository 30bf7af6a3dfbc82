"""Joins what the maps of a detector predict into one row a default box.

Boxes of one position stand side by side, positions row by row, map after map;
other code bases have the boxes before the positions.
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_pyconv")
class JoinBoxMaps(keras.layers.Layer):
    """From maps `(batch, rows, columns, boxes * width)` to one list of boxes.

    A box has `width` numbers, 4 or those of the classes. `box_maps` are the
    fields of `architectures.BoxMap` for images of side `input_size`; they
    travel with a saved model.
    """

    def __init__(self, width, box_maps, input_size, data_format=None, **kwargs):
        # Offsets and logits stay float32 under a mixed policy.
        kwargs.setdefault("dtype", keras.config.dtype_policy().variable_dtype)
        super().__init__(**kwargs)
        self.width = int(width)
        # JSON knows lists only.
        self.box_maps = tuple(
            (*row[:3], tuple(row[3]), *row[4:]) for row in box_maps
        )
        self.input_size = int(input_size)
        self.data_format = data_format or keras.config.image_data_format()

    def call(self, inputs):
        if self.data_format == "channels_first":
            inputs = [ops.transpose(x, (0, 2, 3, 1)) for x in inputs]
        boxes = [ops.reshape(x, self._shape(x)) for x in inputs]
        return ops.concatenate(boxes, axis=1)

    def _shape(self, x):
        """Names the boxes where they are known, else the batch."""
        _, rows, columns, channels = x.shape
        each = channels // self.width
        if rows is None or columns is None:
            # Not -1, which an empty batch leaves open.
            batch, rows, columns, _ = ops.shape(x)
            return (batch, rows * columns * each, self.width)
        return (-1, rows * columns * each, self.width)

    def compute_output_shape(self, input_shapes):
        axes = (1, 2, 3) if self.data_format == "channels_last" else (2, 3, 1)
        boxes = 0
        for shape in input_shapes:
            rows, columns, channels = (shape[axis] for axis in axes)
            if rows is None or columns is None:
                return (shape[0], None, self.width)
            boxes += rows * columns * (channels // self.width)
        return (input_shapes[0][0], boxes, self.width)

    def get_config(self):
        return {
            **super().get_config(),
            "width": self.width,
            "box_maps": self.box_maps,
            "input_size": self.input_size,
            "data_format": self.data_format,
        }
