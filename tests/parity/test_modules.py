"""The networks in PyTorch compute what those written by hand computed.

What they are compared with was recorded from other code, so that no
description is compared with itself.
"""

import numpy as np
import pytest

from keras_pyconv import networks
from keras_pyconv.architectures import ARCHITECTURES, SEGMENTERS
from keras_pyconv.complexity import Counter
from keras_pyconv.networks.authors_names import module_names, parameter_name
from keras_pyconv.weights import torch_shapes
from tests.kept.networks import inputs, seeded
from tests.reference import rule, transcriptions

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from keras_pyconv.parity import modules  # noqa: E402

DESCRIPTIONS = {
    "classifier": (networks.classifier, {}),
    "video": (networks.classifier, {"dropout": 0.5}),
    "inception": (networks.inception, {}),
    "segmenter": (networks.segmenter, {"auxiliary": False}),
    "detector": (networks.detector, {}),
}
SETTINGS = (transcriptions.CLASSES,)


def module_of(name):
    kind, record, shape = transcriptions.CASES[name]
    describe, options = DESCRIPTIONS[kind]
    return modules.torch_module(
        describe, record, *SETTINGS, rank=len(shape) - 1, **options
    )


def arrays_of(name):
    """The recorded network's weights, by the names of the parameters."""
    kind, record, shape = transcriptions.CASES[name]
    describe, options = DESCRIPTIONS[kind]
    net = Counter(shape)
    describe(net, net.input, record, *SETTINGS, **options)
    names = module_names(layer.name for layer in net.layers)
    found = {}
    for layer in net.layers:
        module = names.get(layer.name, layer.name)
        for variable, form in layer.variables:
            value = seeded(layer.name, variable, form)
            if value.ndim > 1:
                value = np.moveaxis(value, (-1, -2), (0, 1))
            name = parameter_name(module, layer.name, variable)
            found[name] = value.copy()
    return found


def arrays_in(outputs):
    """Channels last, by name."""
    if not isinstance(outputs, dict):
        outputs = {"output": outputs}
    found = {name: value.numpy() for name, value in outputs.items()}
    return {
        name: np.moveaxis(value, 1, -1) if value.ndim > 3 else value
        for name, value in found.items()
    }


@pytest.mark.parametrize("name", transcriptions.CASES)
@torch.no_grad()
def test_a_module_computes_what_was_recorded(name):
    kind, _, shape = transcriptions.CASES[name]
    module = modules.load_arrays(module_of(name), arrays_of(name))
    images = torch.from_numpy(np.moveaxis(inputs(shape), -1, 1).copy())
    images = images.contiguous(
        memory_format={4: torch.channels_last, 5: torch.channels_last_3d}[
            images.ndim
        ]
    )
    outputs = module(images)
    outputs = arrays_in(
        outputs.get("logits") if kind == "segmenter" else outputs
    )
    if kind == "video":
        module.dropout.p = 0.0
        module.train()
        outputs["training"] = module(images).numpy()
        outputs["after"] = module.eval()(images).numpy()
    transcriptions.assert_recorded(name, outputs)


@pytest.mark.parametrize("name", ["PyConvResNet18", "ResNet50"])
def test_the_logits_are_the_authors(name):
    recorded = rule.recorded(name.lower())
    arrays = rule.weights(recorded["shapes"])
    found = modules.torch_outputs(name, arrays, rule.image(1, 193, 257))
    wanted = np.asarray(recorded["logits_193x257"])
    difference = np.abs(found["logits"] - wanted).max()
    assert difference <= 1e-4 * np.abs(wanted).max()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parameters_have_the_authors_names_and_shapes(name):
    module = modules.torch_module(networks.classifier, ARCHITECTURES[name], 7)
    shapes = {
        name: tuple(value.shape)
        for name, value in module.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    assert shapes == torch_shapes(name, classes=7)


def test_segmentation_networks_have_the_authors_names_and_shapes():
    name = "PyConvSegNetPyConvResNet50"
    module = modules.torch_module(networks.segmenter, SEGMENTERS[name], 150)
    recorded = rule.recorded("pyconvsegnet_pyconvresnet50")["shapes"]
    assert {
        name: list(value.shape)
        for name, value in module.state_dict().items()
        if not name.endswith("num_batches_tracked")
    } == recorded


def test_arrays_that_do_not_fit_are_named():
    arrays = arrays_of("ResNetMini")
    arrays["other.weight"] = arrays.pop("fc.bias")
    with pytest.raises(ValueError, match="fc.bias.*left over.*other.weight"):
        modules.load_arrays(module_of("ResNetMini"), arrays)
