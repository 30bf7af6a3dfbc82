"""What turns a classifier's scores into names, and images into its input."""

from keras_pyconv.tasks.classification.imagenet import (
    IMAGENET_CLASSES,
    PREPROCESSING,
    decode_predictions,
    preprocess_input,
    preprocessing_of,
)
from keras_pyconv.tasks.classification.predict import Classification, classify
