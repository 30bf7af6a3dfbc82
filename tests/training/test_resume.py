"""A run that was broken ends as one that was not, to the bit."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_pyconv
from keras_pyconv import datasets, training
from keras_pyconv.runs import checkpoints
from keras_pyconv.runs.state import State
from keras_pyconv.tasks.preprocessing import Preprocessing
from tests.datasets import pictures
from tests.training import small

SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "step", [4, 6, *(pytest.param(n, marks=SLOW) for n in (1, 11))]
)
def test_a_run_goes_on_after_any_step(step, unbroken, tmp_path):
    small.run(tmp_path, stop_after_steps=step)
    trained, history = small.run(tmp_path)
    small.assert_same(trained, unbroken[0])
    assert history == unbroken[1]


def test_a_run_that_was_asked_to_stop_says_how_to_go_on(tmp_path, capsys):
    _, history = small.run(tmp_path, stop_after_steps=1)
    said = capsys.readouterr().out
    assert f"Stopped after step 1 of 12 and saved to {tmp_path}" in said
    assert history == []


def test_a_run_that_is_over_is_not_trained_again(unbroken):
    trained, history, folder = unbroken
    again, found = small.run(folder, evaluate=None)
    small.assert_same(again, trained)
    assert found == history


def test_the_last_few_checkpoints_are_kept(tmp_path):
    small.run(tmp_path, evaluate=None, save_every_steps=1, keep=2)
    names = [path.name for path in checkpoints.found(tmp_path / "checkpoints")]
    assert names == ["step-000000012.npz", "step-000000011.npz"]


@SLOW
def test_half_precision_goes_on_with_its_scale_of_the_loss(tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        whole = small.model()
        small.run(tmp_path / "whole", whole)
        small.run(tmp_path / "broken", small.model(), stop_after_steps=7)
        broken = small.model()
        small.run(tmp_path / "broken", broken)
    finally:
        keras.config.set_dtype_policy("float32")
    assert "dynamic_scale" in "".join(v.path for v in whole.optimizer.variables)
    small.assert_same(broken, whole)


def test_a_variable_in_bfloat16_is_kept_to_the_bit(tmp_path):
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(3, dtype="bfloat16")]
    )
    model.compile("sgd", "mse")
    before = small.arrays(model)
    state = {"step": 1, **State(model).read()}
    checkpoints.save(tmp_path, state, keep=1)
    model.layers[0].kernel.assign(keras.ops.zeros((2, 3)))
    _, state = checkpoints.latest(tmp_path)
    assert State(model).differences(state) == []
    State(model).restore(state)
    for a, b in zip(small.arrays(model), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_data_that_end_too_early_are_refused(tmp_path):
    def short(first_step):
        return small.batches(first_step).take(3)

    with pytest.raises(ValueError, match="ends after 3 batches, but 12 are"):
        small.run(tmp_path, batches=short)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_data_that_prove_to_end_too_early_save_nothing(tmp_path):
    def short(first_step):
        return small.batches(first_step).take(3).filter(lambda x, y: True)

    with pytest.raises(ValueError, match="ended after 3 of the 4 steps"):
        small.run(tmp_path, batches=short)
    assert checkpoints.found(tmp_path / "checkpoints") == []


def test_a_dataset_is_refused_with_what_to_give(tmp_path):
    with pytest.raises(ValueError, match="training_stream makes one"):
        small.run(tmp_path, batches=small.batches())


def test_a_loss_that_is_no_number_overwrites_nothing(tmp_path):
    def broken(first_step):
        def spoil(x, y):
            return x * float("nan"), y

        return small.batches(first_step).map(spoil)

    small.run(tmp_path, stop_after_steps=2)
    with pytest.raises(FloatingPointError, match="loss is nan at step 4"):
        small.run(tmp_path, batches=broken)
    assert len(checkpoints.found(tmp_path / "checkpoints")) == 1


def test_weights_that_are_no_numbers_overwrite_nothing(tmp_path):
    def broken(first_step):
        def spoil(number, batch):
            x, y = batch
            return tf.where(number + first_step == 5, np.nan, x), y

        return small.batches(first_step).enumerate().map(spoil)

    def rectified(x):
        # As oneDNN does it: NaN becomes 0, so that the loss stays finite.
        return keras.ops.where(x > 0, x, 0.0)

    def train():
        layers = [
            keras.layers.Conv2D(4, 3, activation=rectified, name="first"),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
        model = keras.Sequential([keras.Input((6, 6, 3)), *layers])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(training.SGD(0.1), loss)
        options = {"save_every_steps": 1, "evaluate": None}
        small.run(tmp_path, model, batches=broken, **options)

    for _ in range(2):
        said = "at step 6 in .*first/kernel .*Look for NaN in the data"
        with pytest.raises(FloatingPointError, match=said):
            train()
        path, state = checkpoints.latest(tmp_path / "checkpoints")
        assert path.name == "step-000000005.npz"
        assert all(np.isfinite(array).all() for array in state["model"])


def test_other_training_data_are_refused_with_what_differs(tmp_path):
    def batches(first_step):
        return small.batches(first_step)

    def train(**fingerprint):
        batches.fingerprint = fingerprint
        small.run(tmp_path, batches=batches, stop_after_steps=1)

    train(examples=12, digest_of_names="ab")
    train(examples=12, digest_of_names="ab")
    with pytest.raises(ValueError, match="examples: 12 there, 11 here"):
        train(examples=11, digest_of_names="cd")
    with pytest.raises(ValueError, match="other training examples"):
        train(examples=12, digest_of_names="cd")


def test_a_picture_that_was_removed_between_two_runs_is_noticed(tmp_path):
    folder = pictures.write_folder(tmp_path / "photos")

    def train():
        model = keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                keras.layers.Flatten(),
                keras.layers.Dense(2, "softmax"),
            ]
        )
        model.compile("sgd", "sparse_categorical_crossentropy")
        opened = datasets.picture_set(folder)
        size = Preprocessing(size=8)
        batches = datasets.training_pictures(opened, size, batch_size=4, seed=1)
        options = {"steps_per_epoch": None, "stop_after_steps": 1}
        small.run(
            tmp_path / "run", model, batches=batches, evaluate=None, **options
        )

    train()
    train()
    before = folder / "train" / "china" / "0.jpg"
    before.rename(before.with_name("9.jpg"))
    with pytest.raises(ValueError, match="other training examples"):
        train()
    before.with_name("9.jpg").unlink()
    with pytest.raises(ValueError, match="examples: 12 there, 11 here"):
        train()


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"epochs": 0}, "Received: epochs=0"),
        ({"keep": 1.5}, "Received: keep=1.5"),
        ({"steps_per_epoch": None}, "Received: steps_per_epoch=None"),
    ],
)
def test_wrong_arguments_are_refused(changes, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        small.run(tmp_path, **changes)


@SLOW
def test_a_pyramid_network_goes_on_to_the_bit(start, tmp_path):
    for folder, stop in (("whole", None), ("broken", 3), ("broken", None)):
        process = start(_pyramid, tmp_path / folder, stop)
        process.join()
        assert process.exitcode == 0
    (_, whole), (_, broken) = (
        checkpoints.latest(tmp_path / folder / "checkpoints")
        for folder in ("whole", "broken")
    )
    np.testing.assert_equal(broken["model"], whole["model"])
    np.testing.assert_equal(broken["optimizer"], whole["optimizer"])


def _pyramid(folder, stop):
    """Trains a network of ours, each time in a process of its own."""

    def batches(first_step):
        def one(step):
            x = tf.random.stateless_uniform((8, 48, 48, 3), [step, 1])
            return x, tf.cast(10 * x[:, 0, 0, 0], "int32")

        return tf.data.Dataset.counter(first_step).map(one)

    keras.utils.set_random_seed(5)
    model = keras_pyconv.build_classifier(
        "PyConvResNetMini", input_shape=(48, 48, 3), classes=10, dropout=0.2
    )
    model.compile(training.SGD(0.05), "sparse_categorical_crossentropy")
    with training.Run(
        folder,
        model,
        batches,
        epochs=2,
        steps_per_epoch=4,
        stop_after_steps=stop,
    ) as run:
        model.fit(**run.fit_arguments, callbacks=run.callbacks())
