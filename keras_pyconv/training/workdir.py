"""A run's folder: what made it, and that one process writes there at a time.

The fact a reader would get wrong: constants are compared, versions are not. A
folder whose run was started with another rate is refused; one that was started
with another TensorFlow goes on with a message, since going on may be what the
update was for.
"""

import contextlib
import errno
import json
import os
import pathlib
import shutil

from keras_pyconv.provenance import provenance
from keras_pyconv.reading import open_regular
from keras_pyconv.training import checkpoints
from keras_pyconv.training.constants import (
    as_json,
    check_constants,
    differences,
    digest,
)
from keras_pyconv.writing import locked, write_atomically

CONSTANTS = "constants.json"
DIGEST = "sha256_of_constants"


class Workdir:
    """The folder of a run.

    Args:
        path: the folder; it is made by `open`.
        constants: what decides the run's result, as JSON can hold it.
        writes: bool, whether this machine is the one that writes.
    """

    def __init__(self, path, constants, writes=True):
        self.path = pathlib.Path(path)
        self.constants = check_constants(constants)
        self.writes = writes
        self.checkpoints = self.path / "checkpoints"

    @contextlib.contextmanager
    def open(self):
        """Makes, checks and locks the folder; within this it may be used."""
        if not self.writes:
            self._check()
            yield
            return
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            lock = contextlib.ExitStack()
            lock.enter_context(locked(self.path / ".lock", wait=False))
        except BlockingIOError as error:
            raise RuntimeError(
                f"Another process is training in {self.path}; wait for it to "
                "end."
            ) from error
        except OSError as error:
            raise OSError(
                error.errno,
                f"The run's folder {self.path} cannot be written: "
                f"{error.strerror or error}",
            ) from error
        with lock:
            checkpoints.remove_partial(self.checkpoints)
            self._check()
            yield

    def _check(self):
        there = self.recorded()
        if there is None:
            return
        self.refuse(self.different(there["constants"]))

    def different(self, constants):
        """How these constants differ from the run's, in words."""
        return differences(constants, self.constants)

    def recorded(self):
        """The contents of constants.json, or None where there is none.

        Raises:
            ValueError: it is damaged.
        """
        path = self.path / CONSTANTS
        if not os.path.lexists(path):
            return None
        try:
            with open_regular(path) as file:
                return _checked(json.loads(file.read()))
        except (OSError, ValueError, RecursionError) as error:
            raise ValueError(
                f"{path} cannot be read ({error}). Move it away to go on: the "
                "checkpoints hold the constants too."
            ) from error

    def latest_checkpoint(self, say):
        """`(path, arrays, record)` of the newest that can be read, or None."""
        aside = checkpoints.set_aside if self.writes else None
        return checkpoints.latest(self.checkpoints, say, aside)

    def check_room(self, wanted_bytes):
        """Refuses a disk that cannot hold what will be written."""
        free = shutil.disk_usage(self.checkpoints).free
        if free < wanted_bytes:
            raise OSError(
                errno.ENOSPC,
                f"The run's checkpoints need {wanted_bytes / 1e6:.0f} MB and "
                f"the disk of {self.path} has {free / 1e6:.0f} MB left.",
            )

    def refuse(self, different):
        """Raises where something is different."""
        if different:
            raise ValueError(
                f"{self.path} holds a run that is not this one:\n  "
                + "\n  ".join(different)
                + "\nGive another folder, or start with what is there."
            )

    def record(self, say=print):
        """Writes constants.json, or says what has changed since."""
        now = as_json(provenance())
        there = self.recorded()
        if there is None:
            own = {"constants": self.constants, DIGEST: digest(self.constants)}
            text = json.dumps({**own, **now}, indent=2)
            write_atomically(self.path / CONSTANTS, text + "\n")
            return
        changed = [
            *differences(there.get("versions", {}), now["versions"]),
            *differences(*[{"commit": r.get("commit")} for r in (there, now)]),
        ]
        if changed:
            say(
                "Since this run was started these have changed, so it may "
                "not go on to the bit: " + "; ".join(changed)
            )


def _checked(record):
    """What constants.json holds, unless it was damaged or edited."""
    for part in ("constants", "versions"):
        if not isinstance(record, dict) or type(record.get(part)) is not dict:
            raise ValueError(f"it holds no {part}")
    constants = check_constants(record["constants"])
    if record.get(DIGEST, digest(constants)) != digest(constants):
        raise ValueError("its constants are not those that were written")
    return record
