"""The networks compute what the authors' own compute, on given weights."""

import keras
import numpy as np
import pytest

from keras_pyconv.architectures import ARCHITECTURES
from keras_pyconv.models import build_classifier, features
from keras_pyconv.weights import from_torch, torch_names
from tests.reference import rule

NETWORKS = ["PyConvResNet18", "PyConvResNet50", "PyConvHGResNet50", "ResNet50"]
# What float32 gives, as a part of the largest logit.
TOLERANCE = 1e-4


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    """Recorded values and the network with the weights they belong to."""
    recorded = rule.recorded(request.param.lower())
    model = build_classifier(
        ARCHITECTURES[request.param],
        input_shape=(None, None, 3),
        classifier_activation=None,
    )
    return recorded, from_torch(model, rule.weights(recorded["shapes"]))


def assert_close(actual, expected):
    expected = np.asarray(expected)
    difference = np.abs(np.asarray(actual) - expected).max()
    assert difference <= TOLERANCE * np.abs(expected).max()


def test_the_variables_are_the_authors_parameters(network):
    recorded, model = network
    names = torch_names(model)
    assert sorted(names.values()) == sorted(recorded["shapes"])
    assert sorted(names) == sorted(v.path for v in model.variables)


def test_the_logits_at_224_are_the_authors(network):
    recorded, model = network
    # In a graph; the odd size below is computed eagerly.
    logits = model.predict_on_batch(np.asarray(rule.image(2, 224, 224)))
    assert_close(logits, recorded["logits"])


def test_every_stage_at_an_odd_size_is_the_authors(network):
    recorded, model = network
    stages = [feature.output for feature in features(model)[1:]]
    outputs = keras.Model(model.input, [*stages, model.output])(
        rule.image(1, 193, 257)
    )
    *stages, logits = [np.asarray(output, "float64") for output in outputs]
    assert_close(logits, recorded["logits_193x257"])
    for stage, expected in zip(stages, recorded["stages"].values()):
        batch, channels, height, width = expected["shape"]
        assert stage.shape == (batch, height, width, channels)
        statistics = [stage.mean(), stage.std(), np.linalg.norm(stage)]
        assert_close(
            statistics, [expected[key] for key in ("mean", "std", "l2")]
        )
