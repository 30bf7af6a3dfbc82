"""The networks of recipes, by their settings."""

from .lazy import keras_pyconv


def make_classifier(settings, classes):
    """The classifier of the settings with the authors' initialization."""
    side, several = settings.data.side, getattr(settings.data, "multi_label", 0)
    return keras_pyconv.build_classifier(
        settings.variant,
        classes=classes,
        input_shape=(side, side, 3),
        classifier_activation="sigmoid" if several else "softmax",
        name=settings.variant,
    )


def segmenter(network):
    """The record of a segmentation network: the paper's, or a narrower one."""
    return keras_pyconv.architectures.make_segmenter(
        network.backbone,
        network.head,
        network.output_stride,
        head_width=network.head_width,
    )


def detector(settings):
    """The record of a detector; small ones for `--smoke`."""
    head, backbone = settings.network.head, settings.network.backbone
    if backbone is None:
        backbone_of = keras_pyconv.architectures.detection.backbone_of
        backbone = backbone_of(head, settings.run.smoke)
    return keras_pyconv.architectures.get_detector(head, backbone)


def make_detector(settings, classes, **weights):
    """A detector; `weights` are those of the whole or of its backbone."""
    record, side = detector(settings), settings.network.side
    return keras_pyconv.build_detector(
        record,
        input_shape=(side, side, 3),
        classes=classes + 1,  # and the background
        name=f"{settings.network.head}-{record.backbone.name}",
        **weights,
    )
