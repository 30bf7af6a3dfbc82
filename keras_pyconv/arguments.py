"""What users pass, checked where it comes in, before any work.

A check returns the value in plain Python types. Nothing here needs TensorFlow
or Keras until a model is asked for.
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
from collections.abc import Callable, Sequence

from keras_pyconv import storage
from keras_pyconv.reading import check_file, check_new_folder, one_line, short

# The most of anything that is counted along an axis or as a dimension: above
# it tensors overflow the 32 bits that TensorFlow's kernels index with.
MOST = 2**20
# The most numbers that one variable or one map of an example may hold.
MOST_NUMBERS = 2**31 - 1
DATA_FORMATS = ("channels_last", "channels_first")
# One number for all axes, or one an axis.
PerAxis = int | Sequence[int]


def shown(value) -> str:
    """A value for a message, as one short line."""
    if not (hasattr(value, "shape") and hasattr(value, "dtype")):
        return short(value)
    dtype = getattr(value.dtype, "name", value.dtype)
    if getattr(value, "ndim", 1) == 0:
        return f"{short(value)} ({dtype})"
    return f"{type(value).__name__} of shape {tuple(value.shape)}, {dtype}"


def plain(value):
    """`value` with lists and NumPy values as tuples and Python numbers."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, range)):
        return tuple(plain(entry) for entry in value)
    return value


def refuse(name, value, rule, error=ValueError):
    """Raises the error for an argument that breaks a rule."""
    raise error(f"`{name}` must be {rule}. Received: {name}={shown(value)}")


def check(name, value, good, rule, error=ValueError):
    """The value, which is refused where it is not good."""
    if not good:
        refuse(name, value, rule, error)
    return value


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
    rule = f"an integer of at least {at_least:,}"
    if at_least == 1:
        rule = "a positive integer"
    if is_integer(value, at_least, math.inf):
        rule += f", at most {at_most:,}"
    return int(check(name, value, is_integer(value, at_least, at_most), rule))


def _is_tuple(value, length=None):
    """Whether a value is a tuple of that many entries, or of one at least."""
    if not isinstance(value, tuple):
        return False
    return len(value) == length if length else bool(value)


def integers(name, value, length=None) -> tuple[int, ...]:
    """A tuple of positive integers, which is not empty."""
    found, some = plain(value), length or "one or more"
    good = _is_tuple(found, length) and all(map(is_integer, found))
    check(name, value, good, f"a tuple of {some} positive integers")
    return found


def number(name, value, at_least=-math.inf, at_most=math.inf, above=None):
    """A finite real number within bounds; it must exceed `above`."""
    rule = "a finite number"
    if above is not None:
        rule, at_least = f"{rule} above {above:g}", above
    elif math.isfinite(at_most):
        rule += f" from {at_least:g} to {at_most:g}"
    elif math.isfinite(at_least):
        rule += f" of at least {at_least:g}"
    good = is_number(value, at_least, at_most) and value != above
    return float(check(name, value, good, rule))


def rate(name, value):
    """A number in [0, 1)."""
    good = is_number(value, 0) and value < 1
    return float(check(name, value, good, "a rate in [0, 1)"))


def is_flag(value) -> bool:
    """Whether a value is True or False, NumPy's included."""
    # NumPy's class has the same name.
    return isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")


def flag(name, value) -> bool:
    """True or False, NumPy's included."""
    return bool(check(name, value, is_flag(value), "True or False"))


def is_one_of(value, known) -> bool:
    """Whether a value is among the known ones, whatever its type."""
    # Arrays compare one by one, and True equals 1.
    return any(
        value is k or type(value) is type(k) and value == k for k in known
    )


def one_of(name, value, known):
    """One of the known values, which are texts, numbers or None."""
    return check(name, value, is_one_of(value, known), f"one of {list(known)}")


def _is_text(value):
    return isinstance(value, str) and bool(value.strip())


def text(name, value, optional=False) -> str | None:
    """Text with something in it; None too where it is optional."""
    good = _is_text(value) or optional and value is None
    rule = f"{'None or ' * optional}text that is not empty"
    return check(name, value, good, rule)


def layer_name(name, value) -> str | None:
    """A name that Keras takes for a layer or a model, or None."""
    good = "/" not in (text(name, value, optional=True) or "")
    return check(name, value, good, "a name without '/'")


def texts(name, value) -> tuple[str, ...]:
    """A sequence of texts that are not empty, and not one text."""
    rule = "a list of texts that are not empty"
    check(name, value, not isinstance(value, (str, bytes)), f"{rule}, not one")
    found = plain(value)
    good = _is_tuple(found) and all(map(_is_text, found))
    check(name, value, good, rule)
    return found


def iterable(name, value):
    """What can be walked through, but no text."""
    good = hasattr(value, "__iter__") and getattr(value, "ndim", 1)
    wrong = isinstance(value, (str, bytes, dict, type)) or _is_symbolic(value)
    good = good and not wrong
    return check(name, value, good, "an iterable, such as a list", TypeError)


def rows(name, value, length):
    """A list of rows of one length, with one at least."""
    good = isinstance(value, (list, tuple)) and len(value) > 0
    good = good and all(
        isinstance(row, (list, tuple)) and len(row) == length for row in value
    )
    return check(name, value, good, f"a list of rows of {length} entries")


def shard(value) -> tuple[int, int]:
    """`(index, workers)`, the part of one of several machines."""
    found = plain(value)
    good = _is_tuple(found, 2) and is_integer(found[1])
    good = good and is_integer(found[0], 0, found[1] - 1)
    rule = "(index, workers) with 0 <= index < workers"
    return check("shard", found, good, rule)


def interval(name, value):
    """Two numbers above 0 and at most 1, in order."""
    found = plain(value)
    good = _is_tuple(found, 2) and all(is_number(n, 0, 1) for n in found)
    good = good and 0 < found[0] <= found[1]
    rule = "two numbers in order, above 0 and at most 1"
    return check(name, found, good, rule)


def examples(name, value):
    """A set of examples, as the functions of `datasets` open them."""
    good = is_integer(getattr(value, "count", None), at_most=2**63 - 1)
    rule = "a set of `keras_pyconv.datasets`, with `examples` and `count`"
    return check(name, value, good, rule, TypeError)


def instance(name, value, kind, words=None):
    """An instance of a class, or of one of several."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    names = " or ".join(f"`{one.__name__}`" for one in kinds)
    rule = words or f"an instance of {names}"
    return check(name, value, isinstance(value, kind), rule, TypeError)


def function(name, value, optional=False):
    """What can be called; None too where it is optional."""
    good = callable(value) or optional and value is None
    rule = f"{'None or ' * optional}a function"
    return check(name, value, good, rule, TypeError)


def _keras_model(name, value):
    import keras

    return instance(name, value, keras.Model, "a `keras.Model`")


def compiled(name, value):
    """A Keras model that can be trained."""
    good = _keras_model(name, value).compiled
    return check(name, value, good, "compiled: call its `compile` before")


def model(name, value):
    """A Keras model that is built: functional, or called once."""
    good = getattr(_keras_model(name, value), "inputs", None)
    return check(name, value, good, "a built model: call it on an input first")


def path(name, value, anywhere=False):
    """A path, whether or not something is there.

    `anywhere` takes paths of other file systems too, such as `gs://`, which
    stay text; `pathlib.Path` is of this machine.
    """
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    instance(name, value, str, "a path, as text or `pathlib.Path`")
    good = value and "\0" not in value
    check(name, value, good, "a path, not empty and without zero bytes")
    good = anywhere or not storage.is_remote(value)
    check(name, value, good, "a path on this machine")
    return storage.place(value)


@contextlib.contextmanager
def _told_of_path(name, value, rule):
    """Names the argument in what is wrong with a path; its kind stays."""
    try:
        yield
    except OSError as error:
        told = f"`{name}` must be {rule}: {error}"
        raise type(error)(f"{told} Received: {name}={short(value)}") from None


def file(name, value, anywhere=False):
    """The path of a file that can be read."""
    found = path(name, value, anywhere)
    with _told_of_path(name, value, "the path of a file"):
        check_file(found)
    return found


def new_file(name, value, anywhere=False):
    """A path that a file can be written to; its folder may be missing."""
    found = path(name, value, anywhere)
    rule = "the name of a file, not of a folder"
    check(name, value, not storage.is_folder(found), rule, IsADirectoryError)
    return found


def image_file(name, value) -> pathlib.Path:
    """A path whose ending Pillow knows an image by."""
    from PIL import Image

    found, kinds = new_file(name, value), Image.registered_extensions()
    good = kinds.get(found.suffix.lower()) in Image.SAVE
    check(name, value, good, "a file name that ends as images do, as in .png")
    return found


def new_folder(name, value) -> pathlib.Path:
    """A path of a folder, which may be missing, but is no file."""
    found = path(name, value)
    with _told_of_path(name, value, "the path of a folder"):
        check_new_folder(found)
    return found


def folder(name, value, anywhere=False):
    """The path of a folder that is there."""
    found, rule = path(name, value, anywhere), "the path of an existing folder"
    if not storage.is_folder(found):
        is_file = storage.exists(found)
        error = NotADirectoryError if is_file else FileNotFoundError
        refuse(name, value, rule, error)
    return found


def fits(value, kind) -> bool:
    """Whether a value is of an annotated kind; integers are positive."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if origin is tuple and isinstance(value, tuple):
        kinds = inner[:1] * len(value) if inner[-1] is ... else inner
        return len(kinds) == len(value) and all(map(fits, value, kinds))
    if kind in _OF_NUMBERS:
        return _OF_NUMBERS[kind](value)
    if kind is Callable or origin is Callable:
        return callable(value)
    return kind is typing.Any or isinstance(value, origin or kind)


_MODULE = re.compile(r"(?<![\w.])(?:[a-z_]+[.])+")
_OF_NUMBERS = {int: is_integer, float: is_number, bool: is_flag}
_WORDS = {int: "a positive integer", float: "a finite number"}


def words(kind) -> str:
    """What `fits` wants, for a message."""
    text = kind.__name__ if isinstance(kind, type) else str(kind)
    return _WORDS.get(kind, f"of type {_MODULE.sub('', text)}")


def check_fields(record):
    """Refuses a record whose fields are not what their annotations say."""
    for name, kind in annotations(type(record)).items():
        value = getattr(record, name)
        check(name, value, fits(value, kind), words(kind))


annotations = functools.cache(typing.get_type_hints)


def is_tensor(value) -> bool:
    """Whether a value has numbers along axes, in whichever library."""
    dtype = getattr(value, "dtype", None)
    dtype = str(getattr(dtype, "name", dtype))
    known = ("float", "bfloat", "int", "uint", "bool")
    return hasattr(value, "shape") and dtype.startswith(known)


def _is_symbolic(value):
    """Whether it is a place in a Keras model, which holds no numbers."""
    return type(value).__name__ == "KerasTensor"


def tensor(name, value, ranks=()):
    """A tensor or an array of numbers, of one of some ranks."""
    rule = "a tensor or an array of numbers"
    check(name, value, is_tensor(value), rule, TypeError)
    good = not ranks or len(value.shape) in ranks
    return check(name, value, good, f"of rank {' or '.join(map(str, ranks))}")


def tensor_like(name, value, ranks=()):
    """A tensor that holds numbers, or what NumPy makes an array of."""
    rule = "a tensor that holds numbers"
    check(name, value, not _is_symbolic(value), rule, TypeError)
    found = value if is_tensor(value) else array(name, value)
    good = not ranks or len(found.shape) in ranks
    check(name, value, good, f"of rank {' or '.join(map(str, ranks))}")
    return found


def normalization(mean, deviation):
    """Refuses what is no number for each channel, of as many channels."""
    if len(mean) not in (1, 3) or len(deviation) != len(mean):
        raise ValueError(
            "`mean` and `deviation` must both have 1 or 3 numbers, one per "
            f"channel. Received: mean={mean} and deviation={deviation}"
        )
    check("deviation", deviation, min(deviation) > 0, "positive")


def array(
    name, value, ndim=None, kinds="fiub", last=None, rule="an array of numbers"
):
    """Numbers of some `kinds` as a NumPy array; `last` is its last size."""
    import numpy as np

    listed = isinstance(value, (list, tuple, numbers.Number))
    try:
        # Rows of unequal lengths are an error; objects are no numbers.
        found = np.asarray(value if listed or hasattr(value, "dtype") else None)
    except (ValueError, TypeError, OverflowError) as error:
        rule += f" ({one_line(error, 80)})"
        found = np.array(None)
    kinds += "V" * (found.dtype.name == "bfloat16")
    check(name, value, found.dtype.kind in kinds, rule, TypeError)
    ranks = (ndim,) if isinstance(ndim, int) else ndim or (found.ndim,)
    places = " or ".join(map(str, ranks))
    check(name, value, found.ndim in ranks, f"{rule} of rank {places}")
    good = last is None or found.shape[-1:] == (last,)
    check(name, value, good, f"{rule} whose last axis has size {last}")
    return found


@contextlib.contextmanager
def told(name, value, rule="what Keras takes"):
    """Names the argument in the error of a library that looks at it."""
    try:
        yield
    # Each library has errors of its own.
    except Exception as error:
        refuse(name, value, f"{rule} ({one_line(error, 150)})")


# Where Keras looks up an argument, by the last word of its name.
_LOOKUPS = {
    "activation": "activations",
    "initializer": "initializers",
    "regularizer": "regularizers",
    "constraint": "constraints",
}
_FLAGS = ("trainable", "use_bias", "synchronized", "renorm")


def of_keras(name, value):
    """What Keras finds for an argument such as `kernel_initializer`."""
    import keras

    with told(name, value):
        found = getattr(keras, _LOOKUPS[name.rpartition("_")[2]]).get(value)
        if not (found is None or callable(found)):
            raise TypeError("it cannot be called")
        return found


def _option(name, value):
    """A layer's option in plain types, refused where Keras would fail late."""
    import keras

    if name in _FLAGS:
        return flag(name, value)
    if name == "name":
        return layer_name(name, value)
    if name == "dtype":
        with told(name, value, "a dtype or a policy of Keras"):
            keras.dtype_policies.get(value)
    elif name.rpartition("_")[2] in _LOOKUPS:
        of_keras(name, value)
    return value


@contextlib.contextmanager
def told_options(options):
    """Options for a layer of Keras, in plain types; its errors name them."""
    options = {name: _option(name, value) for name, value in options.items()}
    try:
        yield options
    # Keras has other errors for each.
    except Exception as error:
        given = ", ".join(f"{n}={shown(v)}" for n, v in options.items())
        raise TypeError(
            f"Keras does not take these arguments: {given} "
            f"({one_line(error, 150)})"
        ) from error
