"""What a step costs in a run of `model.fit`, beside `fit` alone.

    python -m benchmarks.training_steps

Each contender trains in a process of its own, and the processes take turns of
some steps. `alone` is Keras's `fit` without a run, `again` a second process of
the run itself: how far it differs from the first is the spread of the method.
"""

import itertools
import statistics
import tempfile
import threading

import keras
import tensorflow as tf

import keras_pyconv
from benchmarks import run
from benchmarks.plan import Patience, Suite
from benchmarks.report import middle, ratios
from keras_pyconv import training

STEPS = {"dense": 200, "PyConvResNetMini": 20}  # of a turn
FOREVER = 10**6
SIDE, BATCH, CLASSES = 64, 16, 10
SHARED = {"part": "steps", "side": SIDE, "batch": BATCH}
SUITE = Suite(
    name="training-steps",
    doc=__doc__,
    full=({**SHARED, "subject": [*STEPS]},),
    smoke=({**SHARED, "subject": "dense"},),
    patience=Patience(rounds=12, turn=0.0),
)


def _batches(first_step):
    x = tf.random.stateless_normal((BATCH, SIDE, SIDE, 3), (1, 2))
    y = tf.range(BATCH) % CLASSES
    return tf.data.Dataset.from_tensors((x, y)).repeat()


def _model(name):
    shape = (SIDE, SIDE, 3)
    if name == "dense":
        dense = keras.layers.Dense(CLASSES, "softmax")
        layers = [keras.Input(shape), keras.layers.Flatten(), dense]
        model = keras.Sequential(layers)
    else:
        model = keras_pyconv.build_classifier(
            name, classes=CLASSES, input_shape=shape
        )
    model.compile(
        training.SGD(1e-3),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def _train(case, waits):
    """Trains for ever."""
    model = _model(case.subject)
    if case.contender == "alone":
        options = {"steps_per_epoch": FOREVER, "shuffle": False, "verbose": 2}
        model.fit(_batches(0), callbacks=[waits], **options)
        return
    options = {"epochs": 1, "steps_per_epoch": FOREVER}
    with tempfile.TemporaryDirectory() as folder:
        with training.Run(folder, model, _batches, **options) as run_:
            model.fit(**run_.fit_arguments, callbacks=run_.callbacks([waits]))


def steps(case):
    """A turn of a training that goes on in a thread, for `worker`."""
    # Both meet where a turn begins and where it ends.
    barrier, numbers = threading.Barrier(2), itertools.count()

    def before_a_step(*_, **__):
        number = next(numbers)
        if number % STEPS[case.subject] == 0:
            if number:
                barrier.wait()
            barrier.wait()

    waits = keras.callbacks.LambdaCallback(on_train_batch_begin=before_a_step)

    def train():
        try:
            _train(case, waits)
        finally:
            barrier.abort()

    def turn():
        barrier.wait()
        barrier.wait()

    threading.Thread(target=train, daemon=True).start()
    return {"turn": turn}


def show(record):
    """A line for each contender."""
    lines, first = [], {}
    for row in record["rows"]:
        run_ = first.setdefault(row["subject"], row)
        found = ratios(run_, row, "turn")
        step = middle(row, "turn") / STEPS[row["subject"]]
        lines.append(
            f"{row['subject']} {row['title']}: {1000 * step:.2f} ms a step, "
            f"{statistics.median(found):.3f} of the run's ({found[0]:.3f} to "
            f"{found[-1]:.3f})"
        )
    return "\n".join(lines)


main = run.main_of(SUITE, show)

if __name__ == "__main__":
    main()
