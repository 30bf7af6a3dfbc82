"""What decides a run's result: kept as JSON, and compared when it goes on."""

import hashlib
import json
import math
import re

import numpy as np

_ADDRESS = re.compile(r" at 0x[0-9a-f]+>")


def as_json(values):
    """The values as they come back from a JSON file."""
    return json.loads(json.dumps(values, default=_plain))


def _plain(value):
    """What JSON can hold of another value, the same in every process."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    text = str(value)
    if _ADDRESS.search(text):
        raise ValueError(
            f"{text} is written differently in every process; give its name "
            "or its settings"
        )
    return text


def check_constants(constants):
    """The constants as they come back from a JSON file.

    Args:
        constants: dictionary of what decides the result.

    Raises:
        ValueError: JSON cannot hold them, or one is NaN, which is not even
            equal to itself.
    """
    try:
        constants = as_json(constants)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"JSON cannot hold the constants of the run: {error}."
        ) from error
    for name, value in _leaves(constants):
        if isinstance(value, float) and math.isnan(value):
            raise ValueError(
                "The constants of a run must be equal to themselves when it "
                f"goes on. Received: {name}=nan"
            )
    return constants


def _leaves(values, name=""):
    """`(name, value)` of all within dictionaries and lists: `rate.peak`."""
    if isinstance(values, dict | list) and values:
        pairs = (
            values.items() if isinstance(values, dict) else enumerate(values)
        )
        for part, value in pairs:
            yield from _leaves(value, f"{name}.{part}" if name else str(part))
    else:
        yield name, values


def digest(constants):
    """SHA-256 of constants, whatever order they stand in."""
    text = json.dumps(constants, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def differences(there, here):
    """What two records of constants have different, in words."""
    there, here = dict(_leaves(there)), dict(_leaves(here))
    names = sorted({*there, *here})
    absent = "nothing"
    return [
        f"{name}: {there.get(name, absent)!r} there, "
        f"{here.get(name, absent)!r} here"
        for name in names
        if there.get(name, absent) != here.get(name, absent)
    ]
