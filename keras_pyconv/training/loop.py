"""The loop of training: steps, epochs, checkpoints, and going on exactly.

The fact a reader would get wrong: a batch is asked for by its number in the
whole run. `batches(n)` begins with the batch of step n, so a run that goes on
at step n sees what an unbroken one would have seen, wherever the epoch was.
"""

import contextlib
import math
import numbers
import signal

import keras

from keras_pyconv.training import checkpoints, steps
from keras_pyconv.training.averaging import WeightAverage
from keras_pyconv.training.batches import Batches
from keras_pyconv.training.logs import Logs
from keras_pyconv.training.progress import Progress, figures
from keras_pyconv.training.state import State
from keras_pyconv.training.stopping import Stopping
from keras_pyconv.training.strategies import shard
from keras_pyconv.training.workdir import Workdir

POINTS_PER_EPOCH = 20  # in TensorBoard, between the ends of epochs


def _positive(**values):
    for name, value in values.items():
        if not isinstance(value, numbers.Integral) or value < 1:
            raise ValueError(
                f"`{name}` must be a positive integer. "
                f"Received: {name}={value!r}"
            )


def _check_model(model, accumulate):
    """Refuses what the loop cannot do as the model asks for it."""
    if not model.compiled:
        raise ValueError("Compile the model before it is trained.")
    if model.steps_per_execution != 1:
        raise ValueError(
            "Training runs single steps, so that it can stop and save after "
            "any of them. Compile with steps_per_execution=1. Received: "
            f"steps_per_execution={model.steps_per_execution}"
        )
    inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    own = inner.gradient_accumulation_steps
    replicas = model.distribute_strategy.num_replicas_in_sync
    if own and (replicas > 1 or accumulate > 1):
        raise ValueError(
            "The optimizer's own accumulation of gradients works on one "
            f"device alone. Received: gradient_accumulation_steps={own} on "
            f"{replicas} devices. Give fit(..., accumulate={own}) instead."
        )


class _Run:
    """What `fit` is doing: the model's state, and where in the run it is."""

    def __init__(self, model, workdir, epochs, steps_per_epoch):
        self.model, self.workdir = model, workdir
        self.epochs, self.steps_per_epoch = epochs, steps_per_epoch
        self.total = epochs * steps_per_epoch
        self.step, self.history = 0, []
        self._logs, self._values, self._saved = {}, None, None
        self.progress = Progress(
            epochs, steps_per_epoch, quiet=not workdir.writes
        )
        self.stopping = Stopping(self.progress.say)

    # Before the first step ---------------------------------------------------

    def prepare(self, batches, accumulate, ema):
        """Builds what is trained and takes over the newest checkpoint."""
        model, strategy = self.model, self.model.distribute_strategy
        kept = self.workdir.latest_checkpoint(self.progress.say)
        if kept:
            self._go_on(*kept)
        _, self._machines = shard(strategy)
        self._batches = Batches(batches, strategy, self._machines, self.step)
        steps.check_agreement(strategy, self._machines, self.step)
        spec = self._batches.element_spec
        local = strategy.num_replicas_in_sync // self._machines
        size = steps.check_batch(spec, local, accumulate)
        self.progress.batch = size * self._machines
        steps.build(model, spec)
        self.average = None
        if ema is not None:
            with strategy.scope():
                self.average = WeightAverage(model, ema)
        self._state = State(model, self.average)
        if kept:
            self.workdir.refuse(self._state.differences(kept[1]))
            self._state.restore(kept[1], kept[2])
        self._one_step = steps.Steps(model, accumulate, self.average)
        if self.workdir.writes:
            self.workdir.check_room(2 * self._state.size_bytes())

    def _go_on(self, path, _, record):
        self.workdir.refuse(self.workdir.different(record["constants"]))
        self.step, self.history = record["step"], record["history"]
        self._logs = record["logs"]
        self._saved = (self.step, len(self.history))
        epoch, within = divmod(self.step, self.steps_per_epoch)
        self.progress.say(
            f"Going on after step {self.step} of {self.total} (epoch "
            f"{epoch + 1}, step {within}), from {path}."
        )

    # Saving ------------------------------------------------------------------

    def save(self, keep):
        """Writes a checkpoint, unless this state has one."""
        if self._saved == (self.step, len(self.history)):
            return
        self._refuse_nan()
        # Every machine reads: the metrics' sums are shared between them.
        arrays, record = self._state.read()
        self._state.check_finite(arrays, self.step)
        record |= {
            "step": self.step,
            "history": self.history,
            "logs": self._read_logs(),
            "constants": self.workdir.constants,
        }
        if self.workdir.writes:
            checkpoints.save(
                self.workdir.checkpoints, self.step, arrays, record, keep
            )
        self._saved = (self.step, len(self.history))

    def _refuse_nan(self):
        loss = self._read_logs().get("loss", 0.0)
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"The loss is {loss} at step {self.step}. Nothing is saved, "
                "so the checkpoints before it stay. A lower rate, a longer "
                "warm-up or another precision may help."
            )

    def _read_logs(self):
        """The epoch's logs so far, as floats."""
        if self._values is not None:
            values = self._values.numpy()[:-1].tolist()
            self._logs = dict(zip(self._one_step.names, values))
            self._values = None
        return self._logs

    # Steps and epochs --------------------------------------------------------

    def owes_an_epoch(self):
        """Whether an epoch's steps are done and its end is not."""
        return self.step >= (len(self.history) + 1) * self.steps_per_epoch

    def advance(self, callbacks):
        """One step; True where a machine wants to stop after it."""
        within = self.step % self.steps_per_epoch
        if within == 0:
            self.model.reset_metrics()
            callbacks.on_epoch_begin(len(self.history))
        batch = self._batches.next(self.step)
        callbacks.on_train_batch_begin(within)
        asked = self.stopping.signal is not None
        self._values = values = self._one_step(batch, self.step, asked)
        self.step += 1
        if callbacks.callbacks:
            callbacks.on_train_batch_end(within, self._read_logs())
        # All machines stop after the same step, or the others would wait.
        if self._machines > 1:
            return float(values[-1]) > 0
        return self.stopping.signal is not None

    def end_epoch(self, evaluate, callbacks):
        """Evaluates, and appends the epoch to the history."""
        epoch = len(self.history) + 1
        rate = keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
        row = {"epoch": epoch, "step": self.step, "learning_rate": float(rate)}
        row |= self._read_logs()
        if evaluate is not None:
            row |= self._evaluated(evaluate)
        self.history.append(row)
        callbacks.on_epoch_end(epoch - 1, dict(row))

    def _evaluated(self, evaluate):
        place = contextlib.nullcontext()
        if self.average:
            place = self.average.in_place()
        # All machines evaluate; one alone must not leave the others.
        alone = self._machines == 1
        if alone and self.stopping.signal is not None:
            self._stop()
        try:
            with self.stopping.at_once(alone), place:
                values = evaluate(self.model)
        except KeyboardInterrupt:
            self._stop()
        return {
            f"val_{name.removeprefix('val_')}": float(value)
            for name, value in values.items()
        }

    # The whole ---------------------------------------------------------------

    def train(self, logs, evaluate, callbacks, saving, stop_at):
        """Runs to the end, or to the step after which it shall stop."""
        every, keep = saving
        while True:
            if self.owes_an_epoch():
                self._finish_epoch(logs, evaluate, callbacks, keep)
            if self.step == self.total or self.model.stop_training:
                break
            first = not self.progress.has_begun
            asked = self.advance(callbacks)
            if first:
                self.progress.begin(self.step)
            self._tell(logs)
            if asked or self.step == stop_at:
                self.save(keep)
            if asked:
                self._stop()
            if self.step == stop_at:
                self._say_stopped()
                return
            if every and self.step % every == 0:
                self.save(keep)
        # The model is left with the weights that were evaluated.
        if self.average:
            self.average.take_over()

    def _finish_epoch(self, logs, evaluate, callbacks, keep):
        self.progress.show(self.step, self._read_logs(), final=True)
        number = len(self.history) + 1
        every, function = evaluate
        if number % every and number != self.epochs:
            function = None
        if function is not None:
            # An evaluation takes long; without this a kill would cost the
            # steps before it too.
            self.save(keep)
        with self.progress.paused():
            self.end_epoch(function, callbacks)
            self.save(keep)
        row = self.history[-1]
        values = {k: v for k, v in row.items() if k.startswith("val_")}
        if values:
            self.progress.say(f"epoch {number}: {figures(values)}")
        if logs:
            logs.epoch(self.history)

    def _tell(self, logs):
        """The line on the screen, and points in TensorBoard."""
        if self.progress.is_due():
            self.progress.show(self.step, self._read_logs())
        apart = max(1, self.steps_per_epoch // POINTS_PER_EPOCH)
        if logs and self.step % apart == 0:
            speed = self.progress.examples_per_second(self.step)
            values = {"examples_per_second": speed} if speed else {}
            logs.scalars(self.step, {**self._read_logs(), **values})

    def _say_stopped(self):
        self.progress.say(
            f"Stopped after step {self.step} of {self.total} and saved to "
            f"{self.workdir.path}. Start the same command again to go on."
        )

    def _stop(self):
        """Ends the process after a signal; all is saved."""
        self._say_stopped()
        # Another machine's signal was none here.
        raise SystemExit(128 + (self.stopping.signal or signal.SIGTERM))


def fit(
    model,
    batches,
    *,
    epochs,
    steps_per_epoch,
    workdir,
    constants,
    seed,
    evaluate=None,
    evaluate_every=1,
    save_every_steps=None,
    keep=3,
    callbacks=(),
    stop_after_steps=None,
    accumulate=1,
    ema=None,
):
    """Trains a model; started again, goes on as if it had not been broken.

    The same call in a new process takes over the newest checkpoint in
    `workdir` that can be read: weights, optimizer, averages, seeds, the sums
    behind the epoch's logs, the step. On CPU the run then ends with the
    weights of an unbroken one, to the bit. Ctrl-C and SIGTERM save after the
    step that is running and say how to go on.

    Args:
        model: built and compiled, both inside `strategy.scope()`.
        batches: function of a step to a `tf.data.Dataset` that begins with
            the batch of that step, counted from 0 over the whole run. The
            elements are what `model.train_step` takes, of a fixed size: the
            whole batch on one machine, on several this machine's part of it.
            If it has an attribute `fingerprint`, as those of
            `keras_pyconv.datasets` have, that is one of the constants.
        epochs: int.
        steps_per_epoch: int. A step is one update of the weights.
        workdir: the run's folder; one folder for all machines.
        constants: dictionary of what decides the result (the variant, the
            rate, the batch size), as JSON can hold it. A folder whose run
            has others is refused.
        seed: int, for Python's, NumPy's and TensorFlow's generators.
        evaluate: function of the model to a dictionary of floats, called at
            the end of epochs, on every machine. Its values are recorded with
            `val_` before their names.
        evaluate_every: int, epochs from one evaluation to the next; the last
            epoch is always evaluated.
        save_every_steps: int, steps from one checkpoint to the next; None
            saves at the end of epochs.
        keep: int, how many checkpoints stay.
        callbacks: Keras callbacks. Their own state is not saved.
        stop_after_steps: int; after so many steps of this call it saves and
            returns; the last row is then not that of the last step.
        accumulate: int, into how many small batches each device's part is
            cut, whose gradients make one update. Costs no memory; the graph
            of the step grows with it.
        ema: None, or the decay of an exponential average of the weights, such
            as 0.9999. Evaluation uses the averaged weights, and the model has
            them in the end.

    Returns:
        A list with a dictionary for every epoch: `epoch`, `step`,
        `learning_rate` (that of the step that follows), the model's logs, and
        the evaluation's.

    Raises:
        ValueError: an argument or a batch that cannot be used, or a folder
            with another run; the message says what differs.
        OSError: the folder or a checkpoint cannot be written.
        FloatingPointError: the loss or a weight is not a number.
        SystemExit: after a signal.

    Example:

    ```python
    import keras
    from keras_pyconv import datasets, training

    photos = datasets.picture_set("photos", "train")
    batches = datasets.training_pictures(photos, batch_size=4, seed=1)
    with training.make_strategy().scope():
        model = keras.Sequential([
            keras.Input((224, 224, 3)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(len(photos.classes), "softmax"),
        ])
        loss = "sparse_categorical_crossentropy"
        model.compile(training.SGD(0.1), loss, metrics=["accuracy"])
    history = training.fit(
        model, batches, epochs=2, steps_per_epoch=batches.steps_per_epoch,
        workdir="runs/a", constants={"rate": 0.1}, seed=1,
    )
    ```
    """
    _positive(
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        evaluate_every=evaluate_every,
        keep=keep,
        accumulate=accumulate,
        save_every_steps=save_every_steps or 1,
    )
    _check_model(model, accumulate)
    decisive = {
        "epochs": epochs,
        "steps_per_epoch": steps_per_epoch,
        "seed": seed,
        "accumulate": accumulate,
        "ema": ema,
    }
    fingerprint = getattr(batches, "fingerprint", None)
    if fingerprint is not None:
        decisive["training_data"] = fingerprint
    index, _ = shard(model.distribute_strategy)
    folder = Workdir(workdir, {**constants, **decisive}, writes=index == 0)
    run = _Run(model, folder, epochs, steps_per_epoch)
    keras.utils.set_random_seed(seed)
    model.stop_training = False
    with folder.open(), run.stopping.listening():
        run.prepare(batches, accumulate, ema)
        folder.record(run.progress.say)
        callbacks = keras.callbacks.CallbackList(
            list(callbacks), add_history=False, add_progbar=False, model=model
        )
        stop_at = run.step + stop_after_steps if stop_after_steps else None
        with contextlib.ExitStack() as stack:
            logs = None
            if folder.writes:
                logs = Logs(folder.path, folder.constants, run.progress.say)
                stack.callback(logs.close)
                if run.history:
                    logs.rewrite(run.history)
            callbacks.on_train_begin()
            run.train(
                logs,
                (evaluate_every, evaluate),
                callbacks,
                (save_every_steps, keep),
                stop_at,
            )
            callbacks.on_train_end()
    return run.history
