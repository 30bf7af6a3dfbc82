"""What the tests of training share; their runs draw no curves.

Drawing would take most of their time.
"""

import pytest

from keras_pyconv.training import logs
from tests.training import small


@pytest.fixture(autouse=True)
def no_pictures(request, monkeypatch):
    if "draws" not in request.fixturenames:
        monkeypatch.setattr(logs, "curves", lambda history: b"")


@pytest.fixture
def draws():
    """Asked for by the tests of the curves themselves."""


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory):
    """The small run from its first step to its last: model and history."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "curves", lambda history: b"")
        return small.run(tmp_path_factory.mktemp("unbroken"))
