"""Settings become options, files of settings, and a run again."""

import dataclasses
import pathlib
import subprocess
import sys
from typing import Literal

import pytest

from recipes import command_line, groups
from recipes.settings import FILE, Rate, as_dict, option, override, write


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """The rate.

    It falls with time.
    """

    name: Literal["sgd", "adamw"] = option("sgd", "which", flag="optimizer")
    rate: Rate = option(0.1, "at first", flag="learning-rate")


@dataclasses.dataclass(frozen=True)
class Settings:
    """All that there is."""

    variant: str = option("Large", "a name", flag="network", was="variant")
    data: str | None = option(None, "a folder", is_data=True)
    depth: Literal[8, 16] = option(8, "of the network")
    scales: tuple[float, float] = option((0.5, 2.0), "from and to")
    names: tuple[str, ...] | None = option(None, "of classes")
    flip: bool = option(True, "mirror 50 % of the images", was="mirror")
    optimizer: Optimizer = Optimizer()
    run: groups.Run = groups.Run()


PRESETS = (
    groups.smoke(variant="Small", optimizer={"rate": 0.5}),
    ("optimizer.name", "adamw", {"optimizer": {"rate": 0.001}}),
)


def parse(*words):
    doc = "What it does.\n\nWhy: a paper.\n"
    return command_line.parse(doc, Settings(), words, PRESETS)


def refused(capsys, *words):
    """The line that a command line is refused with."""
    with pytest.raises(SystemExit) as end:
        parse(*words)
    assert end.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


# Options ----------------------------------------------------------------------


def test_without_options_the_settings_are_the_recipes():
    assert parse() == Settings()


def test_every_field_is_an_option():
    found = parse(
        *"--network A --data d --depth 16 --scales 1 2 --names x y".split(),
        *"--no-flip --optimizer sgd --learning-rate 3 --workdir w".split(),
    )
    assert found == Settings(
        variant="A",
        data="d",
        depth=16,
        scales=(1.0, 2.0),
        names=("x", "y"),
        flip=False,
        optimizer=Optimizer(rate=3.0),
        run=groups.Run(workdir=pathlib.Path("w")),
    )


def test_options_are_taken_by_their_old_names_too(capsys):
    found = parse("--variant=A", "--no-mirror")
    assert (found.variant, found.flip) == ("A", False)
    assert parse("--variant", "A", "--mirror") == parse("--network=A")
    said = capsys.readouterr().err
    assert "--variant is called --network now" in said
    assert "--no-mirror is called --no-flip now" in said


def test_values_that_go_with_another_stand_beneath_what_is_named():
    assert parse("--smoke").optimizer.rate == 0.5
    assert parse("--smoke").variant == "Small"
    assert parse("--smoke", "--network=Large").variant == "Large"
    assert parse("--optimizer=adamw").optimizer.rate == 0.001
    named = parse("--optimizer=adamw", "--learning-rate=2")
    assert named.optimizer.rate == 2.0


def test_help_says_what_each_option_is_and_what_it_stands_at(capsys):
    with pytest.raises(SystemExit) as end:
        parse("--help")
    assert not end.value.code
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("usage: ") and said.endswith("Why: a paper.")
    assert said.index("What it does.") < said.index("options:")
    assert "The rate: It falls with time." in said
    for words in (
        "--network NAME a name (Large)",
        "--data NAME a folder --depth",
        "--depth {8,16} of the network (8)",
        "--scales X X from and to (0.5 2)",
        "--flip, --no-flip mirror 50 % of the images (yes)",
        "--learning-rate X at first (0.1)",
    ):
        assert words in said


MISTAKES = {
    "--learning-rate=0": "optimizer.rate must be a number, above 0.",
    "--learing-rate=1": "The nearest known one: --learning-rate",
    "--depth=9": "invalid choice: 9 (choose from 8, 16)",
    "--scales=1": "expected 2 arguments",
    "--optimizer=rms": "invalid choice: 'rms'",
    "--smoke --data=mine": "--smoke makes its own data; leave out --data",
    "--stop-after=0": "run.stop_after must be a whole number, at least 1, or",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_wrong_option_ends_in_one_line(words, capsys):
    line = refused(capsys, *words.split())
    assert " error: " in line and MISTAKES[words] in line


# Values of a file -------------------------------------------------------------

WRONG = {
    "optimizer.rte": (
        1,
        "Unknown setting optimizer.rte. The nearest known one",
    ),
    "optimizer": (1, "optimizer is a group: optimizer.name, optimizer.rate"),
    "flip": ("no", "flip must be true or false. Received: 'no'"),
    "depth": (9, "depth must be one of 8, 16. Received: 9"),
    "scales": ([1], "scales must be a list of 2, each a number. Received: [1]"),
    "names": ("x", "a list of one or more, each text, or null. Received: 'x'"),
    "variant": (None, "variant must be text. Received: None"),
    "run.devices": (1.5, "must be a whole number, at least 1, or null"),
    "optimizer.rate": (True, "must be a number, above 0. Received: True"),
}


@pytest.mark.parametrize("path", WRONG)
def test_a_wrong_value_is_refused_with_its_path(path, capsys):
    value, message = WRONG[path]
    tree = {path: value}
    if "." in path:
        group, name = path.split(".")
        tree = {group: {name: value}}
    with pytest.raises(ValueError) as error:
        override(Settings(), tree)
    assert message in str(error.value)


def test_numbers_that_yaml_reads_as_text_are_numbers():
    tree = {"optimizer": {"rate": "1e-5"}, "variant": 50}
    found = override(Settings(), tree)
    assert found.optimizer.rate == 1e-5 and found.variant == "50"


def test_a_written_file_holds_what_the_run_is_and_not_where_it_was(tmp_path):
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    found = parse("--scales", "1", "2", f"--workdir={tmp_path}", "--devices=2")
    write(found, tmp_path)
    tree = yaml.safe_load((tmp_path / FILE).read_text())
    assert "workdir" not in tree["run"] and tree["run"]["devices"] == 2
    moved = dataclasses.replace(found.run, workdir=Settings().run.workdir)
    again = override(Settings(), tree)
    assert again == dataclasses.replace(found, run=moved)


def test_what_decides_a_result_is_told_apart_from_the_rest():
    decides = as_dict(Settings(), "decides")
    assert decides["optimizer.rate"] == 0.1 and decides["scales"] == [0.5, 2]
    assert "run.strategy" not in decides and "run.workdir" not in decides


def test_without_model_garden_the_command_says_what_to_install(
    capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "official.modeling.hyperparams", None)
    monkeypatch.setitem(sys.modules, "official", None)
    line = refused(capsys, "--set", "variant=A")
    assert "pip install '.[official]'" in line


@pytest.mark.official
class TestWithModelGarden:
    """Files and words, read by `params_dict`."""

    def test_a_file_stands_beneath_words_and_these_beneath_options(
        self, tmp_path
    ):
        file = tmp_path / "mine.yaml"
        file.write_text("variant: A\nscales: [1, 2]\noptimizer: {rate: 1e-4}\n")
        config = ("--config", str(file))
        found = parse(*config)
        assert (found.variant, found.optimizer.rate) == ("A", 1e-4)
        assert found.scales == (1.0, 2.0)
        words = (
            "--set",
            "variant=B,optimizer.rate=2e-4",
            "--set",
            "flip=false",
        )
        found = parse(*config, *words)
        assert (found.variant, found.optimizer.rate) == ("B", 2e-4)
        assert not found.flip and found.scales == (1.0, 2.0)
        assert parse(*config, *words, "--network=C").variant == "C"

    def test_the_names_of_model_garden_do_too(self, tmp_path):
        file = tmp_path / "mine.yaml"
        file.write_text("variant: A\ndepth: 16\n")
        words = [f"--config_file={file}", "--params_override=variant=B"]
        found = parse(*words)
        assert (found.variant, found.depth) == ("B", 16)

    def test_a_written_file_repeats_the_settings(self, tmp_path):
        words = "--depth 16 --scales 1 3 --optimizer adamw --smoke --names x"
        found = parse(*words.split())
        write(found, tmp_path)
        file = tmp_path / FILE
        assert parse("--config", str(file)) == found

    def test_a_list_is_set_by_words(self):
        assert parse("--set", "scales=[1, 4]").scales == (1.0, 4.0)
        assert parse("--set", "names=null").names is None

    WRONG = {
        "--config nowhere.yaml": "there is no file nowhere.yaml",
        "--set optimizer.rte=1": "Unknown setting optimizer.rte. The nearest",
        "--set variant": "--set takes PATH=VALUE, such as optimizer.rate=0.2",
        "--set flip=[": "--set takes PATH=VALUE",
    }

    @pytest.mark.parametrize("words", WRONG)
    def test_a_mistake_is_said(self, words, capsys):
        assert self.WRONG[words] in refused(capsys, *words.split())

    @pytest.mark.parametrize("text", ["just words", "a: [", "- 1\n- 2\n"])
    def test_a_file_that_holds_no_settings_is_refused(
        self, text, tmp_path, capsys
    ):
        file = tmp_path / "broken.yaml"
        file.write_text(text)
        line = refused(capsys, "--config", str(file))
        assert "is not settings in YAML" in line


# Mistakes ---------------------------------------------------------------------


def test_before_the_work_a_mistake_ends_in_one_line(capsys):
    def main():
        with command_line.before_the_work():
            raise FileNotFoundError("There is no\n folder pets.")

    with pytest.raises(SystemExit) as end:
        command_line.from_shell(main)
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.endswith("error: There is no folder pets.\n")
    assert said.count("\n") == 1


def test_a_package_that_is_missing_is_named_before_the_work():
    with pytest.raises(command_line.Mistake) as error:
        with command_line.before_the_work():
            command_line.require("no_such_package", extra="recipes")
    assert str(error.value) == (
        "no_such_package is not installed: pip install '.[recipes]' in the "
        "clone"
    )


def test_an_error_of_the_work_keeps_its_traceback():
    def main():
        with command_line.before_the_work():
            pass
        raise ValueError("deep inside")

    with pytest.raises(ValueError, match="deep inside"):
        command_line.from_shell(main)


RECIPES = sorted(
    path.stem
    for path in pathlib.Path(command_line.__file__).parent.glob("*.py")
    if 'if __name__ == "__main__":' in path.read_text()
)


@pytest.mark.parametrize("recipe", RECIPES)
def test_help_does_not_wait_for_tensorflow(recipe):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", f"recipes.{recipe}", "-h"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stdout.startswith("usage: ")
    imported = {
        line.rpartition("|")[2].strip() for line in done.stderr.split("\n")
    }
    assert not imported & {"tensorflow", "keras", "numpy", "keras_pyconv"}
