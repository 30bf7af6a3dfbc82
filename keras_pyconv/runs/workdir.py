"""A run's folder: what made it, and that one process writes there at a time."""

import contextlib
import csv
import errno
import io
import json
import pathlib
import re
import shutil

import numpy as np

from keras_pyconv.finished import CONSTANTS
from keras_pyconv.provenance import provenance
from keras_pyconv.runs import checkpoints
from keras_pyconv.writing import locked, write_atomically

_ADDRESS = re.compile(r" at 0x[0-9a-f]+>")
_ABSENT = "nothing"


def as_json(constants):
    """What decides a result, as it comes back from a JSON file."""
    try:
        return json.loads(json.dumps(constants, default=_plain))
    except (TypeError, ValueError, RecursionError) as error:
        told = f"JSON cannot hold the constants of the run: {error}."
        raise ValueError(told) from error


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


def _leaves(values, name=""):
    """`(name, value)` of all within dictionaries and lists: `rate.peak`."""
    if isinstance(values, list) and values:
        values = dict(enumerate(values))
    if not isinstance(values, dict) or not values:
        yield name, values
        return
    for part, value in values.items():
        yield from _leaves(value, f"{name}.{part}" if name else str(part))


def differences(there, here):
    """What two records of constants have different, in words."""
    there, here = dict(_leaves(there)), dict(_leaves(here))
    found = []
    for name in sorted({*there, *here}):
        one, other = there.get(name, _ABSENT), here.get(name, _ABSENT)
        # NaN is not equal to itself.
        if one == other or repr(one) == repr(other):
            continue
        if name.endswith(".digest_of_names"):
            found.append("other training examples, by their names")
        else:
            found.append(f"{name}: {one!r} there, {other!r} here")
    return found


class Workdir:
    """The folder of a run; one machine `writes` there."""

    def __init__(self, path, constants, writes=True):
        self.path, self.writes = pathlib.Path(path), writes
        self.constants = as_json(constants)
        self._made = as_json(provenance())
        self.checkpoints = self.path / "checkpoints"

    def say(self, text):
        """A line of its own, on the machine that writes."""
        if self.writes:
            print(text, flush=True)

    @contextlib.contextmanager
    def open(self):
        """Makes and locks the folder; within this it may be used."""
        if not self.writes:
            yield
            return
        with contextlib.ExitStack() as lock:
            try:
                self.checkpoints.mkdir(parents=True, exist_ok=True)
                lock.enter_context(locked(self.path / ".lock", wait=False))
            except BlockingIOError as error:
                told = f"Another process is training in {self.path}"
                raise RuntimeError(f"{told}; wait for it.") from error
            except OSError as error:
                told = f"The run's folder {self.path} cannot be written: "
                told += error.strerror or str(error)
                known = (error.errno,) if error.errno else ()
                raise OSError(*known, told) from error
            checkpoints.remove_partial(self.checkpoints)
            yield

    def latest(self):
        """`(path, state)` of the newest checkpoint to go on from, or None."""
        kept = checkpoints.latest(self.checkpoints, self.say, tidy=self.writes)
        if kept:
            self.refuse(differences(kept[1]["constants"], self.constants))
            self._say_changes(self._made, kept[1]["made"])
            self._made = kept[1]["made"]
        return kept

    def _say_changes(self, now, begun):
        pairs = ((begun[part], now[part]) for part in ("versions", "commit"))
        if changed := sum((differences(*pair) for pair in pairs), []):
            self.say(
                "Since this run was started these have changed, so it may "
                "not go on to the bit: " + "; ".join(changed)
            )

    def refuse(self, different):
        """Raises where something is different."""
        if different:
            raise ValueError(
                f"{self.path} contains a different run: "
                f"{'; '.join(different)}. Use another folder, or the settings "
                "of that run."
            )

    def begin(self, size_bytes):
        """Writes constants.json, where two checkpoints find room."""
        if not self.writes:
            return
        wanted, free = 2 * size_bytes, shutil.disk_usage(self.checkpoints).free
        if free < wanted:
            raise OSError(
                errno.ENOSPC,
                f"The run's checkpoints need {wanted / 1e6:.0f} MB and the "
                f"disk of {self.path} has {free / 1e6:.0f} MB left.",
            )
        # For people; what is compared stands in the checkpoints.
        record = {"constants": self.constants, **self._made}
        text = json.dumps(record, indent=2) + "\n"
        write_atomically(self.path / CONSTANTS, text)

    def save(self, state, keep):
        """Writes a checkpoint, and log.csv, which holds the same epochs."""
        if self.writes:
            kept = {"constants": self.constants, "made": self._made, **state}
            checkpoints.save(self.checkpoints, kept, keep)
            if state["history"]:
                table = _table(state["history"])
                write_atomically(self.path / "log.csv", table)


def _table(history):
    """The epochs as CSV text, a column for every name in any of them."""
    names = list(dict.fromkeys(name for row in history for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()
