"""Every public layer and network goes through the same behaviours."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_pyconv
from keras_pyconv.architectures import (
    ARCHITECTURES,
    INCEPTIONS,
    VIDEO_ARCHITECTURES,
)
from tests.conformance import cases

every_case = pytest.mark.parametrize(
    "case", cases.CASES, ids=lambda case: case.name
)


def _close(first, second, tolerance=1e-5):
    scale = max(1.0, float(np.abs(second).max()))
    np.testing.assert_allclose(
        np.asarray(first, "float32"),
        np.asarray(second, "float32"),
        atol=tolerance * scale,
    )


@every_case
def test_a_saved_file_gives_the_same_answers(case, tmp_path):
    model, inputs = case.model(), case.inputs()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    _close(loaded(inputs), model(inputs))


@every_case
def test_a_weights_file_fills_another_instance(case, tmp_path):
    model, other = case.model(), case.model()
    for variable in other.variables:
        variable.assign(variable + 1.0)
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    _close(other(case.inputs()), model(case.inputs()))


@every_case
@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
def test_compiled_equals_eager(case, jit_compile):
    model, inputs = case.model(), tf.constant(case.inputs())
    compiled = tf.function(model, jit_compile=jit_compile)
    _close(compiled(inputs), model(inputs), 1e-4)


@every_case
def test_any_batch_goes_through(case):
    model, inputs = case.model(), case.inputs(5)
    single = [model(inputs[i : i + 1])[0] for i in range(5)]
    _close(np.stack(single), model(inputs))


@every_case
def test_one_seed_makes_one_network(case):
    for first, second in zip(case.model().weights, case.model().weights):
        np.testing.assert_array_equal(first, second)


@every_case
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_computes_about_the_same(case, policy):
    expected = case.model()(case.inputs())
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = case.model()
    finally:
        keras.config.set_dtype_policy(before)
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    _close(model(case.inputs()), expected, 0.05)


@every_case
def test_a_training_step_moves_every_weight(case):
    model, inputs = case.model(), case.inputs(4)
    target = np.random.default_rng(3).random(model(inputs).shape)
    before = [np.array(variable.value) for variable in model.weights]
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(inputs, target, epochs=1, verbose=0)
    still = [
        variable.path
        for variable, old in zip(model.weights, before)
        if (np.array(variable.value) == old).all()
    ]
    assert not still


def _step(case, **options):
    """The variables and the loss after one training step."""
    model, inputs = case.model(), case.inputs(4)
    target = np.random.default_rng(3).random(model(inputs).shape)
    model.compile(keras.optimizers.SGD(0.1), "mse", **options)
    loss = model.train_on_batch(inputs, target)
    return [np.array(variable) for variable in model.variables] + [loss]


# Compiling the step of a whole network takes longer than all else here.
@pytest.mark.parametrize(
    "case",
    [*cases.LAYERS, pytest.param(cases.NETWORKS[0], marks=pytest.mark.slow)],
    ids=lambda case: case.name,
)
def test_a_training_step_is_the_same_under_xla(case):
    wanted = _step(case, run_eagerly=True)
    for value, other in zip(_step(case, jit_compile=True), wanted):
        _close(value, other, 1e-4)


def _is_builder(thing):
    return (
        inspect.isfunction(thing)
        and "include_top" in inspect.signature(thing).parameters
    )


def test_every_public_layer_has_a_row():
    public = [getattr(keras_pyconv, name) for name in keras_pyconv.__all__]
    layers = {thing.__name__ for thing in public if inspect.isclass(thing)}
    assert layers == {case.name for case in cases.LAYERS}


def test_every_public_builder_is_one_factory_over_a_record():
    public = {n: getattr(keras_pyconv, n) for n in keras_pyconv.__all__}
    builders = {n: f for n, f in public.items() if _is_builder(f)}
    records = {**ARCHITECTURES, **INCEPTIONS, **VIDEO_ARCHITECTURES}
    named = {n: f for n, f in builders.items() if n in records}
    general = {
        *("build_classifier", "build_inception", "build_video_classifier"),
    }
    assert set(builders) - set(named) == general
    assert len({f.__code__ for f in named.values()}) == 1
