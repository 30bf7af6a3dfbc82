"""Networks on Keras: ours, the same from stock layers, and ResNet-50.

Each is measured through `predict_on_batch` and `train_on_batch`, which return
NumPy arrays and so end when the work has ended. The images, or clips, are in
memory.

The stock network is read from the same
description as ours, so that only the convolution with groups, its padding and
the batch normalization differ.
"""

import keras
import numpy as np
from keras import layers

from keras_pyconv.architectures import get_architecture
from keras_pyconv.models import build_classifier, build_video_classifier
from keras_pyconv.models.keras_net import KerasNet
from keras_pyconv.networks import top, trunk

CLASSES = 1000
CLIP_CLASSES = 400


def _padded(x, kernel, strides):
    """Symmetric padding; at stride 1 it is what Keras's "same" does."""
    if strides == 1 or kernel == 1:
        return x, "same"
    return layers.ZeroPadding2D(kernel // 2)(x), "valid"


class StockNet(KerasNet):
    """Our networks of images from the layers that Keras brings along."""

    def conv(
        self, x, filters, kernels=(1,), groups=1, strides=1, *_, name, **__
    ):
        maps, levels = [], self.levels(filters, kernels, groups)
        for number, (kernel, count, divisor) in enumerate(levels, 1):
            inputs, padding = _padded(x, kernel[0], strides)
            maps.append(
                layers.Conv2D(
                    count,
                    kernel,
                    strides,
                    padding,
                    groups=divisor,
                    use_bias=False,
                    name=f"{name}_{number}" if len(levels) > 1 else name,
                )(inputs)
            )
        return self.concat(maps, name=name) if maps[1:] else maps[0]

    def norm(self, x, *, name, epsilon=1e-5, start=1.0):
        return layers.BatchNormalization(
            momentum=0.9, epsilon=epsilon, name=name
        )(x)

    def add(self, shortcut, x, *, name):
        return layers.Add(name=name)([shortcut, x])

    def max_pool(self, x, window, strides, *, name, padding="same"):
        if padding == "same":
            x, padding = _padded(x, window, strides)
        return layers.MaxPooling2D(window, strides, padding, name=name)(x)


def stock_network(architecture, side):
    """A residual network of images from `keras.layers.Conv2D(groups=...)`."""
    inputs, net = keras.Input((side, side, 3)), StockNet()
    x = trunk(net, inputs, get_architecture(architecture))[-1]
    return keras.Model(inputs, top(net, x, CLASSES, activation="softmax"))


def _ours(case):
    shape = (case.side, case.side, 3)
    return build_classifier(case.subject, input_shape=shape, classes=CLASSES)


def _resnet50(case):
    return keras.applications.ResNet50(
        weights=None, input_shape=(case.side, case.side, 3), classes=CLASSES
    )


def _clips(case):
    shape = (case.frames, case.side, case.side, 3)
    return build_video_classifier(
        case.subject, input_shape=shape, classes=CLIP_CLASSES
    )


BUILDERS = {
    "ours": _ours,
    "ours_no_onednn": _ours,
    "stock": lambda case: stock_network(case.subject, case.side),
    "resnet50": _resnet50,
}


def steps(case):
    """One inference and one training step, for `benchmarks.worker`."""
    if case.precision == "bf16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    keras.utils.set_random_seed(1)
    build = _clips if case.part == "video_network" else BUILDERS[case.contender]
    model = build(case)
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        "sparse_categorical_crossentropy",
    )
    random = np.random.default_rng(1)
    shape = (case.batch, *model.input_shape[1:])
    inputs = keras.ops.convert_to_tensor(
        random.normal(size=shape).astype("float32")
    )
    labels = random.integers(model.output_shape[-1], size=case.batch)

    def training():
        # As `keras_pyconv.training` does: TensorFlow traces a step twice that
        # makes variables.
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        return model.train_on_batch(inputs, labels)

    return {
        "inference": lambda: model.predict_on_batch(inputs),
        "training": training,
    }
