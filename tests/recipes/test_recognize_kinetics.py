"""The Kinetics recipe trains, goes on, tests by views, on small sets."""

import csv
import json

import numpy as np
import pytest
import tensorflow as tf

from recipes import fitting
from recipes import recognize_kinetics as recipe
from recipes import videos
from tests.recipes.settings_of import settings_of

STEPS = 3843  # of an epoch of Kinetics at a batch of 64


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinetics")
    options = [
        *("--smoke", f"--workdir={folder / 'run'}", f"--data-dir={folder}"),
        *("--strategy=one", "--decoders=1"),
        f"--export-root={folder / 'served'}",
    ]
    return folder, options, *recipe.main(options)


def test_an_epoch_is_trained_and_all_videos_are_tested(run):
    folder, _, (row,), errors = run
    assert row["step"] == 2 and row["loss"] > 0
    assert 0 <= row["val_top1_error"] <= 1
    assert (errors.videos, errors.skipped, errors.views) == (6, 0, 36)
    record = json.loads((folder / "run" / "test.json").read_text())
    assert record["errors"]["top1_error"] == errors.top1_error
    assert record["clips"] == 2 and record["crops"] == 3


def test_written_weights_have_the_same_errors(run):
    folder, options, _, errors = run
    weights = folder / "run" / "PyConvResNet3DMini.weights.h5"
    history, again = recipe.main([*options, f"--only-test={weights}"])
    assert history == [] and again == errors


def test_the_export_answers_frames_as_the_weights_do(run):
    folder, options, *_ = run
    served = tf.saved_model.load(folder / "served" / "1").signatures
    assert {"serving_default", "serve_frames"} <= set(served)
    settings = settings_of(recipe, *options)
    side = settings.data.side
    clip = np.random.default_rng(1).normal(
        size=(1, settings.data.frames, side, side, 3)
    )
    weights = folder / "run" / "PyConvResNet3DMini.weights.h5"
    names = json.loads((folder / "run" / "constants.json").read_text())
    classes = names["constants"]["classes"]
    model = recipe.make_network(settings, len(classes), weights)
    answer = served["serving_default"](tf.constant(clip, tf.float32))
    probabilities = answer["probabilities"].numpy()
    np.testing.assert_allclose(
        probabilities, model.predict(clip, verbose=0), atol=1e-5
    )


def test_the_settings_are_the_papers():
    settings = recipe.SETTINGS
    clips = videos.make_clips(settings)
    assert (clips.frames, clips.stride, clips.size) == (16, 4, 224)
    assert clips.short_sides == (256, 320) and clips.flip
    test = settings.test
    assert (test.clips, test.crops, clips.resize) == (10, 3, 256)
    training = settings.training
    assert (training.batch_size, training.epochs) == (64, 90)
    assert settings.optimizer.weight_decay == 1e-4
    rate = fitting.falling(settings, STEPS)
    for epoch, value in {0: 0.1, 30: 0.01, 60: 1e-3, 80: 1e-4}.items():
        assert float(rate(epoch * STEPS)) == pytest.approx(value)


def test_a_broken_video_is_in_the_report(film_folder, tmp_path):
    for split in ("train", "val"):
        place = tmp_path / split / "run"
        place.mkdir(parents=True)
        for name in ("sound.mp4", "short.mp4", "cut.mp4", "sound.mkv"):
            (place / name).symlink_to(film_folder / name)
    words = "--batch-size=4 --frames=4 --stride=2 --side=32 --decoders=1"
    settings = settings_of(
        recipe,
        *(*words.split(), "--short-sides", "36", "44", f"--data={tmp_path}"),
        f"--workdir={tmp_path / 'run'}",
    )
    data = videos.load_data(settings, tf.distribute.get_strategy())
    list(data.batches(0).take(1))
    with open(tmp_path / "run" / "broken_videos_train.csv") as file:
        (row,) = csv.DictReader(file)
    assert row["video"].endswith("cut.mp4") and row["what"] == "skipped"
    assert data.validation.count == 4
    assert str(data.broken).startswith(
        "Videos that could not be read: 1; at most 1 may be. They are in "
    )
