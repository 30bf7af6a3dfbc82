"""Two devices train as one does with the same batch."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from tests.training import on_two_devices, small

ROOT = pathlib.Path(__file__).parents[2]
pytestmark = pytest.mark.ci  # a minute of two cores


@pytest.fixture(scope="module")
def results(start, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mirrored")
    process = start(on_two_devices.train, folder)
    process.join()
    assert process.exitcode == 0
    return json.loads((folder / "results.json").read_text())


def _assert_close(found, wanted):
    for a, b in zip(found["weights"], wanted["weights"], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    for row, other in zip(found["history"], wanted["history"], strict=True):
        assert row == pytest.approx(other, rel=1e-4)


@pytest.mark.parametrize(
    "two, one",
    [
        ("synchronized", "plain"),
        # Each device normalizes its own half, as one does with the halves in
        # turn.
        ("plain", "in halves"),
        ("unnormalized, in halves", "unnormalized"),
        ("averaged", "averaged"),
        ("validated", "validated"),
        ("every second epoch", "every second epoch"),
        ("class weights", "class weights"),
        ("sample weights", "sample weights"),
        ("several optimizers", "several optimizers"),
    ],
)
def test_two_devices_end_with_the_weights_of_one(two, one, results):
    _assert_close(results["two"][two], results["one"][one])


def test_parts_of_a_batch_end_with_the_weights_of_the_whole(results):
    one = results["one"]
    _assert_close(one["unnormalized, in halves"], one["unnormalized"])


def test_a_run_of_two_devices_goes_on_with_one(results):
    _assert_close(results["moved"], results["one"]["plain"])


def test_batch_normalization_sees_a_device_unless_synchronized(results):
    histories = [results[place]["plain"]["history"] for place in ("two", "one")]
    losses = [[row["loss"] for row in history] for history in histories]
    assert not np.allclose(*losses, rtol=1e-3)


@pytest.mark.parametrize(
    "name",
    ["averaged", "class weights", "sample weights", "several optimizers"],
)
def test_it_is_not_the_plain_run(name, results):
    one = results["one"]
    kernels = [one[n]["weights"][0] for n in (name, "synchronized")]
    assert not np.allclose(*kernels, rtol=1e-3)


@pytest.mark.parametrize("devices", ["one", "two"])
def test_validation_comes_with_the_epochs_it_is_asked_for(devices, results):
    history = results[devices]["every second epoch"]["history"]
    assert ["val_loss" in row for row in history] == [False, True, False]


def test_a_broken_run_ends_as_the_unbroken_one_to_the_bit(results):
    assert results["broken"] == results["whole"]


@pytest.mark.slow
@pytest.mark.parametrize("switch", ["0", "1"])
def test_it_does_so_with_onednn_on_and_off(switch, tmp_path):
    code = (
        "import pathlib, sys; from tests.training import on_two_devices as on;"
        "on.break_off(pathlib.Path(sys.argv[1]))"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": switch},
        check=True,
    )
    for whole, broken in json.loads((tmp_path / "results.json").read_text()):
        assert broken == whole


def test_what_fills_up_a_batch_does_not_count_on_two_devices(results):
    one, two = results["held out"]
    assert two == pytest.approx(one, rel=1e-5)
    # Of the 11 examples alone.
    model = small.model()
    x, y, weights = next(iter(small.held_out(11)))
    assert one == pytest.approx(
        model.evaluate(x, y, verbose=0, return_dict=True), rel=1e-5
    )


def test_figures_are_of_all_examples_on_any_devices(results):
    scores, truth, labels = on_two_devices.scores()
    counted = np.arange(13) % 3 > 0
    order = np.argsort(-scores, axis=1)
    place = (order == truth[:, np.newaxis]).argmax(axis=1)
    valid = labels != 255
    right = scores.argmax(axis=1) == labels
    losses = keras.losses.sparse_categorical_crossentropy(
        truth, scores, from_logits=True
    ).numpy()
    wanted = {
        "top1_error": (place[counted] >= 1).mean(),
        "top5_error": (place[counted] >= 5).mean(),
        "pixel_accuracy": right[valid].mean(),
        "pixel_loss": losses[valid].mean(),
    }
    one, two = results["figures"]
    for name, value in wanted.items():
        assert one[name] == pytest.approx(value, rel=1e-5)
        assert two[name] == pytest.approx(value, rel=1e-5)
    assert two["mean_iou"] == pytest.approx(one["mean_iou"])


@pytest.mark.parametrize(
    "what, said",
    [
        ("accumulation", "training.accumulate_gradients(model, 2) instead"),
        ("executions", "steps_per_execution=1"),
        (
            "batch",
            "2 equal parts (2 devices). The nearest sizes that can: 6 or 8.",
        ),
        (
            "metric",
            "variable top1_error/total was created outside of strategy.",
        ),
        (
            "optimizer",
            "variable SGD/iteration was created outside of strategy.",
        ),
        ("late", "call make_strategy before"),
        ("same", "True"),
    ],
)
def test_what_cannot_be_is_refused_in_words(what, said, results):
    assert said in results["refused"][what]
