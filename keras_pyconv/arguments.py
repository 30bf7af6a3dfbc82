"""What users pass, checked where it comes in, before any work.

A check takes the argument's name and its value, and returns the value, in
plain Python types where those are meant. What does not fit is refused in one
sentence: the argument, what it must be, and what was received. Nothing here
needs TensorFlow or Keras until a model is asked for.
"""

import contextlib
import functools
import math
import numbers
import os
import pathlib
import re
import types
import typing
from collections.abc import Callable

from keras_pyconv.reading import check_file, one_line, short

# The most of anything that is counted along an axis or as a dimension: above
# it tensors overflow the 32 bits that TensorFlow's kernels index with.
MOST = 2**20
# The most numbers that one variable or one map of an example may hold.
MOST_NUMBERS = 2**31 - 1


def shown(value) -> str:
    """A value for a message, as one short line."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        kind, shape = type(value).__name__, value.shape
        dtype = getattr(value.dtype, "name", value.dtype)
        if getattr(value, "ndim", 1) == 0:
            return f"{short(value)} ({dtype})"
        return f"{kind} of shape {tuple(shape)}, {dtype}"
    return short(value)


def plain(value):
    """`value` with lists and NumPy values as tuples and Python numbers."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple, range)):
        return tuple(plain(entry) for entry in value)
    return value


def refuse(name, value, rule, error=ValueError):
    """Raises the error for an argument that breaks a rule."""
    raise error(f"`{name}` must be {rule}. Received: {name}={shown(value)}")


def is_integer(value, at_least=1, at_most=MOST) -> bool:
    """Whether a value is an integer within bounds, NumPy's included."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return whole and at_least <= value <= at_most


def is_number(value, at_least=-math.inf, at_most=math.inf) -> bool:
    """Whether a value is a finite real number, NumPy's included."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    # An integer may be too large for a float.
    real = real and (isinstance(value, int) or math.isfinite(value))
    return real and at_least <= value <= at_most


def integer(name, value, at_least=1, at_most=MOST, optional=False):
    """An integer within bounds, by default a positive one; or None."""
    if optional and value is None:
        return None
    if not is_integer(value, at_least, at_most):
        rule = f"an integer of at least {at_least:,}"
        if at_least == 1:
            rule = "a positive integer"
        if is_integer(value, at_least, math.inf):
            rule += f", at most {at_most:,}"
        refuse(name, value, rule)
    return int(value)


def integers(name, value, length=None) -> tuple[int, ...]:
    """A tuple of positive integers, which is not empty."""
    found = plain(value)
    good = isinstance(found, tuple) and length in (None, len(found))
    if not good or not found or not all(map(is_integer, found)):
        some = "one or more" if length is None else length
        refuse(name, value, f"a tuple of {some} positive integers")
    return found


def number(name, value, at_least=-math.inf, at_most=math.inf, above=None):
    """A finite real number within bounds.

    Args:
        above: what it must exceed, instead of `at_least`.
    """
    least = at_least if above is None else above
    if not is_number(value, least, at_most) or value == above:
        rule = "a finite number"
        if above is not None:
            rule += f" above {above:g}"
        elif math.isfinite(at_most):
            rule += f" from {at_least:g} to {at_most:g}"
        elif math.isfinite(at_least):
            rule += f" of at least {at_least:g}"
        refuse(name, value, rule)
    return float(value)


def rate(name, value):
    """A number in [0, 1)."""
    if not is_number(value, 0) or value >= 1:
        refuse(name, value, "a rate in [0, 1)")
    return float(value)


def is_flag(value) -> bool:
    """Whether a value is True or False, NumPy's included."""
    # NumPy's class has the same name.
    return isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")


def flag(name, value) -> bool:
    """True or False, NumPy's included."""
    if not is_flag(value):
        refuse(name, value, "True or False")
    return bool(value)


def is_one_of(value, known) -> bool:
    """Whether a value is among the known ones, whatever its type."""
    # Arrays compare one by one, and True equals 1.
    return any(
        value is k or type(value) is type(k) and value == k for k in known
    )


def one_of(name, value, known):
    """One of the known values, which are texts, numbers or None."""
    if not is_one_of(value, known):
        refuse(name, value, f"one of {list(known)}")
    return value


def text(name, value, optional=False) -> str | None:
    """Text with something in it; None too where it is optional."""
    if optional and value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        refuse(name, value, f"{'None or ' * optional}text that is not empty")
    return value


def layer_name(name, value) -> str | None:
    """A name that Keras takes for a layer or a model, or None."""
    if text(name, value, optional=True) is not None and "/" in value:
        refuse(name, value, "a name without '/'")
    return value


def texts(name, value) -> tuple[str, ...]:
    """A sequence of texts that are not empty, and not one text."""
    rule = "a list of texts that are not empty"
    if isinstance(value, (str, bytes)):
        refuse(name, value, f"{rule}, not one")
    good = isinstance(value, (list, tuple)) or hasattr(value, "tolist")
    items = tuple(value) if good and getattr(value, "ndim", 1) == 1 else ()
    if not items or not all(isinstance(i, str) and i.strip() for i in items):
        refuse(name, value, rule)
    return tuple(map(str, items))


def iterable(name, value):
    """What can be walked through, but no text."""
    text = isinstance(value, (str, bytes, dict))
    if text or not hasattr(value, "__iter__") or isinstance(value, type):
        refuse(name, value, "an iterable, such as a list", TypeError)
    return value


def rows(name, value, length):
    """A list of rows of one length, with one at least."""
    good = isinstance(value, (list, tuple)) and value
    if not good or not all(
        isinstance(row, (list, tuple)) and len(row) == length for row in value
    ):
        refuse(name, value, f"a list of rows of {length} entries")
    return value


def shard(value) -> tuple[int, int]:
    """`(index, workers)`, the part of one of several machines."""
    found = plain(value)
    pair = isinstance(found, tuple) and len(found) == 2
    if (
        not pair
        or not is_integer(found[1])
        or (not is_integer(found[0], 0, found[1] - 1))
    ):
        rule = "(index, workers) with 0 <= index < workers"
        refuse("shard", value, rule)
    return found


def interval(name, value):
    """Two numbers above 0 and at most 1, in order."""
    found = plain(value)
    pair = isinstance(found, tuple) and len(found) == 2
    if (
        not pair
        or not all(is_number(n, 0, 1) and n > 0 for n in found)
        or (found[0] > found[1])
    ):
        refuse(name, value, "two numbers in order, above 0 and at most 1")
    return found


def examples(name, value):
    """A set of examples, as the functions of `datasets` open them."""
    if not is_integer(getattr(value, "count", None), at_most=2**63 - 1):
        rule = "a set of `keras_pyconv.datasets`, with `examples` and `count`"
        refuse(name, value, rule, TypeError)
    return value


def instance(name, value, kind, words=None):
    """An instance of a class, or of one of several."""
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        names = " or ".join(f"`{one.__name__}`" for one in kinds)
        refuse(name, value, words or f"an instance of {names}", TypeError)
    return value


def function(name, value, optional=False):
    """What can be called; None too where it is optional."""
    if not (callable(value) or optional and value is None):
        refuse(name, value, f"{'None or ' * optional}a function", TypeError)
    return value


def compiled(name, value):
    """A Keras model that can be trained."""
    import keras

    instance(name, value, keras.Model, "a `keras.Model`")
    if not value.compiled:
        refuse(name, value, "compiled: call its `compile` before")
    return value


def model(name, value):
    """A Keras model that is built: functional, or called once."""
    import keras

    instance(name, value, keras.Model, "a `keras.Model`")
    if not getattr(value, "inputs", None):
        refuse(name, value, "a built model: call it on an input first")
    return value


def path(name, value) -> pathlib.Path:
    """A path, whether or not something is there."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        refuse(name, value, "a path, as text or `pathlib.Path`", TypeError)
    if not value or "\0" in value:
        refuse(name, value, "a path, not empty and without zero bytes")
    return pathlib.Path(value)


def file(name, value) -> pathlib.Path:
    """The path of a file that can be read."""
    found = path(name, value)
    try:
        check_file(found)
    except OSError as error:
        told = f"`{name}` must be the path of a file: {error}"
        raise type(error)(f"{told} Received: {name}={short(value)}") from None
    return found


def folder(name, value) -> pathlib.Path:
    """The path of a folder that is there."""
    found = path(name, value)
    if not os.path.isdir(found):
        there = os.path.lexists(found)
        error = NotADirectoryError if there else FileNotFoundError
        refuse(name, value, "the path of an existing folder", error)
    return found


def new_file(name, value) -> pathlib.Path:
    """A path that a file can be written to; its folder may be missing."""
    found = path(name, value)
    if os.path.isdir(found):
        refuse(
            name,
            value,
            "the name of a file, not of a folder",
            IsADirectoryError,
        )
    return found


def image_file(name, value) -> pathlib.Path:
    """A path whose ending Pillow knows an image by."""
    found = new_file(name, value)
    from PIL import Image

    Image.init()
    known = {e for e, f in Image.EXTENSION.items() if f in Image.SAVE}
    if found.suffix.lower() not in known:
        refuse(name, value, "a file name that ends as images do, as in .png")
    return found


def new_folder(name, value) -> pathlib.Path:
    """A path of a folder, which may be missing, but is no file."""
    found = path(name, value)
    if os.path.lexists(found) and not os.path.isdir(found):
        refuse(name, value, "the path of a folder", NotADirectoryError)
    return found


def fits(value, kind) -> bool:
    """Whether a value is of the kind that an annotation says.

    Integers are positive ones, and numbers are finite.
    """
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if origin is tuple and isinstance(value, tuple):
        alike = inner[-1] is ...
        kinds = inner[:1] * len(value) if alike else inner
        return len(kinds) == len(value) and all(map(fits, value, kinds))
    if kind in _OF_NUMBERS:
        return _OF_NUMBERS[kind](value)
    if kind is Callable or origin is Callable:
        return callable(value)
    return kind is typing.Any or isinstance(value, origin or kind)


_MODULE = re.compile(r"(?<![\w.])(?:[a-z_]+[.])+")
_OF_NUMBERS = {
    int: is_integer,
    float: is_number,
    bool: is_flag,
}


def words(kind) -> str:
    """What `fits` wants, for a message."""
    plain = {int: "a positive integer", float: "a finite number"}
    if kind in plain:
        return plain[kind]
    text = kind.__name__ if isinstance(kind, type) else str(kind)
    return f"of type {_MODULE.sub('', text)}"


def check_fields(record):
    """Refuses a record whose fields are not what their annotations say."""
    for name, kind in annotations(type(record)).items():
        value = getattr(record, name)
        if not fits(value, kind):
            refuse(name, value, words(kind))


annotations = functools.cache(typing.get_type_hints)


def is_tensor(value) -> bool:
    """Whether a value has numbers along axes, in whichever library."""
    dtype = getattr(value, "dtype", None)
    dtype = str(getattr(dtype, "name", dtype))
    known = ("float", "bfloat", "int", "uint", "bool")
    return hasattr(value, "shape") and dtype.startswith(known)


def tensor(name, value, ranks=None):
    """A tensor or an array of numbers, of one of some ranks."""
    if not is_tensor(value):
        refuse(name, value, "a tensor or an array of numbers", TypeError)
    if ranks and len(value.shape) not in ranks:
        refuse(name, value, f"of rank {' or '.join(map(str, ranks))}")
    return value


def tensor_like(name, value, ranks=None):
    """A tensor, or what NumPy makes an array of numbers of."""
    if not is_tensor(value):
        value = array(name, value)
    return tensor(name, value, ranks)


def normalization(mean, deviation):
    """Refuses what is no number for each channel, of as many channels."""
    if len(mean) not in (1, 3) or len(deviation) != len(mean):
        raise ValueError(
            "`mean` and `deviation` must have one number for each of 1 "
            f"or 3 channels. Received: mean={mean} and deviation={deviation}"
        )
    if min(deviation) <= 0:
        refuse("deviation", deviation, "positive")


def array(
    name, value, ndim=None, kinds="fiub", last=None, rule="an array of numbers"
):
    """Numbers as a NumPy array.

    Args:
        ndim: how many axes it must have, or a tuple of such numbers.
        kinds: NumPy's letters of the kinds of dtypes that are meant.
        last: the size of the last axis.
        rule: what it must be, for a message.
    """
    import numpy as np

    try:
        # Rows of unequal lengths are an error; objects are no numbers.
        found = value if hasattr(value, "dtype") else None
        if found is None and isinstance(value, (list, tuple, *_NUMBERS)):
            found = np.array(value)
        found = np.asarray(found)
    except (ValueError, TypeError, OverflowError) as error:
        rule += f" ({one_line(error, 80)})"
        found = np.array(None)
    dims = (ndim,) if isinstance(ndim, int) else ndim
    if found.dtype.kind not in kinds + "V" * (found.dtype.name == "bfloat16"):
        refuse(name, value, rule, TypeError)
    if dims and found.ndim not in dims:
        refuse(name, value, f"{rule} of rank {' or '.join(map(str, dims))}")
    if last is not None and found.shape[-1:] != (last,):
        refuse(name, value, f"{rule} whose last axis has size {last}")
    return found


_NUMBERS = (bool, numbers.Number)


def of_keras(name, value, module):
    """What a module of Keras knows a value by, such as an initializer."""
    with told(name, value):
        found = module.get(value)
        if not (found is None or callable(found)):
            raise TypeError("it cannot be called")
        return found


# What `keras.layers.Layer` takes by name, beside what is checked here.
_LAYER_OPTIONS = ("autocast", "activity_regularizer", "input_shape")
_LAYER_OPTIONS += ("batch_size", "input_dim", "batch_input_shape")


_CHECKED = ("name", "trainable", "dtype")
_MODULES = {
    "activation": "activations",
    "initializer": "initializers",
    "regularizer": "regularizers",
    "constraint": "constraints",
}
_FLAGS = ("use_bias", "synchronized", "renorm")


def layer_options(options) -> dict:
    """The options of `keras.layers.Layer`, such as `name` and `dtype`."""
    import keras

    options = dict(options)
    for name, value in options.items():
        if name == "name":
            layer_name(name, value)
        elif name == "trainable":
            options[name] = flag(name, value)
        elif name == "dtype":
            with told(name, value, "a dtype or a policy of Keras"):
                keras.dtype_policies.get(value)
        elif name not in _LAYER_OPTIONS:
            raise TypeError(f"Unknown argument: {name}={shown(value)}")
    return options


@contextlib.contextmanager
def told(name, value, rule="what Keras takes"):
    """Names the argument in the error of a library that looks at it."""
    try:
        yield
    # Each library has errors of its own.
    except Exception as error:
        refuse(name, value, f"{rule} ({one_line(error, 150)})")


@contextlib.contextmanager
def told_options(options):
    """The options for a layer of Keras, whose errors then name them.

    Gives the options in plain types.
    """
    import keras

    own = {n: v for n, v in options.items() if n in _CHECKED}
    options = {**options, **layer_options(own)}
    for name, value in options.items():
        module = _MODULES.get(name.rpartition("_")[2])
        if module:
            of_keras(name, value, getattr(keras, module))
        elif name in _FLAGS:
            options[name] = flag(name, value)
    try:
        yield options
    # Keras has other errors for each.
    except Exception as error:
        given = ", ".join(f"{n}={shown(v)}" for n, v in options.items())
        raise TypeError(
            f"Keras does not take these arguments: {given} "
            f"({one_line(error, 150)})"
        ) from error
