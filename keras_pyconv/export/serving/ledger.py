"""The ledger of a folder of models: what each version is and came from.

`ledger.json` stands above the models, one entry for each version. The folders
are the truth: a version without an entry is listed too, and so is an entry
whose folder is gone. The checksum is of the names and contents of all files
of the version, so that a copy somewhere else can be compared.
"""

import dataclasses
import hashlib
import json
import os
import pathlib

from keras_pyconv import provenance
from keras_pyconv.complexity.grid import grid
from keras_pyconv.export.serving.versions import taken_versions
from keras_pyconv.reading import read_json
from keras_pyconv.writing import write_atomically

FILE = "ledger.json"
LOCK = ".ledger.lock"
CHUNK_BYTES = 2**20
HEADINGS = "name version network parameters MB checksum source".split()


@dataclasses.dataclass(frozen=True)
class Entry:
    """One version of one model.

    Attributes:
        name: of the model, its folder's.
        version: positive integer.
        network: name of the Keras model.
        parameters: of the Keras model, moving statistics counted too.
        checksum: SHA-256 of the version's files, in hexadecimal.
        source: the run or file that the weights came from, or empty.
        signatures: names.
        size_bytes: of all files.
        made_with: versions of the packages.
    """

    name: str
    version: int
    network: str = ""
    parameters: int = 0
    checksum: str = ""
    source: str = ""
    signatures: tuple = ()
    size_bytes: int = 0
    made_with: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if type(value) is not field.type:
                raise TypeError(f"`{field.name}` is {value!r}")


def versions_of(packages):
    """Their versions by name, as the ledger keeps them."""
    return {
        name: provenance.version(name, "not installed") for name in packages
    }


def _files_below(folder):
    return sorted(p for p in pathlib.Path(folder).rglob("*") if p.is_file())


def checksum(folder):
    """SHA-256 of the names and contents of all files below a folder."""
    whole = hashlib.sha256()
    for path in _files_below(folder):
        name = path.relative_to(folder).as_posix().encode()
        whole.update(b"%d %s %d " % (len(name), name, path.stat().st_size))
        with open(path, "rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                whole.update(chunk)
    return whole.hexdigest()


def size_bytes(folder):
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in _files_below(folder))


def read_ledger(folder):
    """The entries of a folder of models; none where there is no ledger.

    Raises:
        ValueError: the file is damaged.
    """
    file = pathlib.Path(folder, FILE)
    if not file.exists():
        return []
    try:
        return [
            Entry(**{**row, "signatures": tuple(row.get("signatures", ()))})
            for row in read_json(file)
        ]
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"The ledger {file} is damaged: {error}") from error


def add_entry(folder, entry):
    """Writes an entry into the ledger of a folder that is locked.

    It replaces one of the same name and version.
    """
    rows = {(one.name, one.version): one for one in read_ledger(folder)}
    rows[entry.name, entry.version] = entry
    content = [dataclasses.asdict(rows[key]) for key in sorted(rows)]
    text = json.dumps(content, indent=2) + "\n"
    write_atomically(pathlib.Path(folder, FILE), text)


def versions_below(folder):
    """Pairs of name and version of the SavedModels in a folder of models."""
    return [
        (root.name, version)
        for root in pathlib.Path(folder).iterdir()
        for version in taken_versions(root)
        if (root / str(version) / "saved_model.pb").exists()
    ]


def _state(folder, entry, verify):
    """What is the matter with the version of an entry, or an empty text."""
    place = pathlib.Path(folder, entry.name, str(entry.version))
    if not (place / "saved_model.pb").is_file():
        return "missing"
    is_changed = verify and checksum(place) != entry.checksum
    return "changed" if is_changed else ""


def _refuse_other_folders(folder):
    """Refuses folders that stand in a folder of models, and empty ones."""
    if not folder.is_dir():
        raise ValueError(f"There is no folder of models at {folder}.")
    if (folder / FILE).exists() or versions_below(folder):
        return
    for pattern, above, what in (
        ("[0-9]*/saved_model.pb", "..", "the folder of one model"),
        ("saved_model.pb", "../..", "one version of a model"),
    ):
        if any(folder.glob(pattern)):
            raise ValueError(
                f"{folder} is {what}. Give the folder in which the models "
                f"stand: {os.path.normpath(folder / above)}"
            )
    raise ValueError(f"There is no model in {folder}, and no {FILE}.")


def listing(folder, verify=False):
    """What a folder of models holds.

    Returns:
        List of pairs of an `Entry` and what is the matter with it: empty,
        "missing", "not in the ledger", or, where `verify` has every file
        read and compared with its checksum, "changed".

    Raises:
        ValueError: the ledger is damaged, or the folder is missing, that of
            one model or of a version, or without any model.
    """
    folder = pathlib.Path(folder)
    _refuse_other_folders(folder)
    rows = {
        (entry.name, entry.version): (entry, _state(folder, entry, verify))
        for entry in read_ledger(folder)
    }
    for key in versions_below(folder):
        rows.setdefault(key, (Entry(*key), "not in the ledger"))
    return [rows[key] for key in sorted(rows)]


def table(rows):
    """The lines of a `listing`, for people."""
    cells = [
        [
            entry.name,
            str(entry.version),
            entry.network,
            f"{entry.parameters:,}" * bool(entry.network),
            f"{entry.size_bytes / 1e6:.1f}" * bool(entry.network),
            entry.checksum[:12],
            entry.source + f"  [{state}]" * bool(state),
        ]
        for entry, state in rows
    ]
    words = ("name", "network", "checksum", "source")
    return grid(HEADINGS, cells, words=words)
