"""Runs programs and commands in the folder of a snippet."""

import subprocess
import sys


def alone(code, folder):
    """What a program prints in a process of its own."""
    program = folder / "program.py"
    program.write_text(code)
    return _output([str(program)])


def command(words):
    """What a command of this package prints."""
    if words[0] == "keras-pyconv":
        words = ["python", "-m", "keras_pyconv", *words[1:]]
    return _output(words[1:])


def _output(words):
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True
    )
    assert done.returncode == 0, (words, done.stderr[-2000:])
    return done.stdout
