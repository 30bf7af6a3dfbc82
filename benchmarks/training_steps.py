"""What a step costs in a run of `model.fit`, beside `fit` alone.

    python -m benchmarks.training_steps [--before CHECKOUT]

Each contender trains in a process of its own, and the processes take turns of
some steps. `alone` is Keras's `fit` without a run, `again` a second process of
the run itself: how far it differs from the first is the spread of the method.
`--before` names a checkout of the package from when it trained by a loop of
its own (aa13343), which goes in as one more contender.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

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


class _Turns:
    """Answers every line of the input with the seconds of some steps.

    By the clock and of the processor, each divided by the steps.
    """

    def __init__(self, steps):
        self._steps, self._done, self._begin = steps, 0, None

    def _now(self):
        return time.perf_counter(), time.process_time()

    def step(self):
        """To be called before every step."""
        if self._done % self._steps == 0:
            if self._begin is not None:
                spent = [
                    (now - then) / self._steps
                    for now, then in zip(self._now(), self._begin)
                ]
                print("seconds", *spent, file=sys.stderr, flush=True)
            if not sys.stdin.readline():
                os._exit(0)
            self._begin = self._now()
        self._done += 1


def _train_before(model, turns, folder):
    """By the loop of the checkout, which asks for each batch by its step."""
    from keras_pyconv.training import fit
    from keras_pyconv.training.batches import Batches

    original = Batches.next

    def following(self, step):
        turns.step()
        return original(self, step)

    Batches.next = following
    options = {"epochs": 1, "steps_per_epoch": FOREVER, "seed": 1}
    fit(model, _batches, workdir=folder, constants={}, **options)


def _train(model, turns, folder, alone):
    import keras

    class Waits(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            turns.step()

    if alone:
        options = {"steps_per_epoch": FOREVER, "shuffle": False, "verbose": 2}
        model.fit(_batches(0), callbacks=[Waits()], **options)
        return
    from keras_pyconv import training

    options = {"epochs": 1, "steps_per_epoch": FOREVER}
    with training.Run(folder, model, _batches, **options) as run:
        model.fit(**run.fit_arguments, callbacks=run.callbacks([Waits()]))


def child(contender, name):
    """Trains for ever, some steps for every line of the input."""
    model, turns = _model(name), _Turns(STEPS[name])
    with tempfile.TemporaryDirectory() as folder:
        if contender == "before":
            _train_before(model, turns, folder)
        else:
            _train(model, turns, folder, contender == "alone")


def _start(contender, name, checkout):
    here = pathlib.Path(__file__).resolve()
    root = checkout if contender == "before" else here.parents[1]
    return subprocess.Popen(
        [sys.executable, str(here), "--child", contender, "--model", name],
        env={
            **os.environ,
            "PYTHONPATH": str(root),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _turn(process):
    """Seconds of a step in one turn, by the clock and of the processor."""
    process.stdin.write("\n")
    process.stdin.flush()
    for line in process.stderr:
        if line.startswith("seconds "):
            return [float(word) for word in line.split()[1:]]
    raise RuntimeError("a contender ended before its turn")


def measure(name, contenders, checkout, turns=TURNS):
    """Seconds of a step by contender, one for every turn."""
    processes = {one: _start(one, name, checkout) for one in contenders}
    seconds = {one: [] for one in contenders}
    try:
        for process in processes.values():
            _turn(process)  # compiles
        for _ in range(turns):
            for one, process in processes.items():
                seconds[one].append(_turn(process))
    finally:
        for process in processes.values():
            process.kill()
            process.communicate()
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


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--before", type=pathlib.Path, metavar="CHECKOUT")
    parser.add_argument("--output", type=pathlib.Path, help="a JSON file")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--model", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return child(args.child, args.model)
    contenders = ["run", "again", "alone"] + ["before"] * bool(args.before)
    results = {}
    for name in MODELS:
        seconds = measure(name, contenders, args.before)
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
    if args.output:
        from benchmarks import machine

        record = {"machine": machine.description(), "results": results}
        args.output.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
