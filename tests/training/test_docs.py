"""The examples of docs/training.md run as they are printed."""

import pathlib
import re
import subprocess
import sys

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "training.md"
FIRST, RATES, DEVICES = re.findall(
    r"```python\n(.*?)```", PAGE.read_text(), re.S
)


def test_the_examples_train(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(FIRST, "training.md", "exec"), names)
    first, *_, last = names["history"].history["val_loss"]
    assert last < first
    assert (tmp_path / "runs" / "example" / "log.csv").exists()
    exec(compile(RATES, "training.md", "exec"), names)
    names["model"].compile(names["optimizer"], "mse")
    names["model"].fit(names["x"], names["x"].sum(axis=1), verbose=0)


def test_the_example_of_two_devices_runs():
    # Devices are arranged before anything is computed.
    lines = "import keras", "from keras_pyconv import training", DEVICES
    program = "\n".join(lines)
    program += "assert model.distribute_strategy.num_replicas_in_sync == 2"
    subprocess.run([sys.executable, "-c", program], check=True)
