"""Levels of pyramids on several devices, by `tests/layers/divided.py`."""

import ast
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import keras_pyconv
from keras_pyconv.placement import allotted

PROOFS = Path(__file__).with_name("divided.py")
NAMES = [
    node.name
    for node in ast.parse(PROOFS.read_text()).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("proves_")
]


@functools.cache
def failed():
    environment = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    ended = subprocess.run(
        [sys.executable, "-m", "tests.layers.divided"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.mark.ci
@pytest.mark.parametrize("name", NAMES)
def test_two_devices(name):
    assert failed()[name] is None, failed()[name]


@pytest.mark.parametrize(
    "costs, count, places",
    [
        ((9, 25, 49, 81), 2, (1, 1, 1, 0)),
        ((9, 6, 6, 5), 2, (0, 1, 1, 0)),
        ((9, 6, 6, 5), 4, (0, 1, 2, 3)),
        ((1, 1, 1), 2, (0, 1, 0)),
        ((7,), 2, (0,)),
    ],
)
def test_levels_are_allotted_by_their_cost(costs, count, places):
    assert allotted(costs, count) == places


def test_a_device_that_is_not_here_is_named():
    with pytest.raises(ValueError, match="`devices` .*'GPU:9'. are none"):
        keras_pyconv.level_devices(["CPU:0", "GPU:9"])
    assert keras_pyconv.PyConv(8).devices is None
