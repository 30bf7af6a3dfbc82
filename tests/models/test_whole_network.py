"""Whole networks compute the same in every process a user may start.

Without oneDNN, TensorFlow's graph mode fuses a native grouped convolution with
the batch normalization behind it into a kernel that refuses groups; eager mode
does not show it. The last stage of PyConvHGResNet is the case to mind.
"""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.models import whole_network

# It tries the settings of oneDNN by itself.
pytestmark = [pytest.mark.ci, pytest.mark.once]
ENVIRONMENTS = {
    "onednn_off": {"TF_ENABLE_ONEDNN_OPTS": "0"},
    "onednn_on": {"TF_ENABLE_ONEDNN_OPTS": "1"},
    "native": {"TF_ENABLE_ONEDNN_OPTS": "0", "KERAS_PYCONV_CONV": "native"},
    "jax": {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        # Compiling takes most of the time.
        "XLA_FLAGS": "--xla_backend_optimization_level=0",
    },
}
HAS_JAX = importlib.util.find_spec("jax") is not None


def start(environment, task, folder):
    """A process that runs `task`, and the path of its results."""
    path = folder / f"{environment}.npz"
    process = subprocess.Popen(
        [sys.executable, whole_network.__file__, path, task],
        env={**os.environ, **ENVIRONMENTS[environment]},
        stderr=subprocess.PIPE,
        text=True,
    )
    return process, path


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """All processes at once, {environment: (process, path)}."""
    folder = tmp_path_factory.mktemp("whole_network")
    started = {
        environment: start(environment, "PyConvHGResNet50", folder)
        for environment in ("onednn_off", "native")
    }
    started["onednn_on"] = start("onednn_on", "PyConvHGResNet50:train", folder)
    if HAS_JAX:
        started["jax"] = start("jax", "PyConvResNet50", folder)
    yield started
    for process, _ in started.values():
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def expected(processes):
    """What eager mode computes here, while the processes run."""
    return {
        **whole_network.results("PyConvHGResNet50", True, eagerly=True),
        **whole_network.results("PyConvResNet50", False, eagerly=True),
    }


def assert_same(process, path, expected):
    _, errors = process.communicate(timeout=580)
    assert process.returncode == 0, errors[-3000:]
    values = np.load(path)
    assert values.files
    for what in values.files:
        # Normalizing by 8 values a channel amplifies rounding in training.
        scale = 1e-3 if what.endswith("logits_after") else 1e-5
        difference = np.abs(values[what] - expected[what]).max()
        assert difference <= scale * np.abs(expected[what]).max(), what


@pytest.mark.parametrize("onednn", ["onednn_off", "onednn_on"])
def test_graph_mode_equals_eager_mode(onednn, processes, expected):
    assert_same(*processes[onednn], expected)


def test_native_groups_are_kept_from_the_fusion(processes, expected):
    assert_same(*processes["native"], expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    "onednn, network",
    [
        ("onednn_off", "PyConvHGResNet50"),
        ("onednn_off", "PyConvResNet50"),
        ("onednn_on", "PyConvResNet50"),
    ],
)
def test_a_step_in_graph_mode_equals_eager_mode(onednn, network, tmp_path):
    process = start(onednn, f"{network}:train", tmp_path)
    expected = whole_network.results(network, True, eagerly=True)
    assert_same(*process, expected)


@pytest.mark.skipif(not HAS_JAX, reason="JAX is not installed")
def test_jax_computes_what_tensorflow_computes(processes, expected):
    assert_same(*processes["jax"], expected)
