"""The networks of recipes, by their settings."""

import math


def make_classifier(settings, classes):
    """The classifier of the settings with the authors' initialization."""
    import keras_pyconv

    side = settings.data.side
    return keras_pyconv.build_classifier(
        settings.variant,
        classes=classes,
        input_shape=(side, side, 3),
        name=settings.variant,
    )


def print_trainable(model):
    """How much of a network learns."""
    learning, everything = (
        sum(math.prod(variable.shape) for variable in variables)
        for variables in (model.trainable_variables, model.variables)
    )
    print(f"{model.name}: {learning:,} of {everything:,} numbers learn.")


def make_segmenter(network):
    """The record of a segmentation network: the paper's, or a narrower one."""
    from keras_pyconv.architectures import make_segmenter

    return make_segmenter(
        network.backbone,
        network.head,
        network.output_stride,
        head_width=network.head_width,
    )


def make_detector(settings, classes, **weights):
    """A detector; `weights` are those of the whole or of its backbone."""
    import keras_pyconv

    head, side = settings.network.head, settings.network.side
    backbone = settings.network.backbone
    if backbone is None:
        family = {"PyConvSSD": "PyConvResNet", "SSD": "ResNet"}[head]
        backbone = family + ("Mini" if settings.run.smoke else "50")
    return getattr(keras_pyconv, head)(
        backbone,
        input_shape=(side, side, 3),
        classes=classes + 1,  # and the background
        name=f"{head}-{backbone}",
        **weights,
    )
