"""One of several machines that train the small model; a process of its own."""

import json
import os
import signal

import keras

from keras_pyconv import tasks, training
from tests.training import small

CLASS_WEIGHTS = {"class_weight": {0: 0.25, 1: 2.0}}


class _DiesValidating(keras.callbacks.Callback):
    """Kills this process in the validation of the second epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.is_second = epoch == 1

    def on_test_batch_end(self, batch, logs=None):
        if self.is_second:
            os.kill(os.getpid(), signal.SIGKILL)


def train(folder, place, seconds_a_step, dies=False):
    """Trains as the machine of that place; says what it says in a file."""
    output = os.open(
        folder / f"output-{place['task']['index']}.txt",
        os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    )
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ["TF_CONFIG"] = json.dumps(place)
    strategy = training.make_strategy("multi_worker")
    index, machines = training.shard(strategy)
    size = small.BATCH // machines
    part = slice(index * size, (index + 1) * size)

    def batches(first_step):
        return small.batches(first_step, part=part, wait=seconds_a_step)

    small.run(
        folder,
        small.model(
            strategy,
            dropout=0.0,
            synchronized=True,
            weighted_metrics=lambda: [tasks.TopKError(1)],
        ),
        [training.WeightAverage(0.9), *[_DiesValidating()] * dies],
        batches=batches,
        save_every_steps=1,
        fit={
            "validation_data": training.validation_data(
                small.held_out, 4, strategy
            )
        },
    )
    weighted = small.model(strategy, dropout=0.0, synchronized=True)
    small.run(folder / "weighted", weighted, batches=batches, fit=CLASS_WEIGHTS)
