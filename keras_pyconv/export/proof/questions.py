"""What the checker asks a SavedModel, and users send by mistake.

Files and other strings come from the export's own warm-up requests, since
nobody can guess them.
"""

import numpy as np

from keras_pyconv.export.inspect import random_arrays
from keras_pyconv.export.signatures import images
from keras_pyconv.export.signatures.images import as_objects
from keras_pyconv.lazy import tf

LARGE = 255.0  # somebody sends pixels that nothing was subtracted from
JUNK = b"\xff\xd8\xff\xe0 this only begins as a picture does"
PLAIN = ("both", "first", "second", "zeros", "pictures")


def edge_images():
    """Unusual images: one pixel, a strip, gray, and with transparency."""
    generator = np.random.default_rng(0)
    shapes = [(1, 1, 3), (2, 300, 3), (70, 50, 1), (40, 60, 4)]
    pixels = [generator.integers(0, 256, s).astype(np.uint8) for s in shapes]
    return as_objects([tf.io.encode_png(one).numpy() for one in pixels])


def broken_images(good):
    """The good file, three that cannot be read, and the good one again."""
    return as_objects([good, JUNK, good[: len(good) // 2], b"", good])


def fitting(warmup, specs):
    """The warm-up requests; a ValueError if one fits none of `specs`."""
    for name, arrays in warmup:
        known = specs[name].inputs if name in specs else {}
        are_batches = all(map(np.ndim, arrays.values()))
        if sorted(arrays) != sorted(known) or not are_batches:
            raise ValueError(
                f"A warm-up request calls {name!r} with {', '.join(arrays)}; "
                f"it must call one of {', '.join(specs)} with its inputs, each "
                "with a batch axis."
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
    """Examples of one signature by input, or None for unknown strings."""
    if any(tensor.shape.rank is None for tensor in spec.inputs.values()):
        return None
    texts = {k for k, one in spec.inputs.items() if one.dtype == tf.string}
    numbers = {k: one for k, one in spec.inputs.items() if k not in texts}
    rows = dict(zip(numbers, random_arrays(numbers.values(), count, size)))
    for key in texts:
        rows[key] = _from_warmup(warmup, name, key, count)
        if rows[key] is None and key == images.INPUT:
            rows[key] = images.example_images(count, 96, 128)
        if rows[key] is None:
            return None
    return rows


def _picture_questions(spec, both):
    """What is asked of a signature that takes the files of pictures."""
    (key, files), *others = both.items()
    if others or np.ndim(files) != 1:
        return
    if spec.method != "predict" and key == "inputs":
        good = images.example_images(1, 96, 128)[0]
        wrap = images.serialized_examples
    elif key == images.INPUT:
        good, wrap = files[0], np.asarray
    else:
        return
    yield "pictures", {key: wrap(edge_images())}
    yield "broken", {key: wrap(broken_images(good))}


def questions(name, spec, warmup=(), size=64):
    """The requests that prove one signature: pairs of a kind and the inputs.

    "both", "first" and "second" are two examples and each of them; "zeros" and
    "large" are of numbers, "pictures" and "broken" of files; "empty" is a batch
    of none, and "again" is both after it. No requests where the signature takes
    strings that are not in `warmup`.
    """
    both = example_rows(name, spec, warmup, size, count=2)
    if both is None:
        return []

    def each(change):
        return {key: change(array) for key, array in both.items()}

    asked = {
        "both": both,
        "first": each(lambda array: array[:1]),
        "second": each(lambda array: array[1:]),
    }
    kinds = {array.dtype.kind for array in both.values()}
    if "O" not in kinds:
        asked["zeros"] = each(lambda array: np.zeros_like(array[:1]))
    if kinds == {"f"}:
        asked["large"] = each(lambda a: (LARGE * a[:1]).astype(a.dtype))
    asked |= _picture_questions(spec, both)
    asked["empty"] = each(lambda array: array[:0])
    return [*asked.items(), ("again", both)]
