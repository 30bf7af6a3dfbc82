"""A small checkpoint, a cache of its own, and a server in Drive's place."""

import numpy as np
import pytest

from keras_pyconv.weights import catalog, files, torch_shapes
from tests.reference import rule
from tests.weights import drive, torch_writer

VARIANT = "PyConvResNetMini"


@pytest.fixture(scope="session")
def arrays():
    """What the authors would publish for the small network."""
    values = rule.weights(torch_shapes(VARIANT))
    values["bn1.num_batches_tracked"] = np.array(7)
    return values


@pytest.fixture(scope="session")
def checkpoint(arrays, tmp_path_factory):
    """The bytes of that file, of the old kind as the authors' are."""
    path = tmp_path_factory.mktemp("checkpoint") / "w.pth"
    torch_writer.save(path, arrays, old=True)
    return path.read_bytes()


@pytest.fixture
def published(monkeypatch):
    """The row of the catalogue for it."""
    row = catalog.Published(VARIANT, "imagenet", "the-id", {})
    monkeypatch.setitem(catalog.PUBLISHED, (VARIANT, "imagenet"), row)
    return row


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of the cache, empty."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return files.cache_folder()


@pytest.fixture
def server(monkeypatch):
    """The server; `requests` asks it instead of Google."""
    pytest.importorskip("gdown", reason="the downloader is not installed")
    adapters = pytest.importorskip("requests").adapters
    running = drive.Drive()
    send = adapters.HTTPAdapter.send

    def send_here(adapter, request, **options):
        request.url = running.here(request.url)
        return send(adapter, request, **options)

    monkeypatch.setattr(adapters.HTTPAdapter, "send", send_here)
    yield running
    running.close()
