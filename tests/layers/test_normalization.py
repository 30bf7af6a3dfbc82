"""Proves that the fused normalization is Keras's, but for one correction."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.layers import FusedBatchNormalization

# Keras's variables do not know NumPy 2's `copy` when turned into arrays.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

STOCK = keras.layers.BatchNormalization
LAYOUTS = pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((24, 8), -1),
        ((6, 7, 8), -1),
        ((6, 8, 7), 1),
        ((4, 5, 6, 8), -1),
        ((4, 8, 5, 6), 1),
        ((4, 5, 8, 6), 2),
        ((3, 4, 5, 2, 8), -1),
        ((3, 8, 4, 5, 2), 1),
    ],
    ids=lambda value: str(value),
)


def _batch(*shape, seed=0):
    values = np.random.default_rng(seed).normal(3.0, 2.0, size=shape)
    return values.astype("float32")


def _pair(shape, **arguments):
    """A fused and a stock layer with the same weights, none of them trivial."""
    arguments = {"momentum": 0.9, "epsilon": 1e-5, **arguments}
    layers = FusedBatchNormalization(**arguments), STOCK(**arguments)
    for layer in layers:
        layer.build(shape)
        for seed, weight in enumerate(layer.weights, 1):
            weight.assign(np.abs(_batch(*weight.shape, seed=seed)))
    return layers


def _close(actual, expected, tolerance=1e-5):
    actual, expected = (
        keras.ops.convert_to_numpy(keras.ops.cast(values, "float64"))
        for values in (actual, expected)
    )
    scale = max(np.abs(expected).max(), 1)
    np.testing.assert_allclose(actual / scale, expected / scale, atol=tolerance)


def _step(layer, inputs, training):
    """The outputs, and the gradients of an uneven sum of them."""
    inputs = tf.convert_to_tensor(inputs)
    sources = [inputs, *(w.value for w in layer.trainable_weights)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=training)
        flat = tf.reshape(tf.cast(outputs, "float32"), [-1])
        waves = tf.cos(tf.cast(tf.range(tf.size(flat)), "float32"))
        loss = tf.reduce_sum(flat * waves)
    return [outputs, *tape.gradient(loss, sources)]


def _unbiased(old, biased, count, momentum=0.9):
    """The moving variance that Keras would have without the bias."""
    batch = (np.array(biased) - momentum * old) / (1 - momentum)
    return momentum * old + (1 - momentum) * batch * count / (count - 1)


@LAYOUTS
@pytest.mark.parametrize("training", [True, False], ids=["train", "infer"])
def test_outputs_and_gradients_are_those_of_keras(shape, axis, training):
    fused, stock = _pair(shape, axis=axis)
    inputs = _batch(*shape)
    for actual, expected in zip(
        _step(fused, inputs, training), _step(stock, inputs, training)
    ):
        _close(actual, expected)


@LAYOUTS
def test_the_moving_variance_is_unbiased(shape, axis):
    fused, stock = _pair(shape, axis=axis)
    old = np.array(fused.moving_variance)
    for layer in (fused, stock):
        layer(_batch(*shape), training=True)
    _close(fused.moving_mean, stock.moving_mean)
    count = np.prod(shape) // 8
    _close(fused.moving_variance, _unbiased(old, stock.moving_variance, count))


def test_statistics_follow_the_batch_as_in_the_authors_framework():
    layer = FusedBatchNormalization(momentum=0.5)
    inputs = _batch(4, 5, 5, 8)
    for _ in range(40):
        layer(inputs, training=True)
    _close(layer.moving_mean, inputs.mean((0, 1, 2)))
    _close(layer.moving_variance, inputs.var((0, 1, 2), ddof=1))


def test_one_value_a_channel_has_a_finite_variance():
    for dtype in ("float32", "float64"):
        layer = FusedBatchNormalization(momentum=0.9, dtype=dtype)
        outputs = layer(np.full((1, 1, 1, 8), 5.0, dtype), training=True)
        _close(outputs, np.zeros((1, 1, 1, 8)))
        _close(layer.moving_variance, np.full(8, 0.9))


@pytest.mark.parametrize("scale", [True, False], ids=["scale", "no scale"])
@pytest.mark.parametrize("center", [True, False], ids=["center", "no center"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "infer"])
def test_scale_and_center_may_be_left_out(scale, center, training):
    fused, stock = _pair((4, 5, 6, 8), scale=scale, center=center)
    inputs = _batch(4, 5, 6, 8)
    expected = _step(stock, inputs, training)
    for actual, wanted in zip(_step(fused, inputs, training), expected):
        _close(actual, wanted)
    assert len(fused.trainable_weights) == scale + center


@pytest.mark.parametrize("training", [True, False], ids=["train", "infer"])
@pytest.mark.parametrize(
    ("policy", "variables", "outputs", "tolerance"),
    [
        ("float64", "float64", "float64", 1e-9),
        ("float16", "float16", "float16", 5e-3),
        ("bfloat16", "bfloat16", "bfloat16", 3e-2),
        ("mixed_float16", "float32", "float16", 5e-3),
        ("mixed_bfloat16", "float32", "bfloat16", 3e-2),
    ],
)
def test_a_policy_decides_dtypes(
    policy, variables, outputs, tolerance, training
):
    fused, stock = _pair((4, 5, 6, 8), dtype=policy)
    inputs = _batch(4, 5, 6, 8).astype(fused.compute_dtype)
    actual = _step(fused, inputs, training)
    for value, expected in zip(actual, _step(stock, inputs, training)):
        _close(value, expected, tolerance)
    assert {weight.dtype for weight in fused.weights} == {variables}
    assert actual[0].dtype.name == actual[1].dtype.name == outputs
    _close(fused.moving_mean, stock.moving_mean, tolerance)


def test_masked_positions_do_not_count():
    inputs = _batch(6, 7, 8)
    mask = np.random.default_rng(1).random((6, 7)) < 0.6
    inputs[~mask] = np.nan
    fused, stock = _pair(inputs.shape)
    old = np.array(fused.moving_variance)
    outputs = [
        np.array(layer(inputs, training=True, mask=mask))[mask]
        for layer in (fused, stock)
    ]
    _close(*outputs)
    _close(fused.moving_mean, stock.moving_mean)
    expected = _unbiased(old, stock.moving_variance, mask.sum())
    _close(fused.moving_variance, expected)


def test_frozen_means_inference():
    fused, _ = _pair((4, 5, 6, 8))
    inputs = _batch(4, 5, 6, 8)
    expected = fused(inputs, training=False)
    before = fused.get_weights()
    fused.trainable = False
    _close(fused(inputs, training=True), expected)
    for old, new in zip(before, fused.get_weights()):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "XLA"])
@pytest.mark.parametrize("shape", [(4, 5, 6, 8), (2, 3, 4, 5, 8)])
def test_graphs_of_unknown_size_equal_eager_calls(shape, jit):
    eager, _ = _pair(shape)
    traced, _ = _pair(shape)
    unknown = tf.TensorSpec((None,) * (len(shape) - 1) + (8,))
    function = tf.function(
        lambda inputs: _step(traced, inputs, True),
        input_signature=None if jit else [unknown],
        jit_compile=jit,
    )
    inputs = tf.constant(_batch(*shape))
    for actual, expected in zip(function(inputs), _step(eager, inputs, True)):
        _close(actual, expected)
    _close(traced.moving_variance, eager.moving_variance)


def test_static_sizes_stay_known():
    symbolic = keras.Input((None, 4, 5, 8), batch_size=2)
    assert FusedBatchNormalization()(symbolic).shape == (2, None, 4, 5, 8)
    layer, _ = _pair((2, 3, 4, 5, 8))
    graph = tf.function(layer).get_concrete_function(
        tf.TensorSpec((2, None, 4, 5, 8))
    )
    assert graph.output_shapes == (2, None, 4, 5, 8)


@pytest.mark.parametrize(
    "dtype, training, fused",
    [
        ("float32", True, True),
        ("bfloat16", True, True),
        ("bfloat16", False, True),
        # On a CPU, where oneDNN is slow once this is fused into a convolution.
        ("float32", False, False),
    ],
)
def test_the_fused_kernel_runs_where_it_is_fast(dtype, training, fused):
    if tf.config.list_physical_devices("GPU"):
        fused = True
    layer, _ = _pair((4, 5, 6, 8), dtype=dtype)
    graph = tf.function(layer).get_concrete_function(
        tf.TensorSpec((4, 5, 6, 8), dtype), training=training
    )
    types = [node.op for node in graph.graph.as_graph_def().node]
    assert ("FusedBatchNormV3" in types) == fused


def test_the_small_epsilon_of_the_paper_is_kept():
    inputs = np.full((2, 2, 2, 4), 1e-3, "float32")
    layer, _ = _pair(inputs.shape, epsilon=1e-5)
    layer.moving_variance.assign(np.zeros(4))
    layer.moving_mean.assign(np.zeros(4))
    expected = layer.gamma * inputs / np.sqrt(1e-5) + layer.beta
    np.testing.assert_allclose(layer(inputs), expected, rtol=1e-6)


def test_renormalization_is_left_to_keras():
    arguments = {"renorm": True, "renorm_clipping": {"rmax": 3.0}}
    fused, stock = _pair((4, 5, 6, 8), **arguments)
    inputs = _batch(4, 5, 6, 8)
    for actual, expected in zip(
        _step(fused, inputs, True), _step(stock, inputs, True)
    ):
        _close(actual, expected)
    for actual, expected in zip(fused.weights, stock.weights):
        _close(actual, expected)


def test_variables_and_configuration_are_those_of_keras():
    arguments = {"axis": 1, "gamma_regularizer": "l2", "name": "norm"}
    fused, stock = _pair((4, 8, 5, 6), **arguments)
    assert fused.get_config() == stock.get_config()
    assert [w.path for w in fused.weights] == [w.path for w in stock.weights]
    again = FusedBatchNormalization.from_config(stock.get_config())
    again.build((4, 8, 5, 6))
    again.set_weights(stock.get_weights())
    inputs = _batch(4, 8, 5, 6)
    _close(again(inputs), stock(inputs))


def test_variables_stored_by_the_stock_layer_load():
    fused, stock = _pair((4, 5, 6, 8))
    stock.set_weights([weight * 2 for weight in stock.get_weights()])
    store = {}
    stock.save_own_variables(store)
    fused.load_own_variables({key: np.array(store[key]) for key in store})
    for actual, expected in zip(fused.weights, stock.weights):
        _close(actual, expected)


def test_a_saved_model_agrees(tmp_path):
    model = keras.Sequential(
        [keras.Input((None, None, 8)), FusedBatchNormalization(momentum=0.5)]
    )
    model.compile("sgd", "mse")
    inputs = _batch(8, 5, 5, 8)
    model.fit(inputs, inputs, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again.layers[0]) is FusedBatchNormalization
    _close(again(inputs), model(inputs))


TWO_REPLICAS = """
import numpy as np, tensorflow as tf, keras
from keras_pyconv.layers import FusedBatchNormalization
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
images = np.random.default_rng(0).normal(3, 2, (12, 5, 5, 3)).astype("float32")
images[:6] += 4
targets = images[..., :1] ** 2

def train(synchronized):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.layers.Conv2D(4, 3),
            FusedBatchNormalization(momentum=0.9, synchronized=synchronized),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(1),
        ]
    )
    model.build((None, 5, 5, 3))
    model.compile(keras.optimizers.SGD(0.01), "mse")
    data = tf.data.Dataset.from_tensor_slices((images, targets[:, 0, 0]))
    model.fit(data.batch(12), epochs=3, verbose=0)
    return [np.array(w) for w in model.weights]

one = train(True)
# In-graph reduction: collectives of two strategies would collide.
strategy = tf.distribute.MirroredStrategy(
    ["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice()
)
with strategy.scope():
    together, apart = train(True), train(False)
for value, expected in zip(together, one):
    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)
assert max(np.abs(a - b).max() for a, b in zip(apart, one)) > 1e-2
"""


def test_synchronized_replicas_equal_one_device_on_the_whole_batch():
    environment = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run(
        [sys.executable, "-c", TWO_REPLICAS],
        env={**os.environ, **environment},
        check=True,
    )
