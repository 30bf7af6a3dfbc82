"""Any Keras model, optimizer and execution goes on as it was."""

import os
import signal

import keras
import numpy as np
import pytest

from keras_pyconv import datasets, training
from keras_pyconv.runs import checkpoints
from tests.training import on_two_devices, small


class _Die(keras.callbacks.Callback):
    """Kills this process before its third step."""

    def on_train_batch_begin(self, batch, logs=None):
        if self.model.optimizer.iterations.numpy() == 3:
            os.kill(os.getpid(), signal.SIGKILL)


def _resnet50(folder, dies):
    """Keras's network, by the five lines of the page on training."""
    import tensorflow as tf

    rng = np.random.default_rng(1)
    images = rng.random((10, 32, 32, 3)).astype("float32")
    labels = rng.integers(0, 4, 10)
    keras.utils.set_random_seed(1)
    model = keras.applications.ResNet50(
        weights=None, input_shape=(32, 32, 3), classes=4
    )
    model.compile(
        "adam", "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    callbacks = [_Die()] if dies else []
    callbacks.append(keras.callbacks.EarlyStopping("val_loss", patience=9))

    batches = datasets.training_stream(
        lambda epoch: tf.data.Dataset.from_tensor_slices((images, labels)),
        count=10,
        prepare=lambda example, seed: example,
        batch_size=5,
        seed=1,
    )
    with training.Run(folder, model, batches, epochs=2) as run:
        model.fit(
            **run.fit_arguments,
            validation_data=(images, labels),
            callbacks=run.callbacks(callbacks),
        )


def _ended(process):
    process.join(600)
    return process.exitcode


@pytest.mark.slow
def test_a_network_of_keras_is_killed_and_goes_on(start, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert _ended(start(_resnet50, whole, False)) == 0
    assert _ended(start(_resnet50, broken, True)) == -signal.SIGKILL
    assert checkpoints.latest(broken / "checkpoints")[1]["step"] == 2
    assert _ended(start(_resnet50, broken, False)) == 0
    (_, wanted), (_, found) = (
        checkpoints.latest(folder / "checkpoints") for folder in (whole, broken)
    )
    for name in wanted.keys() - {"made"}:
        np.testing.assert_equal(found[name], wanted[name])


OPTIMIZERS = {
    "adamw": lambda: keras.optimizers.AdamW(0.01),
    "adam with a moving average": lambda: keras.optimizers.Adam(
        0.01, use_ema=True
    ),
    "lamb": lambda: keras.optimizers.Lamb(0.01),
    "several": on_two_devices.several,
    "one that accumulates": lambda: keras.optimizers.SGD(
        0.1, momentum=0.9, gradient_accumulation_steps=3
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_any_optimizer_goes_on(name, tmp_path):
    def run(folder, **options):
        trained = small.model(optimizer=OPTIMIZERS[name]())
        return small.run(folder, trained, evaluate=None, **options)

    whole, history = run(tmp_path / "whole")
    run(tmp_path / "broken", stop_after_steps=6)
    broken, again = run(tmp_path / "broken")
    small.assert_same(broken, whole)
    assert again == history


def test_several_steps_in_one_execution_go_on(tmp_path):
    def run(folder, **options):
        trained = small.model(steps_per_execution=2)
        fit = {"validation_data": small.batches(100).take(2)}
        return small.run(folder, trained, evaluate=None, fit=fit, **options)

    whole, history = run(tmp_path / "whole")
    # It stops at the end of the execution.
    run(tmp_path / "broken", stop_after_steps=5)
    names = [p.name for p in checkpoints.found(tmp_path / "broken/checkpoints")]
    assert names[0] == "step-000000006.npz"
    broken, again = run(tmp_path / "broken")
    small.assert_same(broken, whole)
    assert again == history
    one, rows = small.run(
        tmp_path / "one",
        evaluate=None,
        fit={"validation_data": small.batches(100).take(2)},
    )
    small.assert_same(one, whole)
    assert [row["val_loss"] for row in rows] == [r["val_loss"] for r in history]


def test_an_epoch_of_half_executions_is_refused(tmp_path):
    with pytest.raises(ValueError, match="steps_per_execution=3"):
        small.run(tmp_path, small.model(steps_per_execution=3))


def test_the_step_is_traced_once(tmp_path):
    traces = []

    class Traced(keras.layers.Layer):
        def call(self, x, training=False):
            if training and not isinstance(x, keras.KerasTensor):
                traces.append(x)
            return x

    inputs = keras.Input((6, 6, 3))
    x = Traced()(keras.layers.Flatten()(inputs))
    trained = keras.Model(inputs, keras.layers.Dense(2)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained.compile(keras.optimizers.Adam(), loss, metrics=["accuracy"])
    small.run(tmp_path, trained, evaluate=None, stop_after_steps=6)
    # Once on symbols, which makes the variables, and once for the graph.
    assert len(traces) == 2
