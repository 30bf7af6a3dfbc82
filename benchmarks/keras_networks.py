"""Networks on Keras: ours, the same from stock layers, and ResNet-50.

Each is measured through `predict_on_batch` and `train_on_batch`, which return
NumPy arrays and so end when the work has ended. The images are in memory.

The fact a reader would get wrong: the stock network is ours layer by layer,
from the same record, so that only the convolution with groups, its padding
and the batch normalization differ.
"""

import keras
import numpy as np

from keras_pyconv.architectures import get_architecture
from keras_pyconv.models import build_classifier

CLASSES = 1000


def _convolution(inputs, filters, kernel, stride=1, groups=1):
    """Symmetric padding; at stride 1 it is what Keras's "same" does."""
    padding = "same"
    if stride > 1 and kernel > 1:
        inputs = keras.layers.ZeroPadding2D(kernel // 2)(inputs)
        padding = "valid"
    return keras.layers.Conv2D(
        filters, kernel, stride, padding, groups=groups, use_bias=False
    )(inputs)


def _normalize(inputs, activation=True):
    outputs = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(
        inputs
    )
    return keras.layers.ReLU()(outputs) if activation else outputs


def _max_pool(inputs, stride):
    padded = keras.layers.ZeroPadding2D(1)(inputs)
    return keras.layers.MaxPooling2D(3, stride)(padded)


def _shortcut(inputs, stage, channels, stride):
    if stage.shortcut == "pool":
        pooled = _max_pool(inputs, stride)
        outputs = _convolution(pooled, channels, 1)
    else:
        outputs = _convolution(inputs, channels, 1, stride)
    return _normalize(outputs, activation=False)


def _bottleneck(inputs, stage, channels, first):
    stride = stage.stride if first else 1
    outputs = _normalize(_convolution(inputs, stage.width, 1))
    levels = [
        _convolution(outputs, filters, level.kernel, stride, level.groups)
        for level, filters in zip(stage.levels, stage.filters)
    ]
    outputs = levels[0]
    if len(levels) > 1:
        outputs = keras.layers.Concatenate()(levels)
    outputs = _convolution(_normalize(outputs), channels, 1)
    outputs = _normalize(outputs, activation=False)
    if first:
        inputs = _shortcut(inputs, stage, channels, stride)
    return keras.layers.ReLU()(keras.layers.Add()([outputs, inputs]))


def stock_network(architecture, side):
    """A network of bottlenecks from `keras.layers.Conv2D(groups=...)`.

    Args:
        architecture: A name or a record of `keras_pyconv.architectures`.
        side: Height and width of the images in pixels.
    """
    architecture = get_architecture(architecture)
    if architecture.block != "bottleneck":
        raise ValueError(
            "stock_network builds bottlenecks; "
            f"{architecture.name} has block={architecture.block!r}"
        )
    inputs = keras.Input((side, side, 3))
    outputs = _convolution(inputs, architecture.stem_width, 7, 2)
    outputs = _normalize(outputs)
    if architecture.stem_pool:
        outputs = _max_pool(outputs, 2)
    for stage, channels in zip(architecture.stages, architecture.channels):
        for block in range(stage.blocks):
            outputs = _bottleneck(outputs, stage, channels, block == 0)
    outputs = keras.layers.GlobalAveragePooling2D()(outputs)
    outputs = keras.layers.Dense(CLASSES, activation="softmax")(outputs)
    return keras.Model(inputs, outputs)


def _ours(case):
    shape = (case.side, case.side, 3)
    return build_classifier(case.subject, input_shape=shape, classes=CLASSES)


def _resnet50(case):
    return keras.applications.ResNet50(
        weights=None, input_shape=(case.side, case.side, 3), classes=CLASSES
    )


BUILDERS = {
    "ours": _ours,
    "ours_no_onednn": _ours,
    "stock": lambda case: stock_network(case.subject, case.side),
    "resnet50": _resnet50,
}


def measured(case, build, shape, classes):
    """One inference and one training step of a model, by name.

    Args:
        case: A `benchmarks.plan.Case`.
        build: Makes the model.
        shape: Of one of its inputs.
        classes: Of its outputs.
    """
    if case.precision == "bf16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    keras.utils.set_random_seed(1)
    model = build()
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        "sparse_categorical_crossentropy",
    )
    random = np.random.default_rng(1)
    inputs = keras.ops.convert_to_tensor(
        random.normal(size=(case.batch, *shape)).astype("float32")
    )
    labels = random.integers(classes, size=case.batch)

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


def steps(case):
    """The steps of a network of images, for `benchmarks.worker`."""

    def build():
        return BUILDERS[case.contender](case)

    return measured(case, build, (case.side, case.side, 3), CLASSES)
