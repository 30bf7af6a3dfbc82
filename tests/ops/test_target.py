"""What a processor has, of its instructions and of oneDNN's limit."""

import numpy as np
import pytest

from keras_pyconv import PyConv, provenance
from keras_pyconv.lazy import tf
from keras_pyconv.ops import target
from tests.ops import grid

SKYLAKE = ["avx2", "avx512f"]
COOPER_LAKE = [*SKYLAKE, "avx512_vnni", "avx512_bf16"]
CACHED = (
    target.cpu_has_avx512,
    target.cpu_emulates_bfloat16,
    target.cpu_differentiates_groups,
)


def _forget():
    for known in CACHED:
        known.cache_clear()


@pytest.fixture
def processor(monkeypatch):
    """Sets the instructions of the processor and oneDNN's limit."""

    def change(sets, limit=None):
        monkeypatch.setattr(provenance, "instruction_sets", lambda: sets)
        monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
        if limit:
            monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
        _forget()

    yield change
    _forget()


@pytest.mark.parametrize(
    "sets, limit, emulates",
    [
        (["avx2"], None, False),  # which refuses it
        (SKYLAKE, None, True),
        (SKYLAKE, "AVX2", False),
        (COOPER_LAKE, None, False),
        (COOPER_LAKE, "DEFAULT", False),
        (COOPER_LAKE, "AVX512_CORE_BF16", False),
        (COOPER_LAKE, "avx512_core", True),
        (COOPER_LAKE, "AVX512_CORE_VNNI", True),
        (COOPER_LAKE, "AVX2", False),
        (["asimd", "bf16"], None, False),
    ],
)
def test_avx512_alone_emulates_bfloat16(processor, sets, limit, emulates):
    processor(sets, limit)
    assert target.cpu_emulates_bfloat16() is emulates


def test_where_it_is_emulated_convolutions_are_in_float32(processor):
    processor(SKYLAKE)
    layer = PyConv(16, (3, 5), groups=(1, 4), dtype="mixed_bfloat16")
    images = np.random.default_rng(0).normal(size=(2, 9, 9, 16)).astype("f4")
    found = layer(images)
    assert found.dtype == "bfloat16"
    concrete = tf.function(layer).get_concrete_function(tf.constant(images))
    types = grid.convolved(concrete)
    assert len(types) > 1 and set(types) == {tf.float32}
    # Values are those of bfloat16, which keeps eight bits of each.
    exact = PyConv(16, (3, 5), groups=(1, 4))
    exact.build(images.shape)
    exact.set_weights(layer.get_weights())
    error = np.abs(tf.cast(found, "float32") - exact(images)).max()
    assert error < 0.02 * np.abs(exact(images)).max()
