"""A model of Keras layers beside its count, and beside PyTorch's module."""

import numpy as np

from tests.kept.networks import inputs


def assert_built_as_counted(model, count):
    """Every layer with variables: its name, shape and parameters."""
    counted = {x.name: x for x in count.layers if x.total_parameters}
    built = {x.name: x for x in model.layers if x.weights}
    assert set(built) == set(counted)
    for name, layer in built.items():
        assert layer.count_params() == counted[name].total_parameters
        assert layer.output.shape[1:] == counted[name].output_shape


def assert_computed_as_in_pytorch(model, module, shape):
    """The same answers, in training and at inference, on the same weights."""
    import torch

    images = inputs(shape)
    for training in (True, False):
        module.train(training)
        with torch.no_grad():
            wanted = module(torch.from_numpy(np.moveaxis(images, -1, 1).copy()))
        found = np.asarray(model(images, training=training))
        scale = float(wanted.abs().max())
        np.testing.assert_allclose(found, wanted, atol=1e-4 * scale)
