"""What the checker asks a SavedModel, and what it may answer.

Every signature is asked for two examples together and each of them alone,
and for what users send by mistake or at the edge. Numbers are random; files
and other strings come from the export's own warm-up requests, since nobody
can guess them.
"""

import numpy as np

from keras_pyconv.export.inspect import random_arrays
from keras_pyconv.export.signatures.images import INPUT as FILES
from keras_pyconv.export.signatures.images import (
    as_objects,
    example_images,
    serialized_examples,
)
from keras_pyconv.lazy import tf

LARGE = 255.0  # somebody sends pixels that nothing was subtracted from
JUNK = b"\xff\xd8\xff\xe0 this only begins as a picture does"
PLAIN = ("both", "first", "second", "zeros", "pictures")


def edge_images():
    """Files that are images, though not as one expects them: an array."""
    generator = np.random.default_rng(0)
    shapes = [(1, 1, 3), (2, 300, 3), (70, 50, 1), (40, 60, 4)]
    pixels = [generator.integers(0, 256, s).astype(np.uint8) for s in shapes]
    return as_objects([tf.io.encode_png(one).numpy() for one in pixels])


def broken_images(good):
    """The good file, three that cannot be read, and the good one again."""
    return as_objects([good, JUNK, good[: len(good) // 2], b"", good])


def fitting(warmup, specs):
    """The warm-up requests, if they are to the signatures of `specs`.

    Raises:
        ValueError: one asks for another signature, or with other inputs.
    """
    for name, arrays in warmup:
        known = specs[name].inputs if name in specs else {}
        if sorted(arrays) != sorted(known) or not all(
            map(np.ndim, arrays.values())
        ):
            raise ValueError(
                f"A warm-up request is to {name!r} with {', '.join(arrays)}, "
                f"and it must be to one of {', '.join(specs)} with that "
                "one's inputs, each of a batch."
            )
    return warmup


def _from_warmup(warmup, signature, name, count):
    """Rows of an input, from the longest request that the export brought."""
    requests = [
        arrays[name]
        for asked, arrays in warmup
        if asked == signature and np.size(arrays.get(name, ()))
    ]
    if not requests:
        return None
    rows = max(requests, key=len)
    return np.resize(rows, (count, *rows.shape[1:]))


def example_rows(name, spec, warmup, size, count):
    """Examples of one signature by input, or None where nobody can guess.

    Open axes of numbers are `size`.
    """
    if any(tensor.shape.rank is None for tensor in spec.inputs.values()):
        return None
    texts = {k for k, one in spec.inputs.items() if one.dtype == tf.string}
    numbers = {k: one for k, one in spec.inputs.items() if k not in texts}
    arrays = random_arrays(numbers.values(), count, size)
    rows = dict(zip(numbers, arrays))
    for key in texts:
        rows[key] = _from_warmup(warmup, name, key, count)
        if rows[key] is None and key == FILES:
            rows[key] = example_images(count, 96, 128)
        if rows[key] is None:
            return None
    return rows


def _picture_questions(spec, both):
    """What is asked of a signature that takes the files of pictures."""
    (key, files), *others = both.items()
    if others or np.ndim(files) != 1:
        return
    if spec.method != "predict" and key == "inputs":
        good = example_images(1, 96, 128)[0]
        wrap = serialized_examples
    elif key == FILES:
        good, wrap = files[0], np.asarray
    else:
        return
    yield "pictures", {key: wrap(edge_images())}
    yield "broken", {key: wrap(broken_images(good))}


def questions(name, spec, warmup=(), size=64):
    """The requests that prove one signature, given its `SignatureSpec`.

    Pairs of a kind and the inputs by name: "both", "first" and "second" are
    two examples and each of them; "zeros" and "large" are of numbers,
    "pictures" and "broken" of files; "empty" is a batch of none, and "again"
    is both after it. None where the signature takes strings that nobody can
    guess and that do not stand in `warmup`. Open axes are `size`.
    """
    both = example_rows(name, spec, warmup, size, count=2)
    if both is None:
        return []
    asked = [
        ("both", both),
        ("first", {key: array[:1] for key, array in both.items()}),
        ("second", {key: array[1:] for key, array in both.items()}),
    ]
    numbers = {k for k, array in both.items() if array.dtype != object}
    if len(numbers) == len(both):
        first = dict(asked)["first"]
        zeros = {key: np.zeros_like(array) for key, array in first.items()}
        asked.append(("zeros", zeros))
        if all(array.dtype.kind == "f" for array in both.values()):
            large = {k: (LARGE * a).astype(a.dtype) for k, a in first.items()}
            asked.append(("large", large))
    asked += _picture_questions(spec, both)
    asked.append(("empty", {key: array[:0] for key, array in both.items()}))
    return [*asked, ("again", both)]
