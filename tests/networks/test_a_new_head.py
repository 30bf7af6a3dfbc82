"""A new head is a record and a function; every reader of it follows."""

from dataclasses import dataclass, replace

import keras
import numpy as np
import pytest

import keras_pyconv
from keras_pyconv.architectures import PYRAMIDS, Head
from keras_pyconv.complexity import complexity
from keras_pyconv.networks import segmentation, segmenter, unit
from keras_pyconv.networks.authors_names import module_names, parameter_name
from tests.conformance.cases import SEGMENTER
from tests.kept.networks import inputs
from tests.networks.built import assert_built_as_counted

SHAPE = (33, 40, 3)


@dataclass(frozen=True)
class DenseHead(Head):
    """Pyramids, each of which sees the maps of all before it."""

    width: int = 8
    blocks: int = 2


def dense_head(net, x, head):
    kernels = tuple(level.kernel for level in PYRAMIDS[2])
    filters = (head.width // 2,) * 2
    for number in range(1, head.blocks + 1):
        name = f"dense{number}"
        y = unit(net, x, filters, kernels, 4, name=name, start="uniform")
        x = net.concat([x, y], name=f"{name}_concat")
    return x


@pytest.fixture
def row(monkeypatch):
    monkeypatch.setitem(segmentation.HEADS, DenseHead, dense_head)
    return replace(SEGMENTER, name="DenseTiny", head=DenseHead())


def build(row, **options):
    return keras_pyconv.build_segmenter(
        row, input_shape=SHAPE, classes=3, **options
    )


def test_keras_layers_are_made_of_it_as_it_is_counted(row):
    count = complexity(row, SHAPE, 3)
    assert_built_as_counted(build(row), count)
    layers = {layer.name: layer.output_shape for layer in count.layers}
    assert layers["dense2_pyconv"] == (5, 5, 8)
    assert count.parts[-2].name == "head"


def test_pytorch_computes_what_keras_does(row):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from keras_pyconv.parity import modules

    keras.utils.set_random_seed(1)
    model = build(row, auxiliary=False)
    module = modules.torch_module(segmenter, row, 3, auxiliary=False)
    names = module_names(layer.name for layer in model.layers)
    arrays = {}
    for layer in model.layers:
        for variable in layer.weights:
            value = np.asarray(variable)
            if value.ndim > 1:
                value = np.moveaxis(value, (-1, -2), (0, 1)).copy()
            place = names.get(layer.name, layer.name)
            arrays[parameter_name(place, layer.name, variable.name)] = value
    modules.load_arrays(module, arrays)
    images = inputs(SHAPE)
    with torch.no_grad():
        found = module(torch.from_numpy(np.moveaxis(images, -1, 1).copy()))
    wanted = np.asarray(model(images))
    np.testing.assert_allclose(
        np.moveaxis(found["logits"].numpy(), 1, -1),
        wanted,
        atol=1e-4 * np.abs(wanted).max(),
    )
