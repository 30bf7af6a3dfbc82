"""The ledger of a folder of models: what each version is and came from.

The folders are the truth: a version without an entry is listed too, and so is
an entry whose folder is gone.
"""

import dataclasses
import hashlib
import json
import os
import pathlib

from keras_pyconv.complexity.grid import grid
from keras_pyconv.export.serving.versions import taken_versions
from keras_pyconv.reading import explained, read_json
from keras_pyconv.writing import write_atomically

FILE = "ledger.json"
LOCK = ".ledger.lock"
HEADINGS = "name version network parameters MB checksum source".split()


@dataclasses.dataclass(frozen=True)
class Entry:
    """One version of one model, as the ledger keeps it."""

    name: str
    version: int
    network: str = ""  # the Keras model's name
    parameters: int = 0  # moving statistics counted too
    checksum: str = ""
    source: str = ""  # the run or file that the weights came from
    signatures: tuple = ()
    size_bytes: int = 0
    made_with: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if type(value) is not field.type:
                raise TypeError(f"`{field.name}` is {value!r}")


def _files_below(folder):
    return sorted(p for p in pathlib.Path(folder).rglob("*") if p.is_file())


def checksum(folder):
    """SHA-256 of the names and contents of all files below a folder."""
    whole = hashlib.sha256()
    for path in _files_below(folder):
        name = path.relative_to(folder).as_posix().encode()
        whole.update(b"%d %s %d " % (len(name), name, path.stat().st_size))
        with open(path, "rb") as file:
            hashlib.file_digest(file, lambda: whole)
    return whole.hexdigest()


def size_bytes(folder):
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in _files_below(folder))


def read_ledger(folder):
    """The entries of a folder of models; a ValueError if they are damaged."""
    file = pathlib.Path(folder, FILE)
    if not file.exists():
        return []
    with explained(f"The ledger {file} is damaged"):
        return [
            Entry(**{**row, "signatures": tuple(row.get("signatures", ()))})
            for row in read_json(file)
        ]


def add_entry(folder, entry):
    """Writes an entry, in place of an older one, into a locked ledger."""
    rows = {(one.name, one.version): one for one in read_ledger(folder)}
    rows[entry.name, entry.version] = entry
    content = [dataclasses.asdict(rows[key]) for key in sorted(rows)]
    text = json.dumps(content, indent=2) + "\n"
    write_atomically(pathlib.Path(folder, FILE), text)


def _state(folder, entry, verify):
    """The state of a version: empty, "missing" or "changed"."""
    place = pathlib.Path(folder, entry.name, str(entry.version))
    if not (place / "saved_model.pb").is_file():
        return "missing"
    return "changed" * (verify and checksum(place) != entry.checksum)


def _versions_below(folder):
    """Names and versions of the SavedModels in a folder of models."""
    if not folder.is_dir():
        raise ValueError(f"There is no folder of models at {folder}.")
    found = [
        (root.name, version)
        for root in folder.iterdir()
        for version in taken_versions(root)
        if (root / str(version) / "saved_model.pb").exists()
    ]
    if found or (folder / FILE).exists():
        return found
    for pattern, above, what in (
        ("[0-9]*/saved_model.pb", "..", "the folder of one model"),
        ("saved_model.pb", "../..", "one version of a model"),
    ):
        if any(folder.glob(pattern)):
            raise ValueError(
                f"{folder} is {what}. Pass the folder that contains the "
                f"models: {os.path.normpath(folder / above)}"
            )
    raise ValueError(f"There is no model in {folder}, and no {FILE}.")


def listing(folder, verify=False):
    """What a folder of models holds: pairs of an `Entry` and its state.

    The state is empty, "missing", "not in the ledger" or, where `verify` has
    every file read, "changed". A folder of anything else is a ValueError.
    """
    folder = pathlib.Path(folder)
    below = _versions_below(folder)
    rows = {key: (Entry(*key), "not in the ledger") for key in below}
    for entry in read_ledger(folder):
        state = _state(folder, entry, verify)
        rows[entry.name, entry.version] = entry, state
    return [rows[key] for key in sorted(rows)]


def table(rows):
    """A `listing` as a text table."""
    cells = []
    for entry, state in rows:
        sizes = f"{entry.parameters:,}", f"{entry.size_bytes / 1e6:.1f}"
        sizes = sizes if entry.network else ("", "")
        source = entry.source + f"  [{state}]" * bool(state)
        named = entry.name, str(entry.version), entry.network
        cells.append([*named, *sizes, entry.checksum[:12], source])
    words = ("name", "network", "checksum", "source")
    return grid(HEADINGS, cells, words=words)
