"""Early stopping, the best weights, class weights, AdamW, and runs repeated."""

import dataclasses

import keras
import numpy as np
import pytest
from PIL import Image

from recipes import finetune_folder, fitting, sources
from recipes.command_line import Mistake
from tests.recipes.settings_of import settings_of

COUNTS = {"cat": 10, "dog": 6, "fox": 4}
ROW = "PyConvResNetMini"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three classes, of which one has few images."""
    root = tmp_path_factory.mktemp("fitting")
    rng = np.random.default_rng(1)
    for number, (name, count) in enumerate(COUNTS.items()):
        (root / "pets" / name).mkdir(parents=True)
        for image in range(count):
            pixels = rng.integers(0, 60, (40, 40, 3)) + 60 * number
            path = root / "pets" / name / f"{image}.png"
            Image.fromarray(pixels.astype("uint8")).save(path)
    return root


def options(folder, workdir, *more):
    return [
        *(f"--data={folder / 'pets'}", f"--workdir={folder / workdir}"),
        *f"--network={ROW} --weights=none --freeze=4 --side=32".split(),
        *"--batch-size=5 --strategy=one".split(),
        *more,
    ]


@pytest.fixture(scope="module")
def stopped(folder):
    """A run in which nothing gets better after the first epoch."""
    words = "--learning-rate=1e-30 --warmup-epochs=0 --epochs=9 --patience=2"
    more = "--class-weights=balanced --label-smoothing=0.1 --optimizer=adamw"
    words = [*words.split(), *more.split(), "--keep-best=val_top1_error"]
    return finetune_folder.main(options(folder, "stopped", *words))


def test_training_stops_when_nothing_gets_better(stopped):
    _, history = stopped
    assert [row["epoch"] for row in history] == [1, 2, 3]


def test_the_best_weights_are_kept_beside_the_last(stopped, folder):
    model, _ = stopped
    best = folder / "stopped" / f"{model.name}.best.weights.h5"
    again = keras.models.clone_model(model)
    again.load_weights(best)
    for mine, theirs in zip(model.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(mine, theirs)
    assert (folder / "stopped" / f"{model.name}.weights.h5").exists()


def test_a_metric_that_is_not_measured_is_refused_before_training(folder):
    words = options(folder, "refused", "--keep-best=val_top1_eror")
    with pytest.raises(Mistake, match="nearest known one: val_top1_error"):
        finetune_folder.main(words)
    assert not list((folder / "refused").rglob("step-*.npz"))


def test_a_place_that_no_export_can_have_is_refused_before_training(folder):
    (folder / "file").touch()
    words = options(folder, "unmade", f"--export-root={folder / 'file'}")
    with pytest.raises(Mistake, match="file is a file"):
        finetune_folder.main(words)
    assert not (folder / "unmade").exists()


def test_errors_and_losses_are_better_when_lower():
    lower = {"val_loss", "val_top1_error"}
    for name in ("val_loss", "val_top1_error", "val_mean_iou", "val_AP"):
        mode = "min" if name in lower else "max"
        watched = fitting.best_of(name, (name,))
        assert watched == {"monitor": name, "mode": mode}


def test_every_class_counts_as_much_with_balanced_weights(folder):
    words = options(folder, "weights", "--class-weights=balanced")
    settings = settings_of(finetune_folder, *words)
    train, _ = sources.open_images(settings)
    weights = sources.class_weights(settings, train)
    counts = [8, 5, 3]  # a fifth of each class is held back
    assert weights == {
        number: pytest.approx(16 / (3 * count))
        for number, count in enumerate(counts)
    }
    plain = settings_of(finetune_folder, *options(folder, "weights"))
    assert sources.class_weights(plain, train) is None


def test_adamw_decays_kernels_and_neither_biases_nor_normalization():
    settings = settings_of(finetune_folder, "--data=x", "--optimizer=adamw")
    optimizer = fitting.make_optimizer(settings, 0.5)
    layers = [keras.layers.Dense(2), keras.layers.BatchNormalization()]
    model = keras.Sequential([keras.Input((3,)), *layers])
    for variable in model.trainable_variables:
        variable.assign(keras.ops.ones_like(variable))
    zeros = [keras.ops.zeros_like(v) for v in model.trainable_variables]
    optimizer.apply(zeros, model.trainable_variables)
    found = {v.name: float(v.numpy().max()) for v in model.trainable_variables}
    kernel = pytest.approx(1 - 0.5 * 0.05)
    assert found == {"kernel": kernel, "bias": 1, "gamma": 1, "beta": 1}


def test_variables_of_a_path_have_a_rate_of_their_own():
    settings = finetune_folder.SETTINGS
    plain = dataclasses.replace(settings.optimizer, momentum=0.0)
    settings = dataclasses.replace(settings, optimizer=plain)
    optimizer = fitting.make_optimizer(settings, 0.1, head=("head/.*", 0.5))
    layers = [keras.layers.Dense(2, name="body"), keras.layers.Dense(2)]
    layers[1].name = "head"
    model = keras.Sequential([keras.Input((3,)), *layers])
    before = [v.numpy() for v in model.trainable_variables]
    ones = [keras.ops.ones_like(v) for v in model.trainable_variables]
    optimizer.apply(ones, model.trainable_variables)
    for old, variable in zip(before, model.trainable_variables):
        rate = 0.5 if variable.path.startswith("head/") else 0.1
        decay = settings.optimizer.weight_decay * old
        np.testing.assert_allclose(
            variable.numpy(), old - rate * (1 + decay), rtol=1e-5
        )


@pytest.mark.official
@pytest.mark.ci
def test_a_file_of_settings_repeats_its_run(folder):
    words = ["--epochs=2", "--learning-rate=0.1", "--class-weights=balanced"]
    model, history = finetune_folder.main(options(folder, "first", *words))
    file = folder / "first" / "settings.yaml"
    again, repeated = finetune_folder.main(
        [f"--config={file}", f"--workdir={folder / 'again'}"]
    )
    assert repeated == history
    for mine, theirs in zip(model.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(mine, theirs)
    other, changed = finetune_folder.main(
        [
            *(f"--config={file}", f"--workdir={folder / 'changed'}"),
            *("--set", "optimizer.rate=0.05"),
        ]
    )
    assert changed != history
