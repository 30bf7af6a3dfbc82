"""An empty batch goes through as any other, and full ones pay nothing.

With oneDNN TensorFlow's own convolutions give it a wrong shape.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_pyconv
from keras_pyconv.layers import PointwiseConv2D, ResidualAdd
from keras_pyconv.layers.box_maps import JoinBoxMaps
from keras_pyconv.layers.pooling import MaxPooling2D
from keras_pyconv.ops import WAYS, grouped_conv, uncut
from tests.conformance import cases
from tests.ops import grid


def unknown(function, inputs):
    """`function` as a graph that knows the channels alone."""
    spec = tf.TensorSpec([None] * (inputs.ndim - 1) + inputs.shape[-1:])
    return tf.function(function, input_signature=[spec], autograph=False)


def alone(function, inputs):
    """`function` as a graph that knows all sizes but the batch's."""
    spec = tf.TensorSpec((None, *inputs.shape[1:]))
    return tf.function(function, input_signature=[spec], autograph=False)


MODES = {"eager": lambda f, _: f, "graph": alone, "unknown": unknown}
every_mode = pytest.mark.parametrize("mode", MODES)


@every_mode
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(
    "way", [None, *(pytest.param(way, marks=pytest.mark.ci) for way in WAYS)]
)
def test_every_way_has_outputs_and_gradients_of_none(way, rank, strides, mode):
    for groups, dilation in ((1, 1), (1, 2), (6, 1)):
        window = rank, strides, dilation, groups
        (inputs, kernel, _), (wanted, *_) = grid.case(*window)

        def results(inputs):
            with tf.GradientTape() as tape:
                tape.watch([inputs, kernel])
                outputs = grouped_conv(
                    inputs,
                    kernel,
                    groups=groups,
                    strides=strides,
                    dilation_rate=dilation,
                    way=way,
                )
            return outputs, *tape.gradient(outputs, [inputs, kernel])

        outputs, slope, kernel_slope = MODES[mode](results, inputs)(inputs[:0])
        assert outputs.shape == (0, *wanted.shape[1:])
        assert slope.shape == (0, *inputs.shape[1:])
        np.testing.assert_array_equal(kernel_slope, np.zeros(kernel.shape))


LAYERS = [
    *cases.LAYERS,
    cases.Case(
        "PointwiseConv2D", lambda x: PointwiseConv2D(6, 2)(x), (5, 6, 8)
    ),
    cases.Case("ResidualAdd", lambda x: ResidualAdd()([x, 2 * x]), (5, 6, 8)),
    cases.Case(
        "valid",
        lambda x: keras_pyconv.PyConv(
            8, (3, 5), padding="valid", activation="relu"
        )(x),
        (7, 8, 8),
    ),
    cases.Case(
        "MaxPooling2D",
        lambda x: MaxPooling2D(2)(keras_pyconv.PyConv(4, (1,))(x)),
        (5, 6, 8),
    ),
]


@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize(
    "case", LAYERS + cases.NETWORKS, ids=lambda case: case.name
)
def test_every_layer_and_network_answers_with_none(case, mode):
    model, inputs = case.model(), tf.constant(case.inputs())
    answer = MODES[mode](lambda x: model(x, training=False), inputs)
    assert answer(inputs[:0]).shape == (0, *answer(inputs).shape[1:])


@every_mode
def test_a_network_of_any_size_answers_with_none(mode):
    model = keras_pyconv.build_classifier(
        "PyConvResNetMini", input_shape=(None, None, 3), classes=3
    )
    images = tf.zeros((2, 40, 33, 3))
    answer = MODES[mode](lambda x: model(x, training=False), images)
    assert answer(images[:0]).shape == (0, 3)


def test_boxes_of_maps_of_any_size_are_joined_to_none():
    join = JoinBoxMaps(4, [(8, 14, 26, (2,), 1)], 64)
    maps = tf.zeros((0, 3, 5, 8))
    assert unknown(lambda x: join([x]), maps)(maps).shape == (0, 30, 4)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_an_empty_batch_teaches_a_normalization_nothing(mode, fused):
    inputs = tf.random.stateless_normal((4, 5, 6, 8), (1, 2))
    norm = keras_pyconv.FusedBatchNormalization(
        dtype="float32" if fused else "float64"
    )
    inputs = tf.cast(inputs, norm.compute_dtype)
    train = lambda x: norm(x, training=True)  # noqa: E731
    if mode == "graph":
        spec = tf.TensorSpec((None, 5, 6, 8), inputs.dtype)
        train = tf.function(train, input_signature=[spec])
    train(inputs)
    before = norm.get_weights()
    assert train(inputs[:0]).shape == (0, 5, 6, 8)
    for now, was in zip(norm.get_weights(), before):
        np.testing.assert_allclose(now, was, rtol=1e-6)


@pytest.mark.parametrize(
    "case", LAYERS + cases.NETWORKS, ids=lambda case: case.name
)
def test_an_empty_step_of_training_changes_nothing(case):
    model, images = case.model(), case.inputs()

    @tf.function(input_signature=[tf.TensorSpec((None, *images.shape[1:]))])
    def gradients(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(images, training=True) ** 2)
        return tape.gradient(loss, [w.value for w in model.trainable_weights])

    gradients(images)
    before = model.get_weights()
    for slope in gradients(images[:0]):
        np.testing.assert_array_equal(slope, np.zeros(slope.shape))
    for now, was in zip(model.get_weights(), before):
        np.testing.assert_allclose(now, was, rtol=1e-6)


def at_inference(model):
    return lambda images: model(images, training=False)


@pytest.mark.parametrize("batch, more", [(2, 0), (None, 10)])
def test_a_whole_network_pays_ten_operations_or_none(batch, more, monkeypatch):
    case = cases.NETWORKS[0]
    shape = batch, *case.input_shape
    found = grid.kinds(at_inference(case.model()), shape)
    monkeypatch.setattr(uncut, "_may_be_empty", lambda *_: False)
    before = grid.kinds(at_inference(case.model()), shape)
    del found["Const",], before["Const",]
    assert found.total() - before.total() == more
    fused = {kind for kind in before if len(kind) > 1}
    assert ("_FusedConv2D", b"BiasAdd", b"Relu") in fused
    assert all(found[kind] == before[kind] for kind in fused)


def test_gradients_pass_through_what_lies_between():
    first, second = (keras_pyconv.PyConv(8, 3) for _ in range(2))

    @tf.function(input_signature=[tf.TensorSpec((None, 7, 8, 12))])
    def slope(images):
        with tf.GradientTape() as tape:
            features = first(images)
            tape.watch(features)
            outputs = second(features)
        return tape.gradient(outputs, features)

    for batch in (2, 0):
        assert slope(tf.zeros((batch, 7, 8, 12))).shape == (batch, 7, 8, 8)


@pytest.mark.parametrize(
    "name", ["conv3_block1_1_relu", "conv3_block1_3_bn", "conv2_block1_out"]
)
def test_a_graph_knows_the_gradient_of_every_feature(name):
    """Grad-CAM's, which asks for it in the midst of a network."""
    model, images = cases.NETWORKS[0].model(), cases.NETWORKS[0].inputs()
    both = [model.get_layer(name).output, model.output]
    tapped = keras.Model(model.input, both)

    def slope(images):
        with tf.GradientTape() as tape:
            features, outputs = tapped(images, training=False)
            score = outputs[:, 0]
        return tape.gradient(score, features)

    wanted = slope(images)
    got = alone(slope, images)(images)
    np.testing.assert_allclose(got, wanted, atol=1e-4 * np.abs(wanted).max())
