"""The other subcommands lead to the code that is there."""

import json

import pytest

from keras_pyconv import commands
from keras_pyconv.commands import doors


def test_networks_are_listed_by_task_size_and_weights(capsys):
    words = ["networks", "--task", "segmentation", "--has-weights"]
    assert commands.main(words) == 0
    rows = capsys.readouterr().out.splitlines()[1:]
    assert any("PyConvSegNetPyConvResNet50" in row for row in rows)
    assert all("ade20k" in row for row in rows if "SegNet" in row)
    assert commands.main(["networks", "--max-parameters", "3.1"]) == 0
    found = capsys.readouterr().out
    assert "PyConvResNetMini" in found and "ResNet50 " not in found
    assert commands.main(["networks", "--max-parameters", "0.001"]) == 1


def test_tables_are_those_of_the_module(capsys):
    assert commands.main(["tables", "--table", "1", "--format", "csv"]) == 0
    assert "ResNet50," in capsys.readouterr().out


def test_models_are_listed_checked_and_served(saved, capsys):
    folder = saved["classification"].parents[1]
    assert commands.main(["list", str(folder)]) == 0
    assert commands.main(["check", str(saved["classification"])]) == 0
    capsys.readouterr()
    (folder / "batching.config").unlink()
    assert commands.main(["serve", str(folder)]) == 0
    told = capsys.readouterr().out
    assert f"cd {folder}" in told and "--model_config_file=/models/" in told
    assert "4 models" in told and (folder / "batching.config").is_file()


def test_a_folder_without_models_is_not_served(tmp_path, capsys):
    assert commands.main(["serve", str(tmp_path)]) == 2
    assert "contains no exported model" in capsys.readouterr().err


@pytest.mark.parametrize(
    "made, recipe, options",
    [
        (
            {
                "variant": "PyConvResNet18",
                "data.side": 96,
                "data.held_back": 0.3,
            },
            "evaluate",
            {"network": "PyConvResNet18", "sides": 96, "held-back": 0.3},
        ),
        (
            {
                "variant": "PyConvResNet3D50",
                "data.side": 112,
                "data.frames": 8,
                "data.stride": 2,
                "test.side": 128,
                "test.clips": 3,
                "test.crops": 1,
            },
            "recognize_kinetics",
            {
                **{"network": "PyConvResNet3D50", "side": 112, "frames": 8},
                **{"stride": 2, "test-side": 128},
                **{"test-clips": 3, "test-crops": 1},
            },
        ),
        (
            {"network.head": "SSD", "network.side": 300},
            "evaluate_detection",
            {"head": "SSD", "side": 300},
        ),
        (
            {
                "network.head": "ppm",
                "network.backbone": "ResNet50",
                "network.output_stride": 8,
            },
            "evaluate_segmentation",
            {"head": "ppm", "backbone": "ResNet50", "output-stride": 8},
        ),
    ],
)
def test_a_run_fills_in_what_its_test_needs(tmp_path, made, recipe, options):
    (tmp_path / "constants.json").write_text(json.dumps({"constants": made}))
    (tmp_path / "net.weights.h5").touch()
    (tmp_path / "settings.yaml").write_text("data:\n  source: pets\n")
    words = doors.words_of_run(None, [str(tmp_path), "--smoke"])
    flag = "only-test" if "frames" in options else "weights"
    options |= {flag: tmp_path / "net.weights.h5", "data": "pets"}
    options["output"] = tmp_path / "report"
    assert words[0] == recipe and words[-1] == "--smoke"
    given = dict(zip(words[1:-1:2], words[2:-1:2]))
    assert given == {f"--{k}": str(v) for k, v in options.items()}
    settings = doors.recipe(recipe).SETTINGS
    module = doors.recipe("command_line")
    module.parse("", settings, words[1:-1])  # it takes them all


def test_a_run_that_goes_on_is_not_measured(tmp_path, capsys):
    (tmp_path / "constants.json").write_text('{"constants": {}}')
    with pytest.raises(SystemExit):
        commands.main(["evaluate", str(tmp_path)])
    assert "has no weights yet" in capsys.readouterr().err
