"""What the checker asks a SavedModel, and what it may answer.

Every signature is asked for two examples together and each of them alone,
and for what users send by mistake or at the edge. Numbers are random; files
and other strings come from the export's own warm-up requests, since nobody
can guess them.
"""

import io
import struct
import zlib

import numpy as np

from keras_pyconv.export.pictures import example_pictures, serialized_examples
from keras_pyconv.export.warmup import random_array

FILES = "image_bytes"  # the input that holds the files of pictures
LARGE = 255.0  # somebody sends pixels that nothing was subtracted from
JUNK = b"\xff\xd8\xff\xe0 this only begins as a picture does"
PLAIN = ("both", "first", "second", "zeros", "pictures")


def png(pixels):
    """The PNG file of 8-bit pixels, without any package for pictures.

    Args:
        pixels: uint8 array `(height, width, channels)`: 1 gray, 3 colours,
            4 colours and transparency.

    Returns:
        Bytes.
    """
    height, width, channels = pixels.shape
    kind = {1: 0, 3: 2, 4: 6}[channels]
    rows = pixels.reshape(height, -1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    file = io.BytesIO()
    file.write(b"\x89PNG\r\n\x1a\n")
    for name, content in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)),
        (b"IDAT", zlib.compress(data)),
        (b"IEND", b""),
    ):
        body = name + content
        file.write(struct.pack(">I", len(content)) + body)
        file.write(struct.pack(">I", zlib.crc32(body)))
    return file.getvalue()


def _as_objects(items):
    array = np.empty(len(items), object)
    array[:] = items
    return array


def edge_pictures():
    """Files that are pictures, though not as one expects them: an array."""
    generator = np.random.default_rng(0)
    shapes = [(1, 1, 3), (2, 300, 3), (70, 50, 1), (40, 60, 4)]
    return _as_objects(
        [png(generator.integers(0, 256, s).astype(np.uint8)) for s in shapes]
    )


def broken_pictures(good):
    """The good file, three that cannot be read, and the good one again."""
    return _as_objects([good, JUNK, good[: len(good) // 2], b"", good])


def _from_warmup(warmup, signature, name):
    """Two rows of an input, from the requests that the export brought."""
    rows = [
        arrays[name]
        for asked, arrays in warmup
        if asked == signature and name in arrays
    ]
    if not rows:
        return None
    most = max(rows, key=len)
    return most[[0, min(1, len(most) - 1)]]


def _two_rows(name, spec, warmup, size):
    """Two examples of one signature, or None where nobody can guess."""
    generator = np.random.default_rng(0)
    both = {}
    for key, tensor in spec.inputs.items():
        if tensor.shape is None:
            return None
        if tensor.dtype != "string":
            shape = (2, *tensor.shape[1:])
            both[key] = random_array(tensor.dtype, shape, generator, size)
            continue
        both[key] = _from_warmup(warmup, name, key)
        if both[key] is None and key == FILES:
            both[key] = example_pictures(2, 96, 128)
        if both[key] is None:
            return None
    return both


def _picture_questions(spec, both):
    """What is asked of a signature that takes the files of pictures."""
    (key, files), *others = both.items()
    if others or np.ndim(files) != 1:
        return
    if spec.method != "predict" and key == "inputs":
        good = example_pictures(1, 96, 128)[0]
        wrap = serialized_examples
    elif key == FILES:
        good, wrap = files[0], np.asarray
    else:
        return
    yield "pictures", {key: wrap(edge_pictures())}
    yield "broken", {key: wrap(broken_pictures(good))}


def questions(name, spec, warmup=(), size=64):
    """The requests that prove one signature.

    Args:
        name: of the signature.
        spec: its `SignatureSpec`.
        warmup: what `read_warmup` returned.
        size: of every axis that the signature leaves open.

    Returns:
        List of pairs of a kind and the inputs by name: "both", "first" and
        "second" are two examples and each of them; "zeros" and "large" are
        of numbers, "pictures" and "broken" of files; "empty" is a batch of
        none, and "again" is both after it. Empty where the signature takes
        strings that nobody can guess.
    """
    both = _two_rows(name, spec, warmup, size)
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
