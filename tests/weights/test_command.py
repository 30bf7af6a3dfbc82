"""`python -m keras_pyconv.weights FILE` checks, converts and compares."""

import numpy as np
import pytest

from keras_pyconv.models import build_classifier
from keras_pyconv.weights import __main__ as command
from keras_pyconv.weights import files, torch_shapes
from tests.reference import rule
from tests.weights.conftest import VARIANT


@pytest.fixture
def file(tmp_path, checkpoint):
    path = tmp_path / "mine.pth"
    path.write_bytes(checkpoint)
    return path


def run(*words):
    return command.main([str(word) for word in words])


def test_a_file_is_named_and_converted_beside_itself(file, capsys):
    assert run(file, "--no-report") == 0
    written = file.with_name("mine.npz")
    assert files.is_whole(written)
    assert f"Wrote {written}: the weights of {VARIANT}." in (
        capsys.readouterr().out
    )


def test_what_is_written_is_what_builders_take(file, tmp_path):
    output = tmp_path / "w.weights.h5"
    assert run(file, "--no-report", "--output", output) == 0
    assert run(file, "--no-report") == 0
    options = {"input_shape": (32, 32, 3)}
    models = [
        build_classifier(VARIANT, weights=path, **options)
        for path in (output, file.with_name("mine.npz"), file)
    ]
    for values in zip(*(model.get_weights() for model in models)):
        np.testing.assert_array_equal(values[0], values[1])
        np.testing.assert_array_equal(values[0], values[2])


def test_a_set_keeps_it_where_its_name_finds_it(file, published, cache, capsys):
    assert run(file, "--set", "imagenet", "--no-report") == 0
    assert "PyConvResNetMini(weights='imagenet')" in capsys.readouterr().out
    build_classifier(VARIANT, weights="imagenet", input_shape=(32, 32, 3))


@pytest.mark.parametrize(
    "row",
    [
        VARIANT,
        "ResNetMini",
        pytest.param("PyConvResNet18", marks=pytest.mark.slow),
        pytest.param("PyConvResNet18BasicBlock1", marks=pytest.mark.slow),
    ],
)
def test_the_report_finds_both_networks_alike(row):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    arrays = rule.weights(torch_shapes(row, classes=11))
    report, good = command.parity_report(row, arrays, side=70)
    assert good, report
    lines = [line.split()[0] for line in report.splitlines()[1:]]
    assert lines == [*(f"stage{i}" for i in range(1, 5)), "logits", "within"]


def test_the_report_notices_a_difference(monkeypatch):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from keras_pyconv.parity import modules

    torch_outputs = modules.torch_outputs
    arrays = rule.weights(torch_shapes(VARIANT, classes=3))

    def other(variant, arrays, images):
        bias = {"bn1.bias": arrays["bn1.bias"] + 0.01}
        return torch_outputs(variant, {**arrays, **bias}, images)

    monkeypatch.setattr(modules, "torch_outputs", other)
    report, good = command.parity_report(VARIANT, arrays, side=64)
    assert not good and "NOT within" in report


def test_without_pytorch_the_report_is_left_out(file, capsys, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    assert run(file) == 0
    assert "No parity report: PyTorch is not" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, message",
    [
        (["lost.pth"], "There is no file 'lost.pth'"),
        (["FILE", "--variant", "ResNetMini"], "ResNetMini"),
        (["FILE", "--set", "imagenet_cutmix"], "'imagenet_cutmix' exists for"),
        (["FILE", "--output", "w.onnx"], "must end in .npz or .weights.h5"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_said_in_one_line(file, words, message, capsys):
    words = [file if word == "FILE" else word for word in words]
    assert run(*words, "--no-report") == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_the_file_given_is_never_written_over(tmp_path, arrays):
    path = files.write_arrays(tmp_path / "mine.npz", arrays)
    before = path.read_bytes()
    assert run(path, "--no-report") == 0
    assert path.read_bytes() == before
    assert (tmp_path / "converted_mine.npz").exists()
