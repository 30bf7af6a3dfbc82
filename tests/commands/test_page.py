"""The snippets of docs/command.md run one after the other."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "command.md"


def image(path, seed):
    draw = np.random.default_rng(seed)
    coarse = draw.integers(0, 256, (4, 4, 3)).astype("uint8")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize((48, 40)).save(path)


@pytest.mark.ci
def test_the_snippets_of_the_page_run(tmp_path):
    for number in range(24):
        name = ("cat", "dog")[number % 2]
        image(tmp_path / "pets" / name / f"{number}.jpg", number)
    for number in range(3):
        image(tmp_path / "photos" / f"{number}.jpg", 100 + number)
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.S)
    commands = [
        line
        for block in blocks
        for line in block.replace("\\\n", " ").strip().splitlines()
    ]
    assert len(commands) == 10
    root = PAGE.parents[1]
    paths = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    for command in commands:
        words = shlex.split(command)
        assert words[0] == "keras-pyconv"
        python = f"{shlex.quote(sys.executable)} -m keras_pyconv "
        done = subprocess.run(
            python + command.removeprefix("keras-pyconv "),
            shell=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (command, done.stderr[-2000:])
    for name in ("answers", "by_litert"):
        assert (tmp_path / name / "answers.csv").read_text().count("\n") == 4
    assert (tmp_path / "answers" / "report.html").stat().st_size > 3000
