"""The video networks on Keras, through `predict_on_batch` and training.

Both calls return NumPy arrays and so end when the work has ended. The clips
are in memory.
"""

import keras
import numpy as np

from keras_pyconv.models.video import build_video_classifier

CLASSES = 400


def steps(case):
    """One inference and one training step, by name.

    Args:
        case: A `benchmarks.plan.Case`.
    """
    if case.precision == "bf16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    keras.utils.set_random_seed(1)
    shape = (case.frames, case.side, case.side, 3)
    model = build_video_classifier(
        case.subject, input_shape=shape, classes=CLASSES
    )
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        "sparse_categorical_crossentropy",
    )
    random = np.random.default_rng(1)
    clips = keras.ops.convert_to_tensor(
        random.normal(size=(case.batch, *shape)).astype("float32")
    )
    labels = random.integers(CLASSES, size=case.batch)
    return {
        "inference": lambda: model.predict_on_batch(clips),
        "training": lambda: model.train_on_batch(clips, labels),
    }
