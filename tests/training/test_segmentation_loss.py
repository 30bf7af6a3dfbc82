"""The loss on two devices is the mean over the pixels of both."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
# The first device's pictures are nearly all ignored, the other's are not.
ON_TWO = """
import keras, numpy as np
from keras_pyconv import training
from keras_pyconv.tasks.segmentation import SegmentationLoss

rng = np.random.default_rng(1)
images = rng.normal(size=(4, 8, 8, 3)).astype("float32")
labels = rng.integers(0, 3, (4, 8, 8)).astype("uint8")
labels[:2, 1:] = 255

def trained(strategy):
    with strategy.scope():
        keras.utils.set_random_seed(3)
        inputs = keras.Input((8, 8, 3))
        logits = keras.layers.Conv2D(3, 3, padding="same")(inputs)
        model = keras.Model(inputs, logits)
        model.compile(keras.optimizers.SGD(1.0), SegmentationLoss())
    logs = model.fit(images, labels, batch_size=4, epochs=1, verbose=0)
    return logs.history["loss"][0], model.get_weights()

two = trained(training.make_strategy("mirrored", 2))
one = trained(training.make_strategy("one"))
np.testing.assert_allclose(two[0], one[0], rtol=1e-5)
for a, b in zip(two[1], one[1]):
    np.testing.assert_allclose(a, b, atol=1e-5)
print("the same")
"""


@pytest.mark.slow
def test_two_devices_take_the_step_of_one():
    done = subprocess.run(
        [sys.executable, "-c", ON_TWO],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.stdout.strip() == "the same", done.stderr[-2000:]
