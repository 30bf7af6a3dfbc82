"""Every recipe that trains is killed once, and goes on to the same result."""

import importlib
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[2]
SECONDS = 300  # to the first checkpoint
RUN = "--strategy=one --epochs=2 --steps-per-epoch=3 --save-every=1"
RECIPES = {
    "classify_imagenet": RUN,
    "classify_imagenet_cutmix": f"{RUN} --ema=0.9 --optimizer=adamw",
    "convert_keras_model": "--epochs=3",
    "detect_coco": RUN,
    "finetune_folder": f"{RUN} --keep-best=val_loss --label-smoothing=0.1",
    "quickstart": "--epochs=3",
    "recognize_kinetics": f"{RUN} --decoders=1 --accumulate=2",
    "segment_ade20k": f"{RUN} --head=conv",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("interrupted")


def options(recipe, folder, workdir, more=()):
    words = ["--smoke", *RECIPES[recipe].split(), *more]
    words += [f"--data-dir={folder / 'data'}", f"--workdir={workdir}"]
    if recipe == "quickstart":
        words.append(f"--export-root={folder / 'quickstart'}")
    return words


def kill_after_a_checkpoint(recipe, words, workdir):
    """Starts the recipe as a program, and kills it when something is saved."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"recipes.{recipe}", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    end = time.monotonic() + SECONDS
    while not list(workdir.glob("**/checkpoints/step-*.npz")):
        assert process.poll() is None, process.communicate()[0][-2000:]
        assert time.monotonic() < end, "no checkpoint"
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def without_seconds(result):
    """What a recipe gives, as far as it follows from its settings."""
    if isinstance(result, list):
        return [without_seconds(one) for one in result]
    if isinstance(result, dict):
        return {k: v for k, v in result.items() if k != "seconds_a_step"}
    return result


def result_of(recipe, words):
    """The weights where the recipe gives a model, and its figures."""
    found = importlib.import_module(f"recipes.{recipe}").main(words)
    found = found if isinstance(found, tuple) else (found,)
    weights = [one.get_weights() for one in found if hasattr(one, "layers")]
    rest = [one for one in found if not hasattr(one, "layers")]
    return sum(weights, []), without_seconds(rest)


@pytest.mark.ci
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_that_is_killed_ends_as_an_unbroken_one(
    recipe, folder, capsys
):
    check(recipe, folder / recipe, capsys)


@pytest.mark.official
def test_so_does_one_that_distorts_images(folder, capsys):
    more = "--randaugment --mixup=0.4 --random-erasing=0.5".split()
    check("finetune_folder", folder / "distorted", capsys, more)


def check(recipe, folder, capsys, more=()):
    broken = folder / "broken"
    words = options(recipe, folder.parent, broken, more)
    kill_after_a_checkpoint(recipe, words, broken)
    weights, figures = result_of(recipe, words)
    assert "Going on after step" in capsys.readouterr().out
    whole = options(recipe, folder.parent, folder / "whole", more)
    expected_weights, expected_figures = result_of(recipe, whole)
    assert figures == expected_figures
    for mine, theirs in zip(weights, expected_weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)
