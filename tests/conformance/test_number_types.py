"""Everything public computes with every type of numbers.

A user chooses the type by the policy of the layers or by Keras's `floatx`,
which is also the type of inputs and of what has no policy.
"""

import contextlib
import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_pyconv
from keras_pyconv import export, ops, tasks, training
from keras_pyconv.tasks.segmentation import PixelLoss, Protocol
from tests.conformance import cases
from tests.processors import needs_products
from tests.tasks.video import films

# How far answers may be from those in float32, of the largest.
ROUNDING = {"float16": 0.02, "bfloat16": 0.1, "float32": 1e-5, "float64": 1e-4}
SETTINGS = {
    f"{name} {dtype}": (choose, dtype)
    for name, choose in {
        "floatx": keras.config.set_floatx,
        "policy": keras.config.set_dtype_policy,
    }.items()
    for dtype in ROUNDING
}
LONG = [pytest.mark.ci, pytest.mark.once]
# The others of them differ in a default alone.
OFTEN = ("floatx float16", "policy bfloat16", "floatx float64")
every_type = pytest.mark.parametrize(
    "setting",
    [
        pytest.param(name, marks=[] if name in OFTEN else LONG)
        for name in SETTINGS
    ],
)


@contextlib.contextmanager
def numbers(setting):
    """Within it Keras makes layers that compute as the setting says."""
    choose, dtype = SETTINGS[setting]
    before = keras.config.floatx(), keras.config.dtype_policy()
    choose(dtype)
    # The default policy was made when it was first asked for.
    keras.config.set_dtype_policy(dtype)
    try:
        yield dtype
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


def _close(got, wanted, dtype):
    got, wanted = (np.asarray(each, "float64") for each in (got, wanted))
    assert got.shape == wanted.shape
    np.testing.assert_allclose(
        got, wanted, atol=ROUNDING[dtype] * max(1.0, np.abs(wanted).max())
    )


def _fit(model, inputs, targets, *args, **options):
    model.compile(training.SGD(1e-3, momentum=0.9), *args, **options)
    history = model.fit(inputs, targets, batch_size=4, verbose=0).history
    logged = [value for values in history.values() for value in values]
    for value in [*logged, *model.weights]:
        assert np.isfinite(np.asarray(keras.ops.cast(value, "float32"))).all()


@every_type
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case,
            # Compiling the step of a whole network takes long.
            marks=[] if case in cases.LAYERS else LONG,
            id=case.name,
        )
        for case in cases.CASES
    ],
)
def test_a_model_predicts_learns_and_is_kept(case, setting, tmp_path):
    wide, inputs = case.model(), case.inputs(4)
    with numbers(setting) as dtype:
        model = case.model()
        model.set_weights(wide.get_weights())
        answer = model.predict(inputs, verbose=0)
        assert answer.dtype.name == dtype
        _close(answer, wide.predict(inputs, verbose=0), dtype)
        _fit(model, inputs, np.zeros(answer.shape), "mse")
        answer = model.predict(inputs, verbose=0)
        model.save(tmp_path / "model.keras")
        model.save_weights(tmp_path / "model.weights.h5")
        loaded, other = (
            keras.saving.load_model(tmp_path / "model.keras"),
            case.model(),
        )
        other.load_weights(tmp_path / "model.weights.h5")
        for copy in loaded, other:
            np.testing.assert_array_equal(
                np.asarray(copy.predict(inputs, verbose=0), "float64"),
                np.asarray(answer, "float64"),
            )


def _random(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def _image():
    return np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)


def _classifier(name="PyConvResNetMini", **options):
    return keras_pyconv.build_classifier(
        name, input_shape=(32, 32, 3), classes=5, **options
    )


def _detector():
    return keras_pyconv.build_detector(
        cases.DETECTOR, input_shape=(64, 64, 3), classes=4
    )


def _segmenter():
    return keras_pyconv.build_segmenter(
        cases.SEGMENTER, input_shape=(None, None, 3), classes=5
    )


def _video():
    return keras_pyconv.build_video_classifier(
        cases.VIDEO, input_shape=(4, 16, 16, 3), classes=3
    )


def _learns_classes(dtype, folder):
    metrics = [tasks.TopKError(1), tasks.TopKError(2)]
    numbered, rows = np.arange(4), np.eye(5)[:4]
    images = _random(4, 8, 8, 4)
    inputs = keras.Input((8, 8, 4))
    x = keras.layers.GlobalAveragePooling2D()(keras_pyconv.PyConv(8)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(5, "softmax")(x))
    loss = tasks.Crossentropy(label_smoothing=0.1)
    _fit(model, images, numbered, loss, metrics=metrics)
    _fit(model, images, rows, tasks.Crossentropy(), metrics=metrics)


def _learns_boxes(dtype, folder):
    model = _detector()
    boxes = tasks.default_boxes(model)
    # As data sets call it.
    encode = tf.function(tasks.detection.encode_targets)
    target = encode(boxes, tf.constant([[0.1, 0.1, 0.6, 0.6]]), [1])
    targets = {name: np.stack([array] * 4) for name, array in target.items()}
    _fit(model, _random(4, 64, 64, 3), targets, tasks.detection_losses())


def _classifies(dtype, folder):
    model = keras_pyconv.build_classifier(
        "PyConvResNetMini", input_shape=(64, 64, 3), classes=5
    )
    found = keras_pyconv.classify(model, _image(), top=2)
    assert len(found.labels) == 2 and np.isfinite(found.scores).all()


def _comes_back_from_a_preset(dtype, folder):
    model = keras_pyconv.build_classifier(
        "PyConvResNetMini", input_shape=(64, 64, 3), classes=5
    )
    keras_pyconv.describe(model, list("abcde"))
    keras_pyconv.save_to_preset(model, folder / "preset")
    again = keras_pyconv.from_preset(folder / "preset")
    for one, other in zip(again.weights, model.weights):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    assert keras_pyconv.classify(again, _image()).class_names == tuple("abcde")


def _detects(dtype, folder):
    model = _detector()
    found = keras_pyconv.detect(model, _image(), score_threshold=0.0)
    assert len(found) and np.isfinite(found.boxes).all()
    answer = tasks.detection_model(model).predict(
        _random(2, 64, 64, 3), verbose=0
    )
    assert answer["boxes"].dtype == "float32"


def _learns_masks(dtype, folder):
    model, labels = _segmenter(), np.zeros((4, 64, 64), int)
    labels[:, :9] = 255
    judges = [tasks.ConfusionMatrix(5), PixelLoss()]
    _fit(
        model,
        _random(4, 64, 64, 3),
        labels,
        tasks.SegmentationLoss(),
        metrics=judges,
    )


def _segments(dtype, folder):
    protocol = Protocol(window=40, scales=(0.5, 1.5), flip=True)
    parsed = keras_pyconv.segment(_segmenter(), _image(), protocol)
    assert parsed.labels.shape == (40, 50)
    examples = [{"image": _image(), "labels": np.zeros((40, 50), "uint8")}]
    found = tasks.evaluate_segmentation(
        _segmenter(), examples, Protocol(window=40), verbose=0
    )
    assert np.isfinite(found.pixel_accuracy)


def _recognizes(dtype, folder):
    pytest.importorskip("av", reason="PyAV is not installed")
    films.film(folder / "a.mp4")
    found = keras_pyconv.recognize(
        _video(), folder / "a.mp4", most_clips=1, crops=1
    )
    assert found.scores.sum() == pytest.approx(1, abs=0.02)


def _shows(dtype, folder):
    model, plain = _classifier(), _classifier("ResNetMini")
    image = _random(32, 32, 3)
    keras_pyconv.show_pyramid(model, image, folder / "a.png", beside=plain)
    assert (folder / "a.png").stat().st_size


def _explains(dtype, folder):
    found = keras_pyconv.explain(_classifier(), _image())
    assert np.isfinite(found.maps).all() and found.maps.any()


def _has_features(dtype, folder):
    model = _classifier()
    outputs = [found.output for found in keras_pyconv.features(model)]
    backbone = keras.Model(model.input, outputs)
    for maps in backbone.predict(_random(1, 32, 32, 3), verbose=0):
        assert maps.dtype.name == dtype


def _predicts_by_inception(dtype, folder):
    model = keras_pyconv.build_inception(
        "PyConvInceptionResNetV2", input_shape=(75, 75, 3), classes=3
    )
    # Where nothing is normalized yet, its sums are more than float16 holds.
    answer = model(_random(2, 75, 75, 3), training=True)
    assert answer.dtype == dtype
    assert np.isfinite(keras.ops.cast(answer, "float32")).all()


def _inflates(dtype, folder):
    images = keras_pyconv.build_classifier(
        cases.VIDEO.base, input_shape=(16, 16, 3), classes=3
    )
    video = keras_pyconv.inflate(images, _video(), "mean")
    answer = video.predict(_random(1, 4, 16, 16, 3), verbose=0)
    assert answer.dtype.name == dtype


def _replaces(dtype, folder):
    inputs = keras.Input((32, 32, 16))
    plain = keras.Model(inputs, keras.layers.Conv2D(16, 3)(inputs))
    assert keras_pyconv.replacement_report(plain)
    model = keras_pyconv.replace_convolutions(plain)
    answer = model.predict(_random(1, 32, 32, 16), verbose=0)
    assert answer.dtype.name == dtype


def _computes_native_groups(dtype, folder):
    inputs = keras.Input((8, 8, 4))
    grouped = keras.layers.Conv2D(8, 3, groups=2)(inputs)
    model = keras_pyconv.native_groups(keras.Model(inputs, grouped))
    answer = model.predict(_random(1, 8, 8, 4), verbose=0)
    assert answer.dtype.name == dtype


def _is_a_backbone(build, dtype):
    backbone = build(
        "PyConvResNetMini", input_shape=(32, 32, 3), include_rescaling=True
    )
    answer = backbone.predict(255 * _random(1, 32, 32, 3), verbose=0)
    assert answer.dtype.name == dtype
    assert np.isfinite(answer.astype("float32")).all()


def _serves_keras_cv(dtype, folder):
    _is_a_backbone(keras_pyconv.keras_cv_backbone, dtype)


def _serves_keras_hub(dtype, folder):
    _is_a_backbone(keras_pyconv.keras_hub_backbone, dtype)


def _convolves(dtype, folder):
    inputs = tf.cast(_random(1, 6, 6, 4), dtype)
    kernel = tf.cast(_random(3, 3, 2, 4), dtype)
    kernels = [kernel, tf.cast(_random(5, 5, 4, 2), dtype)]
    outputs = [ops.grouped_conv(inputs, kernel, groups=2)]
    outputs.append(ops.pyramid_conv(inputs, kernels, groups=(2, 1)))
    for tensor in outputs:
        assert tensor.dtype.name == dtype


def _averages(dtype, folder):
    model = _classifier()
    model.compile(training.SGD(1e-3, momentum=0.9), tasks.Crossentropy())
    training.accumulate_gradients(model, 2)
    model.fit(
        _random(4, 32, 32, 3),
        np.arange(4),
        batch_size=2,
        verbose=0,
        callbacks=[training.WeightAverage(0.9)],
    )
    answer = model.predict(_random(1, 32, 32, 3), verbose=0)
    assert np.isfinite(answer.astype("float32")).all()


def _is_served(dtype, folder):
    model = _classifier()
    path = export.saved_model(model, folder / "net", batch_sizes=(1,))
    report = export.check(path, model)
    assert report.passed, report
    answer = export.answer_in_clean_process(path, _random(2, 32, 32, 3))
    wanted = model.predict(_random(2, 32, 32, 3), verbose=0)
    _close(answer["probabilities"], wanted, dtype)
    assert not export.audit(path)
    assert export.serving_form(model).count_params()


def _tasks_are_served(dtype, folder):
    makers = {
        _detector: export.detection_signatures,
        _segmenter: export.segmentation_signatures,
        _video: export.video_signatures,
    }
    for build, sign in makers.items():
        model = build()
        signatures = sign(model)
        path = export.saved_model(
            model,
            folder / model.name,
            signatures=signatures,
            batch_sizes=(1,),
        )
        report = export.check(path, model, signatures)
        assert report.passed, report


def _runs_elsewhere(dtype, folder):
    inputs = keras.Input((9, 10, 8))
    x = keras_pyconv.PyConv(8, (3, 5), strides=2)(inputs)
    x = keras_pyconv.FusedBatchNormalization()(x)
    model = keras.Model(inputs, keras.layers.Softmax()(x))
    export.litert(model, folder / "net.tflite")
    export.litert(model, folder / "net16.tflite", "float16")
    calibration = _random(4, 9, 10, 8)
    export.litert(
        model, folder / "net8.tflite", "int8", calibration=calibration
    )
    pytest.importorskip("tf2onnx", reason="tf2onnx is not installed")
    export.onnx(model, folder / "net.onnx")
    pytest.importorskip("openvino", reason="openvino is not installed")
    export.openvino(model, folder / "net.xml")


# What is done, and the public callables that it goes through.
DEEDS = {
    _learns_classes: ("training.SGD",),
    _learns_boxes: ("build_detector",),
    _classifies: ("classify",),
    _comes_back_from_a_preset: ("describe", "from_preset", "save_to_preset"),
    _detects: ("detect",),
    _learns_masks: ("build_segmenter",),
    _segments: ("segment",),
    _recognizes: ("recognize", "build_video_classifier"),
    _shows: ("show_pyramid", "build_classifier"),
    _explains: ("explain",),
    _has_features: ("features",),
    _inflates: ("inflate",),
    _predicts_by_inception: ("build_inception",),
    _replaces: ("replace_convolutions", "replacement_report"),
    _computes_native_groups: ("native_groups",),
    _serves_keras_cv: ("keras_cv_backbone",),
    _serves_keras_hub: ("keras_hub_backbone",),
    _convolves: ("ops.grouped_conv", "ops.pyramid_conv"),
    _averages: ("training.accumulate_gradients", "training.WeightAverage"),
    _is_served: (
        "export.answer_in_clean_process",
        "export.audit",
        "export.check",
        "export.saved_model",
        "export.serving_form",
    ),
    _tasks_are_served: (
        "export.detection_signatures",
        "export.segmentation_signatures",
        "export.video_signatures",
    ),
    _runs_elsewhere: ("export.litert", "export.onnx", "export.openvino"),
}
CI = (
    _averages,
    _comes_back_from_a_preset,
    _inflates,
    _is_served,
    _learns_boxes,
    _learns_classes,
    _learns_masks,
    _predicts_by_inception,
    _runs_elsewhere,
    _segments,
    _serves_keras_hub,
)
SLOW = (_tasks_are_served,)


def _tier(deed):
    if deed in SLOW:
        return [pytest.mark.slow]
    return [pytest.mark.ci] if deed in CI else []


@pytest.mark.once
@every_type
@pytest.mark.parametrize(
    "deed",
    [
        pytest.param(
            deed,
            marks=_tier(deed),
            id=deed.__name__[1:],
        )
        for deed in DEEDS
    ],
)
def test_a_task_is_done(deed, setting, tmp_path):
    needs_products(SETTINGS[setting][1])  # of Keras's `Dense`
    with numbers(setting) as dtype:
        deed(dtype, tmp_path)


# They have no tensors of the user's type.
WITHOUT_NUMBERS = {
    "export.Signature",
    "ops.set_way",
    "training.Evaluation",
    "training.Run",
    "training.StepDecay",
    "training.cosine_decay",
    "training.make_strategy",
    "training.poly_decay",
    "training.provenance",
    "training.shard",
    "training.step_decay",
    "training.validation_data",
}


def _public():
    """Names of the public callables; the paper's networks differ by a row."""
    rooms = {"": keras_pyconv, "export.": export, "ops.": ops}
    rooms["training."] = training
    for place, room in rooms.items():
        for name in room.__all__:
            thing = getattr(room, name)
            is_network = inspect.isfunction(thing) and name[0].isupper()
            if callable(thing) and not is_network:
                yield place + name


def test_nothing_public_is_forgotten():
    tried = {name for names in DEEDS.values() for name in names}
    tried |= {case.name for case in cases.LAYERS}
    # This needs several devices: `tests/layers/divided.py`.
    tried |= {"level_devices"}
    assert tried | WITHOUT_NUMBERS == set(_public())
