"""A file can harm neither the run nor the process that decodes it."""

import concurrent.futures
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from keras_pyconv.tasks.video import Decoders, UnreadableVideo
from tests.tasks.video import films

CLIP = {"frames": 4, "stride": 2, "clips": 1, "crops": 1, "size": 32}


@pytest.fixture(scope="module")
def decoders(film_folder):
    decoders = Decoders(2)
    yield decoders
    decoders.close()


def start_of(decoders, path):
    views, _ = decoders("view_clips", str(path), **CLIP)
    return films.number_of(views[0, 0])


def test_threads_share_the_processes(decoders, film_folder):
    names = ["sound.mp4", "sound.mkv", "sound.avi", "short.mp4"] * 3
    with concurrent.futures.ThreadPoolExecutor(6) as threads:
        paths = [film_folder / name for name in names]
        found = list(threads.map(lambda p: start_of(decoders, p), paths))
    assert found == [16, 16, 16, 0] * 3
    assert len(decoders._alive) <= 2


def test_a_reason_comes_back_and_the_process_lives_on(decoders, film_folder):
    start_of(decoders, film_folder / "sound.mp4")
    alive = set(decoders._alive)
    with pytest.raises(UnreadableVideo, match="one frame"):
        start_of(decoders, film_folder / "one_frame.mp4")
    assert start_of(decoders, film_folder / "sound.mp4") == 16
    assert alive <= decoders._alive


def test_a_crash_is_a_reason_and_another_process_takes_over(film_folder):
    decoders = Decoders(1)
    start_of(decoders, film_folder / "sound.mp4")
    (process,) = decoders._alive
    os.kill(process._process.pid, signal.SIGSTOP)
    decoders.timeout = 0.2
    with pytest.raises(UnreadableVideo, match="more than 0 seconds"):
        start_of(decoders, film_folder / "sound.mp4")
    decoders.timeout = 60
    assert start_of(decoders, film_folder / "sound.mp4") == 16
    (process,) = decoders._alive
    os.kill(process._process.pid, signal.SIGKILL)
    process._process.wait()
    assert start_of(decoders, film_folder / "sound.mp4") == 16
    decoders.close()


def test_the_processes_hold_neither_tensorflow_nor_keras(decoders, film_folder):
    start_of(decoders, film_folder / "sound.mp4")
    for process in decoders._alive:
        maps = pathlib.Path(f"/proc/{process._process.pid}/maps").read_text()
        assert "tensorflow" not in maps and "libav" in maps


def test_they_end_with_the_object(film_folder):
    decoders = Decoders(1)
    start_of(decoders, film_folder / "sound.mp4")
    (process,) = (child._process for child in decoders._alive)
    del decoders
    assert process.returncode is not None


BUSY = """
import sys
from keras_pyconv.tasks.video import Decoders
decoders = Decoders(1)
options = {"frames": 4, "stride": 2, "clips": 1, "size": 9}
decoders("view_clips", sys.argv[1], crops=1, **options)
(process,) = decoders._alive
print(process._process.pid, flush=True)
decoders("view_clips", sys.argv[1], crops=10**9, **options)
"""


def test_a_busy_process_does_not_outlive_the_one_that_started_it(film_folder):
    path = str(film_folder / "sound.mp4")
    with subprocess.Popen(
        [sys.executable, "-c", BUSY, path], stdout=subprocess.PIPE
    ) as parent:
        number = int(parent.stdout.readline())
        parent.kill()
    for _ in range(100):
        state = pathlib.Path(f"/proc/{number}/stat")
        # One that ended and is not yet waited for is a Z.
        if not state.exists() or state.read_text().split()[2] == "Z":
            return
        time.sleep(0.1)
    os.kill(number, signal.SIGKILL)
    pytest.fail("the decoding process lived on for 10 seconds")


def test_no_processes_are_refused():
    with pytest.raises(ValueError, match="positive.*0"):
        Decoders(0)
