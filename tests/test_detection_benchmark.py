"""PyTorch's detector in the benchmark is ours, and finds the same."""

import json

import numpy as np
import pytest

from benchmarks import detection
from benchmarks.drawn import drawn_outputs
from keras_pyconv.models import PyConvSSD
from keras_pyconv.tasks import DecodeDetections, default_boxes

torch = pytest.importorskip("torch", reason="the other side of the benchmark")


@pytest.fixture(scope="module")
def ours():
    return PyConvSSD("PyConvResNetMini", input_shape=(64, 64, 3))


def _values(shape):
    """Values that depend on nothing but the shape (Keras layout)."""
    values = np.sin(1 + np.arange(np.prod(shape))).reshape(shape)
    return (values * (2 / np.prod(shape[:-1])) ** 0.5).astype("float32")


def test_torch_makes_the_same_detector_as_ours(ours):
    from benchmarks.torch_networks import torch_detector

    theirs = torch_detector("PyConvSSDPyConvResNetMini").eval()
    counts = [
        sum(int(np.prod(v.shape)) for v in ours.trainable_variables),
        sum(p.numel() for p in theirs.parameters()),
    ]
    assert counts[0] == counts[1]
    for variable in ours.weights:
        if len(variable.shape) == 4:
            variable.assign(_values(tuple(variable.shape)))
        elif variable.name == "bias":
            variable.assign(np.zeros(variable.shape))
    for name, parameter in theirs.named_parameters():
        if parameter.ndim == 4:
            rows, columns, *window = parameter.shape
            values = _values((*window, columns, rows)).transpose(3, 2, 0, 1)
            parameter.data = torch.from_numpy(values.copy())
        elif name.startswith("map") and name.endswith("bias"):
            parameter.data.zero_()
    images = np.random.default_rng(1).normal(size=(2, 64, 64, 3)).astype("f4")
    found = theirs(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
    wanted = ours(images)
    for name, output in found.items():
        scale = np.abs(wanted[name]).max()
        np.testing.assert_allclose(
            output.detach().numpy(), wanted[name], atol=1e-4 * scale
        )


def test_torch_decodes_as_ours_does(ours):
    from benchmarks.torch_detection import decode

    boxes = default_boxes(ours)
    drawn = drawn_outputs(2, len(boxes))
    wanted = DecodeDetections.for_model(ours)(
        dict(zip(("offsets", "logits"), drawn))
    )
    answers = decode(torch.from_numpy(boxes), *map(torch.from_numpy, drawn))
    for row, (found, labels, scores) in enumerate(answers):
        count = int(wanted["count"][row])
        assert len(scores) == count > 20
        np.testing.assert_allclose(scores, wanted["scores"][row, :count], 1e-4)
        np.testing.assert_array_equal(labels, wanted["labels"][row, :count])
        np.testing.assert_allclose(
            found, wanted["boxes"][row, :count], atol=1e-4
        )


@pytest.mark.slow
def test_the_command_measures_and_writes_a_record(tmp_path, capsys):
    path = tmp_path / "detection.json"
    record = detection.main(["--smoke", f"--results={path}"])
    assert len(record["rows"]) == len(json.loads(path.read_text())["rows"]) == 5
    printed = capsys.readouterr().out
    assert "SSDResNetMini, PyTorch, channels last: " in printed
    assert " with decoding, " in printed
