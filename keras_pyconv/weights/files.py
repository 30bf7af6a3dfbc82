"""Published weights: found in the cache, or fetched, checked and converted.

The cache is `models/keras_pyconv` in Keras's folder (`KERAS_HOME`, by default
`~/.keras`). Of a downloaded pickle only arrays stay, as `.npz`.
"""

import contextlib
import json
import os
import pathlib
import re
import sys
import tempfile

import numpy as np

from keras_pyconv.arguments import instance
from keras_pyconv.provenance import today
from keras_pyconv.reading import one_line, short
from keras_pyconv.weights import sources
from keras_pyconv.weights.catalog import Published
from keras_pyconv.weights.torch_files import read_arrays
from keras_pyconv.weights.torch_shapes import COUNTER, find_variant
from keras_pyconv.writing import locked, make_folder, write_atomically

# Of one answer of the server; a file may take as long as it needs.
_TIMEOUT_SECONDS = 60
_RETRIES = 3
# Words of requests and gdown, which hold several addresses of objects.
_UNREACHED = re.compile(
    "NameResolution|NewConnection|ConnectTimeout|ProxyError"
)


def cache_folder() -> pathlib.Path:
    """Where converted weights are kept."""
    home = os.environ.get("KERAS_HOME") or os.path.join("~", ".keras")
    folder = pathlib.Path(home).expanduser()
    return folder / "models" / "keras_pyconv"


def written(path) -> tuple[str, str, str]:
    """The files that `write_arrays` writes: arrays, checksum and note."""
    path = os.fspath(path)
    return path, sources.checksum_path(path), f"{path}.json"


def write_arrays(path, arrays, **about) -> pathlib.Path:
    """Writes arrays as `.npz`, with a `.sha256` and a `.json` beside it.

    Counters of batches are left out, and floating point numbers become float32.
    The `.json` says what is `about` them.
    """
    path = pathlib.Path(path)
    kept = {
        name: array.astype("float32") if array.dtype.kind == "f" else array
        for name, array in arrays.items()
        if not name.endswith(COUNTER)
    }
    note = {**about, "arrays": len(kept), "date": today()}
    with sources.replacing_with_checksum(path) as beside:
        with open(beside, "wb") as file:
            np.savez(file, **kept)
    write_atomically(f"{path}.json", json.dumps(note, indent=2) + "\n")
    return path


def read_checked(source, variant=None):
    """A checkpoint's network and arrays; a ValueError where they do not fit.

    `source` is as for `read_arrays`; a `variant` of None is found out.
    """
    found = []

    def check(arrays):
        with sources.refused(source):
            found.append(find_variant(arrays, variant))
            for name, array in arrays.items():
                if array.dtype.kind not in sources.REAL:
                    told = f"{short(name)} holds no numbers but {array.dtype}"
                    raise ValueError(told)

    arrays = read_arrays(source, check)
    with sources.refused(source):
        for name, array in arrays.items():
            if not sources.is_finite(array):
                raise ValueError(f"{short(name)} holds NaN or infinity")
    return found[0], arrays


def convert(source, path, variant=None, **about) -> str:
    """Checks a checkpoint and writes it by `write_arrays`; names its network.

    A `variant` of None is found out; what does not fit is a ValueError.
    """
    variant, arrays = read_checked(source, variant)
    write_arrays(
        path,
        arrays,
        variant=variant,
        source_sha256=sources.checksum(source),
        source_bytes=os.path.getsize(source),
        **about,
    )
    return variant


def _by_hand(published):
    return (
        f"By hand: open {published.page} in a browser, save the file, and run "
        f"`python -m keras_pyconv.weights FILE --set {published.set}`; after "
        "that it is found without a network."
    )


class _Retries:
    """Standard error, where one line stands for all that gdown retries."""

    def __init__(self, stream):
        self._stream, self._count, self._skips = stream, 0, False

    def write(self, text):
        """Passes the text on."""
        ends_skipped, self._skips = self._skips and text == "\n", False
        if text.startswith("Retrying ("):
            self._count += 1
            self._skips = self._count > 1
            text = "The server does not answer; trying again ..."
        if not (self._skips or ends_skipped):
            self._stream.write(text)

    def __getattr__(self, name):
        return getattr(self._stream, name)


def _download(published, path):
    what = f"the weights {published.set!r} of {published.variant}"
    try:
        import gdown
    except ImportError:
        raise ImportError(
            f"Downloading {what} needs gdown, which is not installed: pip "
            f"install gdown. {_by_hand(published)}"
        ) from None
    try:
        with contextlib.redirect_stderr(_Retries(sys.stderr)):
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
        why = one_line(error)
        if _UNREACHED.search(str(error)):
            why = "the server cannot be reached"
        raise ConnectionError(
            f"Could not download {what} from {published.address}: {why}. "
            f"{_by_hand(published)}"
        ) from error


def cache_path(published: Published) -> pathlib.Path:
    """The path of the converted file of published weights."""
    return cache_folder() / f"{published.name}.npz"


def fetch(published: Published) -> pathlib.Path:
    """The converted file of published weights; downloaded where it is not.

    One of several processes fetches, the others wait. A file whose checksum is
    another one is fetched anew.

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
    instance("published", published, Published)
    path = cache_path(published)
    folder = path.parent
    if sources.is_whole(path):
        return path
    make_folder(folder)
    with locked(folder / f".{published.name}.lock"):
        if sources.is_whole(path):
            return path
        with tempfile.TemporaryDirectory(dir=folder, prefix=".") as scratch:
            downloaded = pathlib.Path(scratch) / f"{published.name}.pth"
            _download(published, downloaded)
            keep(downloaded, published)
    return path


def keep(source, published: Published) -> pathlib.Path:
    """Converts a checkpoint of published weights into the cache."""
    path = cache_path(published)
    about = {"set": published.set, "address": published.page}
    about["licence"] = published.licence
    convert(source, path, published.variant, **about)
    return path
