"""A run of `model.fit` that goes on exactly; docs/training.md says how."""

import contextlib
import signal
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Self

import keras

from keras_pyconv import arguments
from keras_pyconv.lazy import tf
from keras_pyconv.runs.state import State, build
from keras_pyconv.runs.workdir import Workdir
from keras_pyconv.training import data, multi_worker
from keras_pyconv.training.callbacks import Callbacks
from keras_pyconv.training.stopping import Stopping
from keras_pyconv.training.strategies import shard
from keras_pyconv.typing import PathLike

_BATCHES = (
    "a function of a step to a tf.data.Dataset that begins with its batch, as "
    "keras_pyconv.datasets.training_stream makes one"
)


class _Stopped(Exception):
    """Leaves `fit` when all is saved."""


def _check_model(model, steps_per_epoch):
    arguments.compiled("model", model)
    together = model.steps_per_execution
    if steps_per_epoch % together:
        raise ValueError(
            "An epoch must be a whole number of executions. Received: "
            f"steps_per_epoch={steps_per_epoch}, "
            f"steps_per_execution={together}"
        )
    replicas = model.distribute_strategy.num_replicas_in_sync
    inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    parts = inner.gradient_accumulation_steps
    if replicas > 1 and together > 1:
        raise ValueError(
            f"On {replicas} devices compile with steps_per_execution=1. "
            f"Received: steps_per_execution={together}"
        )
    if replicas > 1 and parts:
        raise ValueError(
            f"On {replicas} devices call training.accumulate_gradients(model, "
            f"{parts}) instead. Received: gradient_accumulation_steps={parts}"
        )


class Run:
    """A training run in a folder, which `fit` can resume exactly.

    The same code in a new process resumes from the newest readable checkpoint
    in the folder. On CPU, the run then ends with exactly the weights of an
    uninterrupted run. Ctrl-C and SIGTERM save after the current step and end
    the process.

    Args:
        folder: the run's folder, shared by all machines.
        model: a model that was compiled in the scope of its strategy.
        batches: function that takes a step, counted from 0 over the whole run,
            and returns an endless `tf.data.Dataset` that starts with the batch
            of that step; on several machines, with this machine's part.
            `datasets.training_stream` makes one from any examples. If it has
            an attribute `fingerprint`, this is one of the constants.
        epochs: int.
        steps_per_epoch: int; default: the attribute of `batches`.
        constants: dictionary of what determines the result, as JSON values.
            A folder whose run has other constants is an error.
        seed: int, random seed of Python, NumPy and TensorFlow.
        save_every_steps: int, steps between checkpoints; default: one epoch.
        stop_after_steps: int; after that many steps of this process, the run
            saves and leaves `fit` and the `with` block.
        keep: int, number of checkpoints to keep.

    Attributes:
        fit_arguments: arguments for `fit`: data, epochs, steps.
        step: total number of finished steps.
        history: one dictionary per epoch: `epoch`, `step`, `learning_rate`
            (that of the next step), and the logs.
        finished: whether the training has finished.

    Raises:
        OSError: the folder or a checkpoint cannot be written.
        FloatingPointError: the loss or a weight is not a number.
        SystemExit: after a signal.

    Example:

    ```python
    import keras, keras_pyconv
    from keras_pyconv import datasets, training

    photos = datasets.picture_set("photos", "train")
    batches = datasets.training_pictures(photos, batch_size=4, seed=1)
    model = keras_pyconv.build_classifier(
        "PyConvResNetMini", classes=len(photos.classes)
    )
    model.compile(training.SGD(0.1), "sparse_categorical_crossentropy")
    callbacks = [keras.callbacks.EarlyStopping("loss", patience=5)]
    with training.Run("runs/a", model, batches, epochs=2) as run:
        model.fit(**run.fit_arguments, callbacks=run.callbacks(callbacks))
    ```
    """

    def __init__(
        self,
        folder: PathLike,
        model: keras.Model,
        batches: Callable[[int], "tf.data.Dataset"],
        *,
        epochs: int,
        steps_per_epoch: int | None = None,
        constants: dict[str, Any] | None = None,
        seed: int = 1,
        save_every_steps: int | None = None,
        stop_after_steps: int | None = None,
        keep: int = 3,
    ):
        arguments.check("batches", batches, callable(batches), _BATCHES)
        if steps_per_epoch is None:
            steps_per_epoch = getattr(batches, "steps_per_epoch", None)
        most = 2**63 - 1
        arguments.new_folder("folder", folder)
        arguments.integer("epochs", epochs, at_most=most)
        steps_per_epoch = arguments.integer(
            "steps_per_epoch", steps_per_epoch, at_most=most
        )
        arguments.integer("keep", keep)
        arguments.integer("seed", seed, 0, 2**32 - 1)
        arguments.integer("save_every_steps", save_every_steps, 1, most, True)
        arguments.integer("stop_after_steps", stop_after_steps, 1, most, True)
        constants = {} if constants is None else constants
        arguments.instance("constants", constants, dict)
        _check_model(model, steps_per_epoch)
        self.model, self._batches = model, batches
        self.epochs, self.steps_per_epoch = epochs, steps_per_epoch
        self._total = epochs * steps_per_epoch
        self._every, self._keep = save_every_steps, keep
        self._stop_at, self._seed = stop_after_steps, seed
        index, self.machines = shard(model.distribute_strategy)
        own = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
        constants = {**constants, **own, "seed": seed}
        if hasattr(batches, "fingerprint"):
            constants["training_data"] = batches.fingerprint
        self.workdir = Workdir(folder, constants, writes=index == 0)
        self.step, self.history, self.finished = 0, [], False
        # Whether the epoch's steps are done, and its evaluation is not.
        self.owes_evaluation = False
        self.say = self.workdir.say
        self.stopping = Stopping(self.say)
        self._callbacks: Any = None
        self._saved: tuple[int, int] | None = None
        self._kept: dict[str, Any] | None = None
        self._context = self._opened()

    def __enter__(self) -> Self:
        return self._context.__enter__()

    def __exit__(self, *error: Any) -> bool | None:
        return self._context.__exit__(*error)

    @contextlib.contextmanager
    def _opened(self):
        keras.utils.set_random_seed(self._seed)
        with self.workdir.open(), self.stopping.listening():
            self._prepare()
            try:
                yield self
                if self._callbacks is None:
                    told = "give model.fit callbacks=run.callbacks([...])."
                    raise ValueError(f"Nothing was saved: {told}")
            except (_Stopped, KeyboardInterrupt) as stop:
                # Within an evaluation, before which all was saved.
                if not (self.stopping.at_once or isinstance(stop, _Stopped)):
                    raise
                self.say(
                    f"Stopped after step {self.step} of {self._total} and "
                    f"saved to {self.workdir.path}. The same command goes on."
                )
                if self._is_asked():
                    # Another machine's signal was none here.
                    number = self.stopping.signal or signal.SIGTERM
                    raise SystemExit(128 + number) from None

    def _prepare(self):
        model, strategy = self.model, self.model.distribute_strategy
        kept = self.workdir.latest()
        if kept:
            self._go_on(*kept)
        begin = self.step - self.owes_evaluation * model.steps_per_execution
        dataset = data.from_step(self._batches, begin, self._total)
        if (replicas := strategy.num_replicas_in_sync) > 1:
            parts = replicas // self.machines
            data.refuse_uneven(dataset.element_spec, parts, f"{parts} devices")
        build(model, dataset.element_spec)
        dataset = data.distributed(dataset, strategy, self.machines)
        if self.machines > 1:
            multi_worker.adapt(model, self.stopping, self.step)
        self.state = State(model)
        if kept:
            self.workdir.refuse(self.state.differences(self._kept))
            self.state.restore(self._kept)
        self.workdir.begin(self.state.size_bytes())
        self.fit_arguments = {
            "x": dataset,
            "epochs": self.epochs,
            "initial_epoch": (
                self.epochs if self.finished else len(self.history)
            ),
            "steps_per_epoch": self.steps_per_epoch,
            "shuffle": False,
        }

    def _go_on(self, path, kept):
        self.step, self.history = kept["step"], kept["history"]
        self.finished, self._kept = kept["finished"], kept
        self._saved = self.step, len(self.history)
        self._stop_at = self._stop_at and self._stop_at + self.step
        self.owes_evaluation = self.within == self.steps_per_epoch
        said = f"after step {self.step} of {self._total}"
        if self.finished:
            self.say(f"This run is done, {said}, from {path}.")
        else:
            epoch = f"epoch {len(self.history) + 1}, step {self.within}"
            self.say(f"Going on {said} ({epoch}), from {path}.")

    def callbacks(
        self,
        callbacks: Iterable[keras.callbacks.Callback] = (),
        verbose: int | Literal["auto"] = "auto",
    ) -> keras.callbacks.CallbackList:
        """What `fit` takes as `callbacks`: these, and what saves the run.

        Args:
            callbacks: Keras callbacks. Their states are kept too: what
                `get_state` gives and `set_state` takes, of one without these
                the attributes that are plain data.
            verbose: as `fit` takes it; `"auto"` is a bar on a screen and a
                line an epoch in a file.
        """
        arguments.one_of("verbose", verbose, ("auto", 0, 1, 2))
        listed = list(arguments.iterable("callbacks", callbacks))
        good = all(isinstance(c, keras.callbacks.Callback) for c in listed)
        rule = "a list of `keras.callbacks.Callback`s"
        arguments.check("callbacks", callbacks, good, rule, TypeError)
        verbose = verbose if self.workdir.writes else 0
        self._callbacks = Callbacks(self, listed, verbose, self._kept)
        self._kept = None
        return self._callbacks

    @property
    def within(self) -> int:
        """Steps done of the epoch that is running."""
        return self.step - len(self.history) * self.steps_per_epoch

    def after_steps(self, within: int) -> None:
        """When so many steps of an epoch are done: saves, stops as asked."""
        before = self.step
        self.step += within - self.within
        due = self._every and self.step // self._every > before // self._every
        # After its last step an epoch is about to end, and is saved then.
        ends = within == self.steps_per_epoch
        if self._is_asked() or not ends and (due or self._is_far_enough()):
            self.save()
            self._stop_as_asked()

    def _is_asked(self):
        # All machines stop after the same step, or the others would wait.
        if self.machines > 1:
            return self.model.train_function.wants_to_stop
        return self.stopping.signal is not None

    def _is_far_enough(self):
        return self._stop_at is not None and self.step >= self._stop_at

    def _stop_as_asked(self):
        if self._is_asked() or self._is_far_enough():
            raise _Stopped

    def begin_evaluation(self) -> None:
        """Saves; from here a signal to a single machine ends it at once."""
        self.save()
        self.stopping.at_once = self.machines == 1 and self._is_saved()
        if self.stopping.at_once and self._is_asked():
            raise _Stopped

    def check_steps(self) -> None:
        """Refuses an epoch that had too few batches."""
        if self.within != self.steps_per_epoch and not self.model.stop_training:
            raise ValueError(
                f"The batches ended after {self.within} of the "
                f"{self.steps_per_epoch} steps of an epoch. They must be "
                "endless."
            )

    def end_epoch(self, logs: Mapping[str, float]) -> None:
        """Appends an epoch to the history, saves, stops as asked."""
        self.stopping.at_once = self.owes_evaluation = False
        row = {"epoch": len(self.history) + 1, "step": self.step}
        self.history.append(row | self._rates() | logs)
        stopped = self.model.stop_training
        self.finished = stopped or len(self.history) == self.epochs
        self.save()
        if not self.finished:
            self._stop_as_asked()

    def _rates(self):
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        several = getattr(optimizer, "optimizers", None)
        rates = {f"learning_rate_{one.name}": one for one in several or ()}
        return {
            name: float(keras.ops.convert_to_numpy(one.learning_rate))
            for name, one in (rates or {"learning_rate": optimizer}).items()
        }

    def _is_saved(self):
        return self._saved == (self.step, len(self.history))

    def save(self) -> None:
        """Writes a checkpoint, unless this state has one."""
        if self._is_saved():
            return
        try:
            self.state.check_loss(self.step)
            # Every machine reads: the metrics' sums are shared between them.
            state = self.state.read()
            self.state.check_finite(state, self.step)
        except FloatingPointError as error:
            # Keras's TerminateOnNaN ends the training in its own way.
            if not self.model.stop_training:
                raise
            self.say(str(error))
            self.finished = False
            return
        state |= {
            "step": self.step,
            "history": self.history,
            "callbacks": self._callbacks.states.read(),
            "finished": self.finished,
        }
        self.workdir.save(state, self._keep)
        self._saved = self.step, len(self.history)
