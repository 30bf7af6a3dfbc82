"""What callbacks remember: their own `get_state`, else changed attributes."""

import collections
import copy
import pathlib

import keras

from keras_pyconv.runs.plain import encode

# The sign of `min_delta` is turned whenever `monitor_op` is set, and the
# times are of the process.
LEFT_OUT = {"params", "min_delta", "_batch_start_time", "_epoch_start_time"}


def _mark(value):
    """Tells whether an attribute has changed; None where it is not plain."""
    arrays = {}
    try:
        return encode(value, arrays, ""), [a.tobytes() for a in arrays.values()]
    except TypeError:
        return None


def _table(logger):
    path = pathlib.Path(logger.filename)
    text = path.read_bytes().decode() if path.exists() else ""
    return {"text": text, "keys": logger.keys}


def _set_table(logger, state):
    logger.csv_file.seek(0)
    logger.csv_file.truncate()
    logger.csv_file.write(state["text"])
    logger.csv_file.flush()
    logger.keys, logger.append_header = state["keys"], not state["text"]


def _flush(callback):
    """Writes what tells of a step before that is saved, and so done."""
    for value in vars(callback).values():
        # TensorBoard's writers stand in a dictionary.
        for one in value.values() if isinstance(value, dict) else (value,):
            if hasattr(one, "flush") and not getattr(one, "closed", False):
                one.flush()


def _accessors(callback):
    """Functions of the callback that get and set its state, or Nones."""
    kind = type(callback)
    if hasattr(kind, "get_state") and hasattr(kind, "set_state"):
        return kind.get_state, kind.set_state
    if isinstance(callback, keras.callbacks.CSVLogger):
        # Its file has rows of epochs that a checkpoint has not.
        return _table, _set_table
    return None, None


class CallbackStates:
    """The states of callbacks; `say` is told once of what cannot be kept."""

    def __init__(self, callbacks, say):
        self._callbacks, self._say = callbacks, say
        self._marks, self._told = [], set()

    def begin(self):
        """Notes what all have begun with, before anything is restored."""
        self._marks = [
            {name: _mark(value) for name, value in vars(one).items()}
            for one in self._callbacks
        ]

    def read(self):
        """The class and the state of each."""
        states = []
        for callback, before in zip(self._callbacks, self._marks):
            _flush(callback)
            get, _ = _accessors(callback)
            state = get(callback) if get else self._changed(callback, before)
            states.append({"class": type(callback).__name__, "state": state})
        return states

    def _changed(self, callback, before):
        changed = {}
        for name, value in vars(callback).items():
            if name in LEFT_OUT:
                continue
            mark = _mark(value)
            if mark is None:
                self._tell(callback, name, value)
            elif mark != before.get(name):
                changed[name] = value
        return changed

    def _tell(self, callback, name, value):
        """Says where a collection of the user's own cannot be kept."""
        place = f"{type(callback).__name__}.{name}"
        own = not type(callback).__module__.startswith("keras.")
        if own and hasattr(value, "__len__") and place not in self._told:
            self._told.add(place)
            self._say(
                f"{place} is no plain data and is not saved. Give the "
                "callback get_state and set_state if it matters."
            )

    def restore(self, states):
        """Gives what `read` gave to the callbacks of the same classes."""
        kept = collections.defaultdict(list)
        # It may be restored once more, as it was.
        for state in copy.deepcopy(states):
            kept[state["class"]].append(state["state"])
        for callback in self._callbacks:
            of_class = kept[type(callback).__name__]
            _, put = _accessors(callback)
            if of_class:
                put = put or (lambda one, state: vars(one).update(state))
                put(callback, of_class.pop(0))
