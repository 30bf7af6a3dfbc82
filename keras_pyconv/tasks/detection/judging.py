"""Runs a detector over pictures, for COCO's numbers."""

import numpy as np

from keras_pyconv import arguments
from keras_pyconv.tasks.detection.decoding import DecodeDetections
from keras_pyconv.tasks.detection.evaluation import DetectionResults
from keras_pyconv.tasks.detection.predict import to_pixels


def collect_detections(model, batches, **options) -> DetectionResults:
    """Detects in every picture of some batches.

    Args:
        model: a `PyConvSSD` or `SSD` of a fixed image size.
        batches: iterable of (images, ids, sides), such as
            `keras_pyconv.datasets.detection.evaluation_scenes` gives.
        **options: of `DecodeDetections`.

    Returns:
        The `DetectionResults`, in pixels of the pictures.
    """
    import tensorflow as tf

    arguments.iterable("batches", batches)
    layer = DecodeDetections.for_model(model, **options)
    found_in = tf.function(
        lambda images: layer(model(images, training=False)),
        reduce_retracing=True,
    )
    results = DetectionResults()
    for images, ids, sides in batches:
        found = {name: x.numpy() for name, x in found_in(images).items()}
        pairs = zip(np.asarray(ids), np.asarray(sides))
        for row, (image_id, side) in enumerate(pairs):
            count = found["count"][row]
            results.add(
                image_id,
                to_pixels(found["boxes"][row, :count], *side),
                found["labels"][row, :count],
                found["scores"][row, :count],
            )
    return results
