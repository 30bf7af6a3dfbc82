"""The checker passes good exports and fails those that a server would."""

import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.export import __main__ as command
from keras_pyconv.export import answer_in_clean_process, check, saved_model
from keras_pyconv.export.proof import clean_process
from keras_pyconv.export.proof.check import Candidate, check_all
from keras_pyconv.export.proof.claims import (
    BFLOAT16_TOLERANCE,
    Report,
    Row,
    difference_of,
    precision_row,
)
from keras_pyconv.export.serving import warmup
from keras_pyconv.layers import PyConv, PyConv3D
from keras_pyconv.models import PyConvSegNet, PyConvSSD

pytestmark = pytest.mark.ci  # half a minute to make and ask the exports
layers = keras.layers


def classifier(inputs, *body):
    """A network of five classes that ends as most do."""
    x = inputs
    for layer in body:
        x = layer(x)
    pool = layers.GlobalAveragePooling2D if x.ndim == 4 else Pool3D
    x = layers.BatchNormalization()(x)
    x = layers.Dense(5, "softmax")(pool()(layers.ReLU()(x)))
    return keras.Model(inputs, x)


Pool3D = layers.GlobalAveragePooling3D


def stock():
    """A convolution of Keras that XLA must compile."""
    inputs = keras.Input((8, 8, 4))
    outputs = layers.Conv2D(4, 3, groups=2, name="stock")(inputs)
    return keras.Model(inputs, outputs)


def save_as_many_do(model, folder, restored):
    """As `tf.saved_model.save(model)` does, or with its raw variables."""

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 4), name="x")])
    def serve(x):
        return {"y": model(x)}

    module = tf.Module()
    if restored:
        module.model_variables = [v.value for v in model.variables]
    else:
        module.model = model
    tf.saved_model.save(module, str(folder), signatures=serve)
    return folder


def one_of_each_kind(root):
    """Exports of small networks, by name: candidates for the checker."""
    images, clips = keras.Input((16, 16, 3)), keras.Input((4, 12, 12, 3))
    small = layers.Conv2D(8, 3), layers.MaxPooling2D()
    models = {
        "frozen": classifier(images, *small, PyConv(16, groups=(1, 2, 4, 4))),
        "video": classifier(
            clips, layers.Conv3D(8, 3), PyConv3D(8, (3, 5), groups=(1, 4))
        ),
    }
    half = {"dtype": "mixed_bfloat16"}
    models["bfloat16"] = classifier(
        images,
        layers.Conv2D(8, 3, **half),
        PyConv(16, groups=(1, 2, 4, 4), **half),
    )
    any_size = keras.Input((None, None, 1))
    models["any size"] = keras.Model(any_size, layers.Conv2D(1, 75)(any_size))
    models |= in_bfloat16()
    for name, model in models.items():
        path = saved_model(
            model,
            root / name.replace(" ", "-"),
            freeze=name == "frozen",
            batch_sizes=(1, 2),
        )
        yield name, Candidate(path, model)


def in_bfloat16():
    """A detector and a segmentation network of the package, by name."""
    mini = {"backbone": "PyConvResNetMini", "classes": 11}
    mini["weights"] = "digits_in_photos"
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield "detector", PyConvSSD(**mini, input_shape=(64, 64, 3))
        yield "segmenter", PyConvSegNet(
            **mini, head_width=64, input_shape=(96, 96, 3)
        )
    finally:
        keras.config.set_dtype_policy(before)


def written_before():
    """An export that was written at commit aa13343, and its model."""
    folder = pathlib.Path(__file__).parents[1] / "written_before"
    inputs = keras.Input((12, 12, 3))
    x = PyConv(8, (3, 5), groups=(1, 1))(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(3, "softmax", name="kinds")(x)
    model = keras.Model(inputs, x)
    model.load_weights(folder / "tiny.weights.h5")
    return Candidate(folder / "tiny" / "1", model)


def with_damaged_warmup(exported, folder):
    copy = shutil.copytree(exported, folder / "1")
    (copy / warmup.FILE).write_bytes(b"\xff\xfe hello")
    return Candidate(copy)


def with_warmup_of_another(exported, folder):
    copy = shutil.copytree(exported, folder / "1")
    request = {"images": np.zeros((1, 32, 32, 3), np.float32)}
    with tf.io.TFRecordWriter(str(copy / warmup.FILE)) as writer:
        writer.write(warmup.encode_log("net", "gone", "predict", request))
    return Candidate(copy)


@pytest.fixture(scope="module")
def reports(network, exported, tmp_path_factory):
    """What the checker says of all of them, from one pair of processes."""
    root = tmp_path_factory.mktemp("kinds")
    candidates = {
        "whole": Candidate(exported, network),
        **dict(one_of_each_kind(root)),
        "stock": Candidate(save_as_many_do(stock(), root / "1", True)),
        "written before": written_before(),
        "damaged warm-up": with_damaged_warmup(exported, root / "damaged"),
        "other warm-up": with_warmup_of_another(exported, root / "other"),
        "unrestored": Candidate(save_as_many_do(stock(), root / "2", False)),
        "no version": Candidate(
            save_as_many_do(layers.ReLU(), root / "new", True)
        ),
    }
    return dict(zip(candidates, check_all(candidates.values())))


@pytest.mark.parametrize(
    "kind",
    [
        *("whole", "frozen", "video", "any size"),
        *("bfloat16", "detector", "segmenter"),
    ],
)
def test_an_export_passes_with_and_without_onednn(reports, kind):
    report = reports[kind]
    assert report.passed, str(report)
    told = "oneDNN on: the faster precision" in str(report)
    assert told == (kind in ("bfloat16", "detector", "segmenter"))
    claims = " ".join(row.claim for row in report.rows)
    for where in ("oneDNN on", "oneDNN off"):
        assert f"{where}: outputs equal the Keras model's" in claims
        assert f"{where}, serving_default: a batch of 2 equals" in claims
        assert f"{where}, serving_default: an empty batch is harmless" in claims


@pytest.mark.parametrize("kind", ["whole", "frozen"])
def test_signatures_of_strings_and_the_warm_up_are_asked(reports, kind):
    claims = [row.claim for row in reports[kind].rows]
    assert "oneDNN on: 6 warm-up requests pass" in claims
    for name in ("serve_bytes", "classify"):
        assert f"oneDNN off, {name}: a broken image does not" in str(claims)


def failed(report):
    return "\n".join(str(row) for row in report.rows if not row.passed)


def test_stock_groups_fail(reports):
    faults = failed(reports["stock"])
    assert "FAIL  no must-compile function" in faults
    assert "FAIL  oneDNN on, serving_default: runs" in faults
    assert "compilation disabled" in faults


def test_unrestored_variables_fail(reports):
    faults = failed(reports["unrestored"])
    assert "FAIL  oneDNN off, serving_default: runs" in faults
    assert "Could not find variable" in faults


def test_a_folder_that_is_no_version_fails(reports):
    faults = failed(reports["no version"])
    assert faults == "FAIL  the folder's name is a version"


def test_the_command_prints_the_report(monkeypatch, capsys):
    row = Row("it flies", False, "it fell")
    report = Report("here/1", (row,))
    monkeypatch.setattr("keras_pyconv.export.check", lambda path: report)
    assert command.main(["check", "here/1"]) == 1
    printed = capsys.readouterr().out
    assert "FAIL  it flies: it fell\n1 of 1 checks failed" in printed


def test_the_command_says_where_no_model_is(tmp_path, capsys):
    assert command.main(["check", str(tmp_path)]) == 2
    assert "no SavedModel" in capsys.readouterr().err


def test_unknown_names_list_the_known_ones(exported):
    with pytest.raises(ValueError, match="It has: classify, serve_bytes"):
        answer_in_clean_process(exported, np.zeros(1), "poetry")
    with pytest.raises(ValueError, match="images. Received: pixels"):
        answer_in_clean_process(exported, {"pixels": np.zeros(1)})


def test_tensorflow_is_found_where_the_user_has_it(
    exported, tmp_path, monkeypatch
):
    (tmp_path / "tensorflow.py").write_text("raise ImportError(__file__)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=f"{tmp_path}/tensorflow.py"):
        answer_in_clean_process(exported, np.zeros((1, 32, 32, 3)))


def test_a_process_that_takes_too_long_is_an_error(exported, monkeypatch):
    monkeypatch.setattr(clean_process, "TIMEOUT_SECONDS", 0.1)
    with pytest.raises(RuntimeError, match="not done within 0.1 seconds"):
        answer_in_clean_process(exported, np.zeros((1, 32, 32, 3)))


def test_arrays_and_strings_travel_between_processes(tmp_path):
    specs = tf.TensorSpec((None, 3), name="x"), tf.TensorSpec(None, tf.string)
    module = tf.Module()

    @tf.function(input_signature=specs)
    def serve(x, text):
        return {"numbers": x, "texts": text}

    tf.saved_model.save(module, str(tmp_path / "1"), signatures=serve)
    numbers = np.arange(6.0, dtype="float32").reshape(2, 3)
    sent = [
        np.array([["a", "\u00fc"]]),
        np.array([b"\x00\xff\x00", b""], object),
        np.array([], object),
    ]
    requests = [("serving_default", {"x": numbers, "text": t}) for t in sent]
    job = tmp_path / "1", requests
    with clean_process.Asked([job]) as process:
        (session,) = process.sessions()
    for texts, answer in zip(sent, session.answers):
        np.testing.assert_array_equal(answer.outputs["numbers"], numbers)
        wanted = [t.encode() if isinstance(t, str) else t for t in texts.flat]
        assert answer.outputs["texts"].ravel().tolist() == wanted


RANKING = {
    "scores": np.array([[0.7, 0.2, 0.1]], np.float32),
    "classes": np.array([[4, 2, 9]]),
}


@pytest.mark.parametrize(
    "name, value, difference",
    [
        ("scores", [[0.7, 0.2, 0.1001]], "scores differs by 1.0e-04"),
        ("classes", [[2, 4, 9]], "classes differs"),
        ("classes", [[4, 2]], "classes has shape"),
    ],
    ids=["score", "order", "shape"],
)
def test_answers_that_differ_are_told(name, value, difference):
    other = {**RANKING, name: np.array(value)}
    assert difference in difference_of(RANKING, other)


def test_equal_scores_may_be_ranked_either_way():
    tied = {**RANKING, "scores": np.array([[0.5, 0.3, 0.3]])}
    other = {**tied, "classes": np.array([[4, 9, 2]])}
    assert not difference_of(tied, other)


def test_what_scores_rank_is_compared_where_the_rank_is_sure():
    boxes = np.arange(12.0).reshape(1, 3, 4)
    wanted = {"scores": np.array([[0.9, 0.5, 0.5]]), "boxes": boxes}
    tied = {**wanted, "boxes": boxes[:, [0, 2, 1]]}
    other = {**wanted, "boxes": boxes[:, [1, 0, 2]]}
    assert not difference_of(wanted, tied)
    assert difference_of(wanted, other).startswith("boxes differs")


def test_outputs_that_hold_nothing_or_no_numbers_are_compared():
    wanted = {
        "nothing": np.zeros((2, 0), np.float32),
        "flags": np.array([[True], [False]]),
        "labels": np.array([[b"a"], [b"b"]], object),
        "scores": np.ones((2, 3), np.float32),
    }
    assert not difference_of(wanted, wanted)
    for name in ("flags", "labels"):
        other = {**wanted, name: wanted[name][::-1]}
        assert difference_of(wanted, other) == f"{name} differs"


def test_the_precision_that_was_taken_is_told():
    def answers(score):
        return [clean_process.Answer({"scores": np.array([score])}, (), None)]

    row = precision_row(answers(0.71), answers(0.7))
    assert row.passed and row.detail == "bfloat16"
    row = precision_row(answers(0.7), answers(0.7))
    assert row.passed and "which was not tried" in row.detail


def test_answers_in_bfloat16_differ_more_but_not_much():
    other = {"scores": np.array([[0.72, 0.2, 0.1]]), "mask": np.eye(4)[None]}
    wanted = {**RANKING, "mask": np.eye(4)[None] > 0}
    del wanted["classes"]
    assert difference_of(wanted, other).startswith("scores differs")
    assert not difference_of(wanted, other, BFLOAT16_TOLERANCE)
    other["mask"] = 1 - other["mask"]
    told = difference_of(wanted, other, BFLOAT16_TOLERANCE)
    assert told == "mask differs"
    files = [{"mask_bytes": np.array([x], object)} for x in (b"a", b"b")]
    assert difference_of(*files) == "mask_bytes differs"
    assert not difference_of(*files, BFLOAT16_TOLERANCE)


def test_a_graph_that_touches_files_is_not_run(tmp_path):
    trace = tmp_path / "trace"
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((None, 4), name="x")])
    def serve(x):
        with tf.control_dependencies([tf.io.write_file(str(trace), "ran")]):
            return {"y": x + 1.0}

    tf.saved_model.save(module, str(tmp_path / "1"), signatures=serve)
    report = check(tmp_path / "1")
    assert not report.passed and not trace.exists()
    assert "FAIL  no operation reads or writes files" in str(report)
    assert "WriteFile" in str(report) and "oneDNN" not in str(report)


def test_damaged_warm_up_requests_fail(reports):
    faults = failed(reports["damaged warm-up"])
    assert faults.startswith("FAIL  the warm-up requests can be read: ")
    assert "is damaged" in faults and "\n" not in faults


def test_warm_up_requests_to_other_signatures_fail(reports):
    faults = failed(reports["other warm-up"])
    assert "request calls 'gone' with images" in faults
    assert "one of classify, serve_bytes, serving_default" in faults


def test_outputs_that_are_not_there_are_named():
    wanted = {"logits": np.zeros((1, 3), np.float32)}
    told = difference_of(wanted, {"labels": np.zeros(1)})
    assert told == "there is no logits, only labels"


def test_an_export_of_before_passes_and_answers_as_its_model(reports):
    report = reports["written before"]
    assert report.passed, str(report)
    claims = [row.claim for row in report.rows]
    assert "oneDNN on: 6 warm-up requests pass" in claims
    assert "oneDNN off: outputs equal the Keras model's" in claims
