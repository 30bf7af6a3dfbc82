"""None, numbers, text, arrays and collections of them as JSON and arrays."""

import keras
import numpy as np

_CONTAINERS = {"tuple": tuple, "set": set, "frozenset": frozenset}


def encode(value, arrays, name):
    """The value as JSON can hold it; the arrays in it go into `arrays`."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    kind = type(value).__name__
    if isinstance(value, list) or kind in _CONTAINERS:
        inner = [encode(v, arrays, f"{name}/{n}") for n, v in enumerate(value)]
        return inner if isinstance(value, list) else {kind: inner}
    if isinstance(value, dict):
        pairs = [
            [encode(k, arrays, name), encode(v, arrays, f"{name}/{k}")]
            for k, v in value.items()
        ]
        return {"dict": pairs}
    if keras.ops.is_tensor(value):
        value = keras.ops.convert_to_numpy(value)
    if not isinstance(value, np.ndarray | np.generic) or value.dtype.hasobject:
        raise TypeError(f"{name} is or holds a {kind}, which is no plain data")
    arrays[name] = np.asarray(value)
    return {"array": name, "dtype": value.dtype.name}


def decode(kept, arrays):
    """What `encode` was given."""
    if isinstance(kept, list):
        return [decode(one, arrays) for one in kept]
    if not isinstance(kept, dict):
        return kept
    if "array" in kept:
        array = arrays[kept["array"]]
        if array.dtype.name != kept["dtype"]:
            # An archive knows bfloat16 as two bytes.
            array = array.view(kept["dtype"])
        return array if array.ndim else array[()]
    ((kind, values),) = kept.items()
    values = decode(values, arrays)
    return dict(values) if kind == "dict" else _CONTAINERS[kind](values)
