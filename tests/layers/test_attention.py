"""Attention of positions equals a loop over them."""

import keras
import numpy as np
import pytest

from keras_pyconv.layers.attention import PositionAttention
from tests.processors import needs_products

SIZES = [((5, 4), (2, 3)), ((3, 1), (1, 1)), ((2, 3, 4), (1, 1, 2))]


def maps(batch, sizes, pooled, channels=6, width=3):
    random = np.random.default_rng(1)
    shapes = [
        (batch, *sizes, channels),
        (batch, *pooled, channels),
        (batch, *pooled, width),
    ]
    return [random.normal(size=shape).astype("float32") for shape in shapes]


def by_loop(queries, keys, values):
    found = np.zeros((*queries.shape[:-1], values.shape[-1]))
    for image, *position in np.ndindex(queries.shape[:-1]):
        query = queries[image, *position].astype(float)
        products = keys[image].reshape(-1, keys.shape[-1]) @ query
        weights = np.exp(products - products.max())
        rows = values[image].reshape(-1, values.shape[-1])
        found[image, *position] = (weights / weights.sum()) @ rows
    return found


@pytest.mark.parametrize("sizes, pooled", SIZES)
@pytest.mark.parametrize("first", [False, True])
def test_it_equals_a_loop_over_positions(sizes, pooled, first):
    inputs = maps(2, sizes, pooled)
    wanted = by_loop(*inputs)
    if first:
        inputs = [np.moveaxis(x, -1, 1) for x in inputs]
        wanted = np.moveaxis(wanted, -1, 1)
    layer = PositionAttention("channels_first" if first else "channels_last")
    found = layer(inputs)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    assert layer.compute_output_shape([x.shape for x in inputs]) == found.shape


def test_sizes_may_be_unknown_and_a_batch_empty():
    inputs = [keras.Input((None, None, c)) for c in (6, 6, 3)]
    model = keras.Model(inputs, PositionAttention()(inputs))
    assert model.output_shape == (None, None, None, 3)
    for batch in (0, 2):
        arrays = maps(batch, (5, 4), (2, 3))
        found = np.asarray(model(arrays))
        np.testing.assert_allclose(found, by_loop(*arrays), atol=1e-5)
    twin = keras.Model.from_config(model.get_config())
    np.testing.assert_array_equal(twin(arrays), found)


def test_the_policys_precision_comes_out():
    needs_products("bfloat16")
    arrays = maps(1, (9, 9), (4, 4))
    found = PositionAttention(dtype="bfloat16")(arrays)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    found = keras.ops.cast(found, "float32")
    np.testing.assert_allclose(found, by_loop(*arrays), atol=0.05)
