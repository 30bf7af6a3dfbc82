"""What callbacks remember, as JSON and arrays; nothing is pickled.

A callback with `get_state` and `set_state` says itself what that is. Of
another, it is the attributes that are plain data (numbers, text, arrays, and
lists, tuples, sets and dictionaries of them) and that are no longer what they
were when training began.
"""

import hashlib
import json
import pathlib

import keras
import numpy as np

PLAIN = (type(None), bool, int, float, str)
# The sign of `min_delta` is turned whenever `monitor_op` is set, and the
# times are of the process.
LEFT_OUT = {"params", "min_delta", "_batch_start_time", "_epoch_start_time"}
_CONTAINERS = {"tuple": tuple, "set": set, "frozenset": frozenset}


def encode(value, arrays, name):
    """The value as JSON can hold it.

    Args:
        value: plain data.
        arrays: dictionary that is given the arrays in it.
        name: what their names begin with.

    Raises:
        TypeError: it is or holds something else.
    """
    kind = type(value).__name__
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, list):
        return [encode(one, arrays, name) for one in value]
    if kind in _CONTAINERS:
        return {kind: [encode(one, arrays, name) for one in value]}
    if isinstance(value, dict):
        pairs = [list(pair) for pair in value.items()]
        return {"dict": encode(pairs, arrays, name)}
    if isinstance(value, (np.ndarray, np.generic)) or keras.ops.is_tensor(
        value
    ):
        array = keras.ops.convert_to_numpy(value)
        if array.dtype.hasobject:
            raise TypeError(f"{name} holds objects of Python")
        name = f"{name}/{len(arrays):04d}"
        arrays[name] = array
        return {"array": name, "dtype": array.dtype.name}
    raise TypeError(f"{name} is a {kind}")


def decode(kept, arrays):
    """What `encode` was given."""
    if isinstance(kept, list):
        return [decode(one, arrays) for one in kept]
    if not isinstance(kept, dict):
        return kept
    if "array" in kept:
        array = arrays[kept["array"]]
        if array.dtype.name != kept["dtype"]:
            # bfloat16 is kept as its two bytes.
            array = array.view(kept["dtype"])[..., 0]
        return array if array.ndim else array[()]
    ((kind, values),) = kept.items()
    values = decode(values, arrays)
    return dict(values) if kind == "dict" else _CONTAINERS[kind](values)


def _mark(value):
    """Tells whether an attribute has changed; None where it is not plain."""
    arrays = {}
    try:
        text = json.dumps(encode(value, arrays, ""))
    except TypeError:
        return None
    data = [np.ascontiguousarray(array).tobytes() for array in arrays.values()]
    return hashlib.sha256(text.encode() + b"".join(data)).digest()


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


def _accessors(callback):
    """The functions that get and set the state, or None."""
    if hasattr(callback, "get_state") and hasattr(callback, "set_state"):
        return callback.get_state, callback.set_state
    if isinstance(callback, keras.callbacks.CSVLogger):
        # Its file has rows of epochs that a checkpoint has not.
        return (
            lambda: _table(callback),
            lambda state: _set_table(callback, state),
        )
    return None


class CallbackStates:
    """The states of callbacks, from the beginning of training on.

    Args:
        callbacks: Keras callbacks.
        say: function of a string, told once of what cannot be kept.
    """

    def __init__(self, callbacks, say=print):
        self._callbacks, self._say = callbacks, say
        self._marks, self._told = [], set()

    def begin(self):
        """To be called when all have begun and nothing is restored."""
        self._marks = [
            {name: _mark(value) for name, value in vars(one).items()}
            for one in self._callbacks
        ]

    def read(self):
        """`(states, arrays)`, the first as JSON can hold it."""
        states, arrays = [], {}
        for number, callback in enumerate(self._callbacks):
            name = f"callbacks/{number}"
            accessors = _accessors(callback)
            state = accessors[0]() if accessors else self._changed(number)
            kept = encode(state, arrays, name)
            states.append({"class": type(callback).__name__, "state": kept})
        return states, arrays

    def _changed(self, number):
        callback, before = self._callbacks[number], self._marks[number]
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

    def restore(self, states, arrays):
        """Gives what `read` gave to the callbacks of the same classes."""
        kept = {}
        for state in states:
            kept.setdefault(state["class"], []).append(state["state"])
        for callback in self._callbacks:
            of_class = kept.get(type(callback).__name__)
            if not of_class:
                continue
            state = decode(of_class.pop(0), arrays)
            accessors = _accessors(callback)
            if accessors:
                accessors[1](state)
            else:
                vars(callback).update(state)
