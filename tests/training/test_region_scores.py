"""Scores while training are those of all pixels at once."""

import functools

import numpy as np

from keras_pyconv.datasets import central_crops, mask_set
from keras_pyconv.tasks.segmentation import ConfusionMatrix
from keras_pyconv.training import RegionScores
from tests.datasets.mask_folders import write
from tests.tasks.segmentation.small import network


def test_scores_are_of_all_pixels_whatever_the_batch(tmp_path):
    masks, model = mask_set(write(tmp_path)), network(classes=150)
    metric = ConfusionMatrix(150)
    for images, labels in central_crops(masks, 33, batch_size=1):
        metric.update_state(labels, model(images))
    expected = {key: float(v) for key, v in metric.result().items()}
    batches = functools.partial(central_crops, masks, 33)
    for batch_size in (1, 2):
        found = RegionScores(batches, batch_size, 150)(model)
        assert found.keys() == expected.keys()
        for key, value in found.items():
            np.testing.assert_allclose(value, expected[key], rtol=1e-5)
