"""The video networks on Keras, measured as the networks of images are."""

from benchmarks.keras_networks import measured
from keras_pyconv.models.video import build_video_classifier

CLASSES = 400


def steps(case):
    """The steps of a network of clips, for `benchmarks.worker`."""
    shape = (case.frames, case.side, case.side, 3)

    def build():
        return build_video_classifier(
            case.subject, input_shape=shape, classes=CLASSES
        )

    return measured(case, build, shape, CLASSES)
