"""What a step costs in a run of `model.fit`, beside `fit` alone.

    python -m benchmarks.training_steps

Each contender trains in a process of its own, and the processes take turns of
some steps. `alone` is Keras's `fit` without a run, `again` a second process of
the run itself: how far it differs from the first is the spread of the method.
"""

import contextlib
import queue
import statistics
import tempfile
import threading
import time

from benchmarks import machine
from benchmarks.records import command_line, write_record
from keras_pyconv.children import Child

CONTENDERS = ("run", "again", "alone")
MODELS = ("dense", "PyConvResNetMini")
STEPS = {"dense": 200, "PyConvResNetMini": 20}  # of a turn
TURNS = 12
CLOCKS = "clock", "processor"
FOREVER = 10**6
SIDE, BATCH, CLASSES = 64, 16, 10


def _batches(first_step):
    import tensorflow as tf

    x = tf.random.stateless_normal((BATCH, SIDE, SIDE, 3), (1, 2))
    y = tf.range(BATCH) % CLASSES
    return tf.data.Dataset.from_tensors((x, y)).repeat()


def _model(name):
    import keras

    import keras_pyconv

    shape = (SIDE, SIDE, 3)
    if name == "dense":
        layers = [
            keras.layers.Flatten(),
            keras.layers.Dense(CLASSES, "softmax"),
        ]
        model = keras.Sequential([keras.Input(shape), *layers])
    else:
        model = keras_pyconv.build_classifier(
            name, classes=CLASSES, input_shape=shape
        )
    model.compile(
        keras_pyconv.training.SGD(1e-3),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


class _Trainer:
    """Trains for ever in a thread, some steps whenever it is asked to."""

    def __init__(self, contender, name):
        self._asked, self._answers = queue.SimpleQueue(), queue.SimpleQueue()
        self._steps, self._done, self._begin = STEPS[name], 0, None
        arguments = _model(name), contender == "alone"
        threading.Thread(
            target=self._train, args=arguments, daemon=True
        ).start()

    def turn(self):
        """Seconds a step, by the clock and of the processor."""
        self._asked.put(None)
        answer = self._answers.get()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _now(self):
        return time.perf_counter(), time.process_time()

    def _step(self):
        """Called before every step."""
        if self._done % self._steps == 0:
            if self._begin is not None:
                pairs = zip(self._now(), self._begin)
                self._answers.put([(b - a) / self._steps for b, a in pairs])
            self._asked.get()
            self._begin = self._now()
        self._done += 1

    def _train(self, model, alone):
        import keras

        waits = keras.callbacks.LambdaCallback(
            on_train_batch_begin=lambda *_, **__: self._step()
        )
        try:
            _train(model, waits, alone)
        except BaseException as error:
            self._answers.put(error)


def _train(model, waits, alone):
    if alone:
        options = {"steps_per_epoch": FOREVER, "shuffle": False, "verbose": 2}
        model.fit(_batches(0), callbacks=[waits], **options)
        return
    from keras_pyconv import training

    options = {"epochs": 1, "steps_per_epoch": FOREVER}
    with tempfile.TemporaryDirectory() as folder:
        with training.Run(folder, model, _batches, **options) as run:
            model.fit(**run.fit_arguments, callbacks=run.callbacks([waits]))


_TRAINERS = {}


def turn(contender, name):
    """What `_Trainer.turn` gives, in the process of a contender."""
    if not _TRAINERS:
        _TRAINERS[name] = _Trainer(contender, name)
    return _TRAINERS[name].turn()


def measure(name, turns=TURNS):
    """Seconds of a step by contender, one for every turn."""
    seconds = {one: [] for one in CONTENDERS}
    with contextlib.ExitStack() as stack:
        processes = {
            one: stack.enter_context(Child("benchmarks.training_steps:turn"))
            for one in CONTENDERS
        }
        for one, process in processes.items():
            process.ask(one, name)  # compiles
        for _ in range(turns):
            for one, process in processes.items():
                seconds[one].append(process.ask(one, name))
    return seconds


def summary(seconds, kind):
    """For each contender: milliseconds, and its ratio to the run's own."""
    rows = {}
    for one, turns in seconds.items():
        values = [turn[kind] for turn in turns]
        of_run = [turn[kind] for turn in seconds["run"]]
        ratios = sorted(v / r for v, r in zip(values, of_run))
        rows[one] = {
            "ms": 1000 * statistics.median(values),
            "ratio": statistics.median(ratios),
            "ratios": [ratios[0], ratios[-1]],
        }
    return rows


def main(arguments=None):
    """Entry point; returns the record."""
    options = command_line(__doc__).parse_args(arguments)
    results = {}
    for name in MODELS[: 1 if options.smoke else None]:
        seconds = measure(name, 1 if options.smoke else TURNS)
        results[name] = {"seconds": seconds}
        for kind, clock in enumerate(CLOCKS):
            rows = results[name][clock] = summary(seconds, kind)
            for one, row in rows.items():
                low, high = row["ratios"]
                print(
                    f"{name} {one}, {clock}: {row['ms']:.2f} ms a step, "
                    f"{row['ratio']:.3f} of the run's ({low:.3f} to "
                    f"{high:.3f})"
                )
    record = {"machine": machine.description(), "results": results}
    write_record(record, "training-steps", options)
    return record


if __name__ == "__main__":
    main()
