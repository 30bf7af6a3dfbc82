"""Networks are built, and compute, as when each transcription stood alone."""

import numpy as np
import pytest

import keras_pyconv
from tests.kept import networks
from tests.reference import layers, transcriptions

LOGITS = {"classifier_activation": None}
MAKERS = {
    "classifier": (keras_pyconv.build_classifier, LOGITS),
    "video": (
        keras_pyconv.build_video_classifier,
        {**LOGITS, "dropout": 0.0},
    ),
    "inception": (keras_pyconv.build_inception, LOGITS),
    "segmenter": (keras_pyconv.build_segmenter, {"auxiliary": False}),
    "detector": (keras_pyconv.build_detector, {}),
}


def built(name, **options):
    kind, record, shape = transcriptions.CASES[name]
    make, _ = MAKERS[kind]
    classes = transcriptions.CLASSES
    return make(record, input_shape=shape, classes=classes, **options)


@pytest.mark.parametrize("name", networks.RECORDS)
def test_small_networks_have_the_recorded_layers_and_variables(name):
    model = networks.build(name)
    assert layers.built(model) == layers.RECORDED["built"][name]


@pytest.mark.parametrize("name", transcriptions.CASES)
def test_networks_have_the_recorded_layers_and_compute_as_recorded(name):
    kind, _, shape = transcriptions.CASES[name]
    whole = built(name)
    assert layers.built(whole) == layers.RECORDED["built"][name]
    _, options = MAKERS[kind]
    model = networks.fill(built(name, **options) if options else whole)
    images = networks.inputs(shape)
    outputs = networks.answers(model, images)
    if kind == "video":
        # A step in training moves the statistics.
        outputs["training"] = np.asarray(model(images, training=True))
        outputs["after"] = np.asarray(model(images, training=False))
    transcriptions.assert_recorded(name, outputs)
