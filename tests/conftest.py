"""What tests of several rooms share: one set of small video files.

And which tests depend on the kernels that TensorFlow chooses for a processor,
which on tf-models-official, and that processes they start choose alike.
"""

import importlib.util
import os
import pathlib

import pytest

from keras_pyconv.ops import target
from tests.tasks.video import films

# Recipes and benchmarks turn oneDNN on where nothing is said: too late for this
# process, in which TensorFlow is imported, but not for those that it starts.
# They are to compute alike, so what TensorFlow chose is said here.
os.environ.setdefault(
    "TF_ENABLE_ONEDNN_OPTS",
    str(int(target.cpu_differentiates_groups("float32"))),
)

# Rooms and files whose results follow from convolutions.
KERNELS = (
    "conformance",
    "export/serving/test_saved_model.py",
    "export/test_form.py",
    "layers",
    "models",
    "networks",
    "ops",
    "parity",
    "training/test_resume.py",
)
# Why tests marked `official` do not run, where they do not.
WITHOUT = "tf-models-official is not installed; `make test-official` has it"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    here = pathlib.Path(__file__).parent
    gone = [place for place in KERNELS if not (here / place).exists()]
    if gone:
        raise pytest.UsageError(f"tests/conftest.py names what is gone: {gone}")
    for item in items:
        place = item.path.relative_to(here).as_posix()
        once = item.get_closest_marker("once")
        if place.startswith(KERNELS) and not once:
            item.add_marker("kernels")
    if importlib.util.find_spec("official") is None:
        for item in items:
            if item.get_closest_marker("official"):
                item.add_marker(pytest.mark.skip(reason=WITHOUT))


@pytest.fixture(scope="session")
def film_folder(tmp_path_factory):
    """Sound and broken files by name."""
    pytest.importorskip("av", reason="PyAV is not installed")
    place = tmp_path_factory.mktemp("films")
    films.film(place / "sound.mp4")
    films.film(place / "sound.mkv")
    films.film(place / "sound.avi", name="mpeg4")
    films.film(place / "turned.mp4", rotation=90)
    times = [number + number * number // 7 for number in range(40)]
    films.film(place / "varying.mp4", times=times)
    films.film(place / "one_frame.mp4", frames=1)
    films.film(place / "short.mp4", frames=5)
    films.sound(place / "only_sound.mp4")
    films.cut(place / "cut.mp4", place / "sound.mp4", 0.7)
    films.cut(place / "cut.avi", place / "sound.avi", 0.6)
    films.cut(place / "cut.mkv", place / "sound.mkv", 0.6)
    films.scratched(place / "scratched.mkv", place / "sound.mkv")
    (place / "empty.mp4").touch()
    return place
