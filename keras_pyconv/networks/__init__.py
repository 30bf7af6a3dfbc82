"""Each network once, as a function that a reader gives its meaning.

Nothing here needs TensorFlow, Keras or PyTorch.
"""

from keras_pyconv.networks.detection import COORDINATES, detector
from keras_pyconv.networks.inception import inception, inception_trunk
from keras_pyconv.networks.net import Net, conv_norm, unit
from keras_pyconv.networks.residual import classifier, top, trunk
from keras_pyconv.networks.segmentation import segmenter

__all__ = [
    "COORDINATES",
    "Net",
    "classifier",
    "conv_norm",
    "detector",
    "inception",
    "inception_trunk",
    "segmenter",
    "top",
    "trunk",
    "unit",
]
