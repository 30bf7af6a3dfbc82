"""What libraries log goes to a file; what Python says stays on the screen."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).parents[1] / "keras_pyconv" / "diverted.py"
# Alone, as it is run before the package loads.
BEGIN = f"""
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location("diverted", {str(FILE)!r})
diverted = importlib.util.module_from_spec(spec)
spec.loader.exec_module(diverted)
diverted.divert()
os.write(2, b"noise\\n")
print("ours", file=sys.stderr)
"""


@pytest.fixture
def run(tmp_path):
    """Function of a program's end to its process, and the files it left."""

    def run(end=""):
        done = subprocess.run(
            [sys.executable, "-c", BEGIN + end],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
        return done, list(tmp_path.glob("*.log"))

    return run


def test_a_process_that_ends_well_or_by_a_mistake_leaves_no_file(run):
    for end in ("", "sys.exit(2)"):
        done, left = run(end)
        assert (done.stderr, left) == ("ours\n", [])


def test_an_error_names_the_file(run):
    done, (left,) = run("raise ValueError('inside')")
    assert done.stderr.startswith("ours\nTraceback")
    assert done.stderr.endswith(f"What TensorFlow logged is in {left}\n")
    assert left.read_text() == "noise\n"


def test_a_run_keeps_it_in_its_folder(run, tmp_path):
    done, (left,) = run("diverted.keep_in('.'); os.write(2, b'more\\n')")
    assert done.stdout == "TensorFlow's log: tensorflow.log\n"
    assert (tmp_path / "tensorflow.log").read_text() == "noise\nmore\n"
    assert left.name == "tensorflow.log" and done.stderr == "ours\n"


@pytest.mark.parametrize("name", ["absl", "tensorflow"])
def test_warnings_go_with_it_and_errors_are_seen(run, tmp_path, name):
    logs = f"import logging; log = logging.getLogger({name!r}); "
    logs += "log.warning('advice'); log.error('lost'); diverted.keep_in('.')"
    done, _ = run(logs)
    assert (tmp_path / "tensorflow.log").read_text() == "noise\nadvice\n"
    assert "lost" in done.stderr and "advice" not in done.stderr


def test_a_crash_beneath_python_is_seen(run):
    done, _ = run("os.abort()")
    assert done.returncode < 0 and "Fatal Python error: Aborted" in done.stderr
