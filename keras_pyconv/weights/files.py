"""Published weights: found in the cache, or fetched, checked and converted.

The cache is `models/keras_pyconv` in Keras's folder (`KERAS_HOME`, by default
`~/.keras`). A file there is an `.npz` archive of arrays in the authors' names,
with a `.json` beside it that holds its checksum and where it came from.

The fact a reader would get wrong: what was downloaded is not kept. It is a
pickle; it is read once, by a reader that runs nothing, and only arrays stay.
"""

import datetime
import hashlib
import json
import os
import pathlib
import tempfile

import numpy as np

from keras_pyconv.weights.catalog import Published
from keras_pyconv.weights.torch_files import read_arrays
from keras_pyconv.weights.torch_shapes import find_variant
from keras_pyconv.writing import locked, replacing

_COUNTER = ".num_batches_tracked"
_CHUNK = 1 << 20
# Of one answer of the server; a file may take as long as it needs.
_TIMEOUT_SECONDS = 60
_RETRIES = 3


def cache_folder() -> pathlib.Path:
    """Where converted weights are kept."""
    home = os.environ.get("KERAS_HOME") or os.path.join("~", ".keras")
    folder = pathlib.Path(home).expanduser()
    return folder / "models" / "keras_pyconv"


def checksum(path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def write_arrays(path, arrays, **about) -> pathlib.Path:
    """Writes arrays as `.npz`, and a `.json` with their checksum beside it.

    Both are written whole or not at all. Counters of batches are left out,
    and floating point numbers become float32.

    Args:
        path: File to write, ending in `.npz`.
        arrays: From names to arrays.
        about: What else the `.json` says, such as the network's name.

    Returns:
        The path.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {
        name: array.astype("float32") if array.dtype.kind == "f" else array
        for name, array in arrays.items()
        if not name.endswith(_COUNTER)
    }
    with replacing(path) as beside:
        with open(beside, "wb") as file:
            np.savez(file, **kept)
        digest = checksum(beside)
    note = {**about, "arrays": len(kept), "sha256": digest}
    note["date"] = datetime.date.today().isoformat()
    with replacing(path.with_suffix(".json")) as beside:
        beside.write_text(json.dumps(note, indent=2) + "\n")
    return path


def is_whole(path) -> bool:
    """Whether a file by `write_arrays` is there, as it was written."""
    path = pathlib.Path(path)
    try:
        note = json.loads(path.with_suffix(".json").read_text())
        return checksum(path) == note["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def convert(source, path, variant=None, **about) -> str:
    """Checks a checkpoint and writes it as `write_arrays` does.

    Args:
        source: Path of a checkpoint, as `read_arrays` takes it.
        path: File to write, ending in `.npz`.
        variant: Name of the network that it must be of; None finds it out.
        about: What else the `.json` says.

    Returns:
        The name of the network.

    Raises:
        ValueError: if it cannot be read or does not fit; one line says why.
    """
    arrays = read_arrays(source)
    try:
        variant = find_variant(arrays, variant)
        _check_finite(arrays)
    except ValueError as error:
        raise ValueError(
            f"{os.fspath(source)!r} is refused: {error}."
        ) from None
    write_arrays(
        path,
        arrays,
        variant=variant,
        source_sha256=checksum(source),
        source_bytes=os.path.getsize(source),
        **about,
    )
    return variant


def _check_finite(arrays):
    for name, array in arrays.items():
        if array.dtype.kind not in "fiub":
            raise ValueError(f"{name!r} holds no numbers but {array.dtype}")
        with np.errstate(over="ignore"):
            if not np.isfinite(array.astype("float32")).all():
                raise ValueError(f"{name!r} holds NaN or infinity")


def _by_hand(published):
    return (
        f"By hand: open {published.page} in a browser, save the file, and run "
        f"`python -m keras_pyconv.weights FILE --set {published.set}`; after "
        "that it is found without a network."
    )


def _download(published, path):
    """Fetches the file to `path`, with a progress bar."""
    what = f"the weights {published.set!r} of {published.variant}"
    try:
        import gdown
    except ImportError:
        raise ImportError(
            f"Fetching {what} needs gdown, which is not installed: pip install "
            f"gdown. {_by_hand(published)}"
        ) from None
    try:
        gdown.download(
            published.address,
            os.fspath(path),
            use_cookies=False,
            timeout=_TIMEOUT_SECONDS,
            retries=_RETRIES,
        )
    # Requests, gdown and the system fail in their own ways; the user needs
    # what to do.
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines()]
        cause = " ".join(line for line in lines if line).rstrip(".")
        raise ConnectionError(
            f"Could not fetch {what} from {published.address}: "
            f"{cause or type(error).__name__}. {_by_hand(published)}"
        ) from error


def fetch(published: Published) -> pathlib.Path:
    """The converted file of published weights; downloaded where it is not.

    Several processes may ask at once: one fetches, the others wait. A file
    whose checksum is another one is fetched anew.

    Args:
        published: A row of the catalogue.

    Returns:
        Path of an `.npz` in the cache.

    Raises:
        ConnectionError: if it cannot be downloaded; the message says how to
            get it by hand.
        ImportError: if gdown is not installed; likewise.
        ValueError: if what came is a web page, cut short, of another network,
            or holds more than tensors; one line says which.
    """
    folder = cache_folder()
    path = folder / f"{published.name}.npz"
    if is_whole(path):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / f".{published.name}.lock"):
        if is_whole(path):
            return path
        with tempfile.TemporaryDirectory(dir=folder, prefix=".") as scratch:
            downloaded = pathlib.Path(scratch) / f"{published.name}.pth"
            _download(published, downloaded)
            keep(downloaded, published)
    return path


def keep(source, published: Published) -> pathlib.Path:
    """Converts a file that is there already into the cache.

    Args:
        source: Path of the checkpoint.
        published: The row of the catalogue that it is.

    Returns:
        Path of the `.npz` in the cache.
    """
    path = cache_folder() / f"{published.name}.npz"
    convert(
        source,
        path,
        published.variant,
        set=published.set,
        address=published.page,
        licence=published.licence,
    )
    return path
