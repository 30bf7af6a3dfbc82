"""Proves what a pyramidal convolution computes, level by level, in any rank."""

import importlib.util
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.layers import (
    FusedBatchNormalization,
    PyConv,
    PyConv1D,
    PyConv3D,
)
from keras_pyconv.ops.grouped_conv import WAYS

# Keras's variables do not know NumPy 2's `copy` when turned into arrays.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

RANKS = pytest.mark.parametrize("rank", [1, 2, 3], ids=["1d", "2d", "3d"])
LAYERS = {1: PyConv1D, 2: PyConv, 3: PyConv3D}
STOCK = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D, 3: keras.layers.Conv3D}
# Kernels of 3 and 5, groups of 1 and 4, 4 and 8 filters.
PYRAMID = {"filters": (4, 8), "kernel_size": (3, 5), "groups": (1, 4)}


def _image(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def _close(actual, expected, tolerance=1e-5):
    actual = keras.ops.convert_to_numpy(keras.ops.cast(actual, "float32"))
    scale = max(np.abs(expected).max(), 1)
    np.testing.assert_allclose(actual / scale, expected / scale, atol=tolerance)


def _randomized(layer, shape):
    layer.build(shape)
    for seed, weight in enumerate(layer.weights, 1):
        weight.assign(_image(*weight.shape, seed=seed))
    return layer


@RANKS
@pytest.mark.parametrize("groups", [1, 2])
def test_one_level_is_the_convolution_of_keras(rank, groups):
    inputs = _image(2, *(7,) * rank, 4)
    stock = STOCK[rank](6, 3, padding="same", groups=groups, activation="relu")
    layer = LAYERS[rank](6, 3, groups=groups, activation="relu")
    _randomized(stock, inputs.shape)
    layer.build(inputs.shape)
    layer.set_weights(stock.get_weights())
    _close(layer(inputs), np.array(stock(inputs)))


@RANKS
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("strides", "dilation_rate"),
    [(1, 1), (2, 1), (1, 2), (2, 2)],
    ids=["plain", "strided", "dilated", "both"],
)
def test_slices_of_the_output_are_the_levels(
    rank, strides, dilation_rate, padding
):
    inputs = _image(2, *(12,) * rank, 8)
    options = {"strides": strides, "dilation_rate": dilation_rate}
    layer = LAYERS[rank](**PYRAMID, **options, padding=padding, use_bias=False)
    outputs = np.array(_randomized(layer, inputs.shape)(inputs))
    # The smaller kernel's outputs beside the border that 5 cannot reach.
    margin = dilation_rate if padding == "valid" else 0
    crop = slice(margin, -margin or None)
    cropped = [inputs[(slice(None), *(crop,) * rank)], inputs]
    start = 0
    for level, kernel, seen in zip(layer.levels, layer.kernels, cropped):
        alone = LAYERS[rank](
            level.filters,
            level.kernel_size[0],
            groups=level.groups,
            padding=padding,
            use_bias=False,
            **options,
        )
        alone.build(seen.shape)
        alone.set_weights([kernel])
        _close(outputs[..., start : start + level.filters], alone(seen))
        start += level.filters
    assert start == outputs.shape[-1]


@RANKS
def test_an_input_channel_moves_only_its_groups_outputs(rank):
    inputs = _image(1, *(5,) * rank, 8)
    layer = LAYERS[rank]((8, 16), kernel_size=(3, 5), groups=(2, 4))
    before = np.array(_randomized(layer, inputs.shape)(inputs))
    for channel in range(8):
        moved = inputs.copy()
        moved[..., channel] += 1
        change = np.abs(np.array(layer(moved)) - before)
        touched = change.max(axis=tuple(range(rank + 1))) > 1e-3
        halves, quarters = touched[:8].reshape(2, 4), touched[8:].reshape(4, 4)
        assert halves.any(1).tolist() == [channel // 4 == g for g in range(2)]
        assert quarters.all(1).tolist() == [channel // 2 == g for g in range(4)]


@RANKS
@pytest.mark.parametrize("dilation_rate", [1, 2])
def test_an_impulse_spreads_over_exactly_one_kernel(rank, dilation_rate):
    impulse = np.zeros((1, *(19,) * rank, 1), "float32")
    impulse[(0, *(9,) * rank, 0)] = 1
    layer = LAYERS[rank](
        4, kernel_initializer="ones", dilation_rate=dilation_rate
    )
    outputs = np.array(layer(impulse))[0]
    for level, size in enumerate((3, 5, 7, 9)):
        reach = size // 2 * dilation_rate
        expected = np.zeros((19,) * rank, "float32")
        reached = slice(9 - reach, 10 + reach, dilation_rate)
        expected[(reached,) * rank] = 1
        np.testing.assert_array_equal(outputs[..., level], expected)


@RANKS
@pytest.mark.parametrize("size", [7, 8], ids=["odd", "even"])
@pytest.mark.parametrize("kernel", [3, 5])
def test_same_padding_is_symmetric_at_stride_2(rank, size, kernel):
    inputs = _image(2, *(size,) * rank, 3)
    layer = _randomized(LAYERS[rank](4, kernel, strides=2), inputs.shape)
    stock = STOCK[rank](4, kernel, strides=2, padding="valid")
    stock.build(inputs.shape)
    stock.set_weights(layer.get_weights())
    pad = (kernel // 2, kernel // 2)
    padded = np.pad(inputs, [(0, 0), *(pad,) * rank, (0, 0)])
    _close(layer(inputs), np.array(stock(padded)))


def test_same_padding_of_keras_differs_at_stride_2():
    inputs = _image(1, 8, 8, 3)
    layer = _randomized(PyConv(4, 3, strides=2), inputs.shape)
    stock = keras.layers.Conv2D(4, 3, strides=2, padding="same")
    stock.build(inputs.shape)
    stock.set_weights(layer.get_weights())
    assert np.abs(np.array(layer(inputs) - stock(inputs))).max() > 0.1


@RANKS
@pytest.mark.parametrize("strides", [1, 2])
def test_valid_outputs_are_those_untouched_by_padding(rank, strides):
    inputs = _image(1, *(11,) * rank, 8)
    same = _randomized(LAYERS[rank](**PYRAMID), inputs.shape)
    valid = LAYERS[rank](**PYRAMID, padding="valid", strides=strides)
    valid.build(inputs.shape)
    valid.set_weights(same.get_weights())
    inside = (slice(None), *(slice(2, -2, strides),) * rank)
    _close(valid(inputs), np.array(same(inputs))[inside])


def test_valid_aligns_kernels_of_different_shapes():
    inputs = _image(1, 9, 11, 2)
    arguments = {"filters": 2, "kernel_size": ((1, 5), (3, 1)), "groups": 1}
    same = _randomized(PyConv(**arguments), inputs.shape)
    valid = PyConv(**arguments, padding="valid")
    valid.build(inputs.shape)
    valid.set_weights(same.get_weights())
    _close(valid(inputs), np.array(same(inputs))[:, 1:-1, 2:-2])


@RANKS
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_channels_first_is_the_transpose_of_channels_last(rank, padding):
    inputs = _image(2, *(9, 8, 7)[:rank], 8)
    options = {**PYRAMID, "padding": padding, "strides": 2}
    last = _randomized(LAYERS[rank](**options), inputs.shape)
    first = LAYERS[rank](**options, data_format="channels_first")
    transposed = np.moveaxis(inputs, -1, 1)
    first.build(transposed.shape)
    first.set_weights(last.get_weights())
    outputs = np.moveaxis(np.array(first(transposed)), 1, -1)
    _close(outputs, np.array(last(inputs)))


@RANKS
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_output_shape_is_known_without_building(rank, padding, data_format):
    layer = LAYERS[rank](
        **PYRAMID,
        padding=padding,
        data_format=data_format,
        strides=(2, 1, 3)[:rank],
        dilation_rate=(1, 2, 1)[:rank],
    )
    shape = [2, 13, 12, 11][: rank + 1]
    unknown = [None] * (rank + 1)
    axis = rank + 1 if data_format == "channels_last" else 1
    shape.insert(axis, 8)
    unknown.insert(axis, 8)
    expected = layer.compute_output_shape(tuple(shape))
    symbolic = layer.compute_output_spec(keras.KerasTensor(shape))
    anything = list(layer.compute_output_shape(tuple(unknown)))
    assert not layer.built
    assert layer(np.zeros(shape, "float32")).shape == expected
    assert symbolic.shape == expected
    assert anything.pop(axis) == 12 and set(anything) == {None}


def test_an_input_smaller_than_the_kernel_is_refused_where_nothing_is_padded():
    layer = PyConv(4, padding="valid", dilation_rate=2)
    with pytest.raises(ValueError, match=r"\(None, 17, 16, 4\).*\(17, 17\)"):
        layer.compute_output_shape((None, 17, 16, 4))
    with pytest.raises(ValueError, match="does not fit"):
        layer.build((None, 17, 16, 4))
    assert not layer.weights


@RANKS
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_batch_and_sizes_may_be_unknown(rank, padding):
    layer = LAYERS[rank](**PYRAMID, padding=padding, strides=2)
    symbolic = keras.Input((*(None,) * rank, 8))
    model = keras.Model(symbolic, layer(symbolic))
    assert model.output_shape == (None,) * (rank + 1) + (12,)
    for batch, size in ((1, 7), (3, 10)):
        inputs = _image(batch, *(size,) * rank, 8)
        _close(model.predict(inputs, verbose=0), np.array(layer(inputs)))


@pytest.mark.parametrize(
    ("policy", "variables", "outputs", "tolerance"),
    [
        ("float64", "float64", "float64", 1e-6),
        ("float16", "float16", "float16", 5e-3),
        ("bfloat16", "bfloat16", "bfloat16", 5e-2),
        ("mixed_float16", "float32", "float16", 5e-3),
        ("mixed_bfloat16", "float32", "bfloat16", 5e-2),
    ],
)
def test_a_policy_decides_dtypes(policy, variables, outputs, tolerance):
    inputs = _image(2, 9, 9, 8)
    exact = _randomized(PyConv(**PYRAMID), inputs.shape)
    layer = PyConv(**PYRAMID, dtype=policy)
    layer.build(inputs.shape)
    layer.set_weights(exact.get_weights())
    with tf.GradientTape() as tape:
        result = layer(inputs)
        loss = keras.ops.mean(keras.ops.cast(result, "float32") ** 2)
    gradients = tape.gradient(loss, [w.value for w in layer.weights])
    assert {w.dtype for w in layer.weights} == {variables}
    assert keras.backend.standardize_dtype(result.dtype) == outputs
    assert {g.dtype.name for g in gradients} == {variables}
    _close(result, np.array(exact(inputs)), tolerance)


def test_pixels_of_an_image_may_be_integers():
    pixels = np.arange(2 * 8 * 8 * 8).reshape(2, 8, 8, 8).astype("uint8")
    layer = PyConv(**PYRAMID)
    _close(layer(pixels), np.array(layer(pixels.astype("float32"))))


@RANKS
def test_no_graph_holds_a_function_that_must_be_compiled(rank):
    layer = LAYERS[rank](**PYRAMID)
    inputs = tf.constant(_image(1, *(6,) * rank, 8))
    layer.build(inputs.shape)

    @tf.function
    def step(inputs):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(inputs) ** 2)
        return tape.gradient(loss, [w.value for w in layer.weights])

    graph = step.get_concrete_function(inputs).graph.as_graph_def()
    assert "_XlaMustCompile" not in str(graph)


@RANKS
def test_a_compiled_call_equals_an_eager_one(rank):
    inputs = _image(2, *(6,) * rank, 8)
    layer = _randomized(LAYERS[rank](**PYRAMID), inputs.shape)
    compiled = tf.function(layer, jit_compile=True)
    _close(compiled(tf.constant(inputs)), np.array(layer(inputs)))


@pytest.mark.parametrize("way", [None, *WAYS])
def test_every_way_gives_the_same(way):
    inputs = _image(2, 9, 9, 8)
    layer = _randomized(PyConv(**PYRAMID), inputs.shape)
    forced = PyConv.from_config({**layer.get_config(), "way": way})
    forced.build(inputs.shape)
    forced.set_weights(layer.get_weights())
    _close(forced(inputs), np.array(layer(inputs)))


@pytest.mark.parametrize("name", ["served", "portable"])
def test_a_file_that_names_a_target_as_a_way_loads(name):
    config = {**PyConv(8).get_config(), "way": name}
    with pytest.warns(DeprecationWarning, match=f'give `target="{name}"`'):
        layer = PyConv.from_config(config)
    assert (layer.way, layer.target) == (None, name)
    assert PyConv(8).target == "here"


@pytest.mark.parametrize(
    ("initializer", "differ"),
    [
        ("glorot_uniform", True),
        (keras.initializers.HeNormal(), True),
        (keras.initializers.HeNormal(seed=7), True),
        (keras.initializers.Orthogonal(seed=7), True),
        (keras.initializers.HeNormal(keras.random.SeedGenerator(7)), True),
        (keras.initializers.Constant(2.0), False),
        (lambda shape, dtype: keras.ops.ones(shape, dtype), False),
    ],
    ids=[
        "name",
        "fresh",
        "seed",
        "config",
        "generator",
        "constant",
        "function",
    ],
)
def test_levels_start_with_values_of_their_own(initializer, differ):
    layer = PyConv(12, (3, 3, 3), groups=1, kernel_initializer=initializer)
    layer.build((None, 8, 8, 4))
    first, second, third = (np.array(kernel) for kernel in layer.kernels)
    assert (first != second).any() == differ
    assert (second != third).any() == differ


def test_a_seed_gives_the_same_start_twice_and_that_of_one_convolution():
    arguments = {"kernel_initializer": keras.initializers.HeNormal(seed=3)}
    stock = keras.layers.Conv2D(4, 3, **arguments)
    layers = [PyConv(8, (3, 5), groups=1, **arguments) for _ in range(2)]
    for layer in (stock, *layers):
        layer.build((None, 8, 8, 4))
    for one, other in zip(layers[0].kernels, layers[1].kernels):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(layers[0].kernels[0], stock.kernel)


def test_regularizers_and_constraints_hold_for_every_level():
    layer = PyConv(
        **PYRAMID,
        kernel_initializer="ones",
        bias_initializer="ones",
        kernel_regularizer=keras.regularizers.L2(1.0),
        bias_regularizer=keras.regularizers.L1(1.0),
        kernel_constraint="non_neg",
        bias_constraint="unit_norm",
    )
    layer.build((None, 8, 8, 8))
    values = sum(int(np.prod(kernel.shape)) for kernel in layer.kernels)
    assert float(sum(layer.losses)) == values + 12
    assert all(kernel.constraint is not None for kernel in layer.kernels)
    assert layer.bias.constraint is not None


def test_variables_are_one_kernel_a_level_and_one_bias():
    layer = PyConv(64, groups=(1, 4, 8, 16))
    layer.build((None, 8, 8, 64))
    assert {w.name: tuple(w.shape) for w in layer.weights} == {
        "kernel_1": (3, 3, 64, 16),
        "kernel_2": (5, 5, 16, 16),
        "kernel_3": (7, 7, 8, 16),
        "kernel_4": (9, 9, 4, 16),
        "bias": (64,),
    }
    assert PyConv(64, use_bias=False).bias is None


@RANKS
def test_a_configuration_survives_json(rank):
    layer = LAYERS[rank](
        (8, 16),
        kernel_size=[3, (5,) * rank],
        groups=[1, 4],
        strides=2,
        padding="valid",
        dilation_rate=3,
        activation="relu",
        use_bias=False,
        kernel_initializer=keras.initializers.HeNormal(seed=1),
        kernel_regularizer="l2",
        activity_regularizer="l1",
        kernel_constraint="max_norm",
        data_format="channels_first",
        way="native",
        name="pyramid",
    )
    config = json.loads(json.dumps(layer.get_config()))
    again = LAYERS[rank].from_config(config)
    assert again.get_config() == layer.get_config()
    assert again.groups == (1, 4) and again.strides == (2,) * rank


def test_an_automatic_configuration_stays_automatic():
    config = PyConv(64).get_config()
    assert config["groups"] == "auto" and config["filters"] == 64
    assert config["kernel_size"] == (3, 5, 7, 9)


@RANKS
def test_training_moves_every_variable_and_a_saved_model_agrees(rank, tmp_path):
    inputs = _image(4, *(6,) * rank, 8)
    model = keras.Sequential([LAYERS[rank](**PYRAMID, activation="relu")])
    model.compile("sgd", "mse")
    before = [np.array(w) for w in _randomized(model, inputs.shape).weights]
    model.fit(inputs, np.ones((4, *(6,) * rank, 12)), verbose=0)
    for old, new in zip(before, model.weights):
        assert np.abs(old - np.array(new)).max() > 0
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.layers[0].levels == model.layers[0].levels
    np.testing.assert_array_equal(again(inputs), model(inputs))


FRESH_PROCESS = """
import sys
import numpy as np, keras
import keras_pyconv.layers
model = keras.models.load_model(sys.argv[1] + "/model.keras")
images = np.load(sys.argv[1] + "/images.npy")
predicted = model.predict(images, verbose=0)
if keras.backend.backend() != "tensorflow":
    assert "tensorflow" not in sys.modules, "the package imports TensorFlow"
model.fit(images, np.zeros_like(predicted), verbose=0)
weights = {str(i): np.array(w) for i, w in enumerate(model.weights)}
np.savez(sys.argv[1] + "/out.npz", predicted=predicted, **weights)
"""


@pytest.mark.once
@pytest.mark.parametrize(
    ("environment", "needs"),
    [
        ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "tensorflow"),
        ({"KERAS_BACKEND": "jax"}, "jax"),
        pytest.param(
            {"KERAS_BACKEND": "torch"}, "torch", marks=pytest.mark.slow
        ),
    ],
    ids=["without oneDNN", "on JAX", "on Torch"],
)
def test_a_fresh_process_predicts_and_trains_alike(
    environment, needs, tmp_path
):
    if importlib.util.find_spec(needs) is None:
        pytest.skip(f"{needs} is not installed")
    # A single grouped level before a fused normalization is the one that
    # graph optimization breaks where oneDNN is off.
    model = keras.Sequential(
        [
            keras.Input((12, 12, 8)),
            PyConv(16, kernel_size=3, groups=4, use_bias=False),
            FusedBatchNormalization(),
            PyConv((8, 8), kernel_size=(3, 5), groups=(1, 8), strides=2),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1), "mse")
    _randomized(model, (None, 12, 12, 8))
    model.layers[1].moving_variance.assign(np.full(16, 40.0))
    images = _image(4, 12, 12, 8)
    np.save(tmp_path / "images.npy", images)
    model.save(tmp_path / "model.keras")
    subprocess.run(
        [sys.executable, "-c", FRESH_PROCESS, str(tmp_path)],
        env={**os.environ, **environment, "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=True,
    )
    predicted = model.predict(images, verbose=0)
    model.fit(images, np.zeros_like(predicted), verbose=0)
    found = np.load(tmp_path / "out.npz")
    _close(found["predicted"], predicted, 1e-4)
    for i, weight in enumerate(model.weights):
        _close(found[str(i)], np.array(weight), 1e-4)
