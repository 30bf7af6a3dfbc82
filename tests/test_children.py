"""Proves that functions answer in processes of their own, or say why not."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from keras_pyconv.children import Child, ChildEnded, call

MODULE = """
import os, sys, time

def double(value, also=0):
    print("noise on standard output")
    return 2 * value + also

def fail(said):
    print("2026-01-31 12:00:00.1: I tensorflow/core: a log", file=sys.stderr)
    raise ValueError(said)

def variable(name):
    return os.environ.get(name)

def modules(_=None):
    return sorted(sys.modules), sys.stdin.read()

def sleep(seconds):
    time.sleep(seconds)
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "asked"
    (folder / "room").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('heavy')\n")
    (folder / "room" / "functions.py").write_text(MODULE)
    (tmp_path / "light").mkdir()
    (tmp_path / "light" / "__init__.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)


def test_answers_come_in_the_order_of_the_requests(package):
    with Child("light:double") as child:
        child.send(1)
        child.send([2], also=[3])
        assert child.receive(60) == 2
        assert child.receive(60) == [2, 2, 3]
        assert child.is_alive()
    assert not child.is_alive()


def test_a_bare_process_imports_no_package_above_the_module(package):
    with Child("asked.room.functions:modules", bare=True) as child:
        modules, read = child.ask(timeout=60)
    assert "asked.room.functions" in modules and read == ""
    assert not {"keras_pyconv", "numpy", "tensorflow"} & {*modules}
    with pytest.raises(ChildEnded, match="ImportError: heavy"):
        call("asked.room.functions:modules", timeout=60)


def test_variables_are_set_and_left_out(package, monkeypatch):
    monkeypatch.setenv("ASKED_A", "here")
    settings = {"ASKED_A": None, "ASKED_B": "b"}
    found = [
        call("light:variable", name, environment=settings, timeout=60)
        for name in settings
    ]
    assert found == [None, "b"]


def test_an_error_ends_the_process_and_is_told_without_log_lines(package):
    with pytest.raises(ChildEnded, match="^ValueError: no such row$") as info:
        call("light:fail", "no such row", timeout=60)
    assert "a log" in info.value.output and "Traceback" in info.value.output


@pytest.mark.parametrize(
    "code, output, message",
    [
        (-9, "E0000 killed", "ended by signal 9 (out of memory?)"),
        (-11, "", "ended by signal 11"),
        (1, "I0000 a log\n", "I0000 a log"),
        (3, "\n", "exit status 3"),
    ],
)
def test_the_message_says_how_a_process_ended(code, output, message):
    assert str(ChildEnded(code, output)) == message


def test_what_takes_too_long_is_stopped(package):
    with Child("light:sleep") as child:
        child.ask(0, timeout=60)
        with pytest.raises(TimeoutError, match="> 0 s"):
            child.ask(60, timeout=0.05)
        assert not child.is_alive()
        with pytest.raises(ChildEnded, match="signal 9"):
            child.ask(0)


def test_a_process_that_is_killed_from_outside_is_told(package):
    with Child("light:sleep", keep_output=False) as child:
        child.send(60)
        os.kill(child._process.pid, signal.SIGKILL)
        with pytest.raises(ChildEnded, match="signal 9"):
            child.receive(60)


def test_a_process_ends_with_its_object(package):
    child = Child("light:sleep")
    process = child._process
    del child
    assert process.returncode is not None


def test_a_process_ends_with_that_of_the_caller(package, tmp_path):
    script = (
        "import os, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from keras_pyconv.children import Child\n"
        "child = Child('light:double')\n"
        "child.ask(1)\n"
        "print(child._process.pid, flush=True)\n"
        "os._exit(0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    end = time.monotonic() + 30
    while _runs(int(done.stdout)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _runs(int(done.stdout))


def _runs(number):
    try:
        status = pathlib.Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
