"""`python -m keras_pyconv.weights FILE` checks, converts and compares."""

import numpy as np
import pytest

from keras_pyconv.models import build_classifier
from keras_pyconv.weights import __main__ as command
from keras_pyconv.weights import files, sources, torch_shapes
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
    assert sources.is_whole(written)
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
        (["FILE", "--network", "ResNetMini"], "ResNetMini"),
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


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    "name", ["mine.npz", "mine.npz.sha256", "mine.npz.json"]
)
def test_what_is_there_is_not_written_over(file, tmp_path, name, capsys):
    (tmp_path / name).write_text("mine")
    before = content(tmp_path)
    assert run(file, "--no-report") == 2
    error = capsys.readouterr().err
    assert f"{name}' exists already, so nothing was written" in error
    assert "--overwrite" in error and error.count("\n") == 1
    assert content(tmp_path) == before
    assert run(file, "--no-report", "--overwrite") == 0
    assert sources.is_whole(tmp_path / "mine.npz")


def test_a_file_of_another_purpose_stays(file, tmp_path):
    (tmp_path / "mine.json").write_text("{}")
    assert run(file, "--no-report") == 0
    assert (tmp_path / "mine.json").read_text() == "{}"


@pytest.mark.parametrize("name", ["w.weights.h5", "w.weights.h5.sha256"])
def test_weights_of_keras_are_not_written_over(file, tmp_path, name):
    (tmp_path / name).symlink_to("nowhere")
    words = (file, "--no-report", "--output", tmp_path / "w.weights.h5")
    before = sorted(tmp_path.iterdir())
    assert run(*words) == 2
    assert sorted(tmp_path.iterdir()) == before
    assert run(*words, "--overwrite") == 0
    assert sources.is_whole(tmp_path / "w.weights.h5")


def test_the_file_given_is_not_written_over_when_told_to(tmp_path, arrays):
    path = files.write_arrays(tmp_path / "mine.npz", arrays)
    before = content(tmp_path)
    (tmp_path / "other.npz").hardlink_to(path)
    for output in (path, tmp_path / "other.npz"):
        words = (path, "--no-report", "--overwrite", "--output", output)
        assert run(*words) == 2
    assert content(tmp_path) == {**before, "other.npz": path.read_bytes()}


def test_what_is_kept_is_not_replaced_unless_told_so(
    file, published, cache, arrays, tmp_path, capsys
):
    words = ("--set", "imagenet", "--no-report")
    assert run(file, *words) == 0
    kept = content(cache)
    other = {**arrays, "fc.bias": arrays["fc.bias"] + 1}
    path = files.write_arrays(tmp_path / "other.npz", other)
    assert run(path, *words) == 2
    assert "exists already" in capsys.readouterr().err
    assert content(cache) == kept
    assert run(path, *words, "--overwrite") == 0
    assert content(cache) != kept
    # What is damaged is of no use to anyone.
    (cache / f"{published.name}.npz").write_bytes(b"damaged")
    assert run(file, *words) == 0
    assert content(cache).keys() == kept.keys()


@pytest.mark.parametrize(
    "name, array",
    [
        ("fc.bias", np.zeros(())),
        ("fc.bias", np.zeros((0,), "float32")),
        ("conv1.weight", np.zeros((64, 0, 7, 7), "float32")),
        ("fc.bias", np.full(1000, "a")),
        ("\x1b[2J" + "x" * 10**4, np.zeros(2)),
    ],
    ids=["a scalar", "nothing", "no channels", "text", "escapes"],
)
@pytest.mark.parametrize("output", ["w.npz", "w.weights.h5"])
def test_what_no_network_has_is_refused_in_one_line(
    tmp_path, arrays, name, array, output, capsys
):
    np.savez(tmp_path / "given.npz", **{**arrays, name: array})
    words = ("--no-report", "--output", tmp_path / output)
    assert run(tmp_path / "given.npz", *words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and len(error) < 700
    assert error.strip().isprintable()
    assert len(list(tmp_path.iterdir())) == 1
