"""What tells two sets of examples apart without reading one of them.

A run keeps the fingerprint of its training data, so that it does not go on
with other data unnoticed. It follows from the names of the examples and what
stands beside them in lists, such as labels, not from pixels; nor from where a
folder lies, so that data may be moved.
"""

import hashlib
import os

import numpy as np


def digest(*columns):
    """SHA-256 of columns of a set, in the order of the examples.

    Args:
        *columns: lists of strings or numbers, or arrays.

    Returns:
        64 hexadecimal digits.
    """
    found = hashlib.sha256()
    for column in columns:
        if isinstance(column, np.ndarray):
            content = column.tobytes()
        else:
            # No name of a file holds the byte 0.
            content = b"".join(os.fsencode(str(v)) + b"\0" for v in column)
        found.update(len(content).to_bytes(8, "little") + content)
    return found.hexdigest()


def below(root, paths):
    """The paths as they are named from a folder on.

    Args:
        root: the folder.
        paths: strings; those that do not begin with it stay as they are.
    """
    start = os.path.join(root, "")
    return [path.removeprefix(start) for path in paths]


def tfds_digest(builder, split):
    """SHA-256 of what a split of TFDS says of its files and examples.

    TFDS names an example by its file and place, so that this stands for the
    names; the bytes in all files tell apart what was prepared of other data.

    Args:
        builder: of TFDS, prepared.
        split: as `splits.tfds_split` gives it.

    Returns:
        64 hexadecimal digits, or None where a builder that was made by hand
        does not say what it has.
    """
    splits = builder.info.splits
    base = split.partition("[")[0]
    if base not in splits:
        return None
    files = [
        f"{os.path.basename(file.filename)} {file.skip} {file.take}"
        for file in splits[split].file_instructions
    ]
    return digest([builder.info.full_name, splits[base].num_bytes], files)
