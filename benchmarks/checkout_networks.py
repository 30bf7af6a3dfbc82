"""Networks of a checkout, this one or the one that the environment names."""

import dataclasses
import os
import sys

from benchmarks.plan import OTHER_CHECKOUT, WHOLE


def _short(architecture):
    if os.environ.get(WHOLE):
        return architecture
    stages = [
        dataclasses.replace(stage, blocks=min(stage.blocks, 2))
        for stage in architecture.stages
    ]
    return dataclasses.replace(architecture, stages=tuple(stages))


def _model(case):
    import keras_pyconv
    from keras_pyconv import architectures

    if case.subject == "PyConvSSD-50":
        backbone = architectures.get_architecture("PyConvResNet50")
        return keras_pyconv.PyConvSSD(_short(backbone))
    shape = (case.side, case.side, 3)
    if case.frames > 1:
        video = architectures.get_video_architecture(case.subject)
        video = dataclasses.replace(video, base=_short(video.base))
        return keras_pyconv.build_video_classifier(
            video, input_shape=(case.frames, *shape), classes=400
        )
    record = _short(architectures.get_architecture(case.subject))
    return keras_pyconv.build_classifier(record, input_shape=shape)


def steps(case):
    """One step of each measure, by name."""
    if case.contender == "other":
        sys.path.insert(0, os.environ[OTHER_CHECKOUT])
    import keras
    import tensorflow as tf

    if case.precision == "bf16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    keras.utils.set_random_seed(1)
    model = _model(case)
    shape = (case.batch, *model.input_shape[1:])
    images = tf.random.stateless_normal(shape, (1, 2))
    optimizer = keras.optimizers.SGD(1e-6)
    optimizer.build(model.trainable_variables)

    @tf.function
    def train():
        with tf.GradientTape() as tape:
            outputs = keras.tree.flatten(model(images, training=True))
            loss = sum(
                tf.reduce_mean(tf.cast(output, "float32") ** 2)
                for output in outputs
            )
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]))
        return loss

    return {
        "inference": lambda: model.predict_on_batch(images),
        "training": lambda: train().numpy(),
    }
