"""Warm-up requests are those that TF Serving reads, for all that is served."""

import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.export import Signature, saved_model
from keras_pyconv.export.serving import warmup
from keras_pyconv.export.serving.warmup import (
    decode_log,
    encode_log,
    read_warmup,
)

REQUESTS = {
    "predict": {
        "images": np.full((2, 3), 0.5, np.float32),
        "ids": np.array([[1], [-2]], np.int64),
        "image_bytes": np.array([b"\xff\x00", b""], object),
    },
    "classify": {"inputs": np.array([b"first", b"second"], object)},
}


@pytest.mark.parametrize("method", REQUESTS)
def test_a_request_comes_back(method):
    log = encode_log("net", "serve", method, REQUESTS[method])
    name, arrays = decode_log(log)
    assert name == "serve"
    assert sorted(arrays) == sorted(REQUESTS[method])
    for key, array in REQUESTS[method].items():
        np.testing.assert_array_equal(arrays[key], array)
        assert arrays[key].dtype == array.dtype


def test_a_request_reads_as_the_servers_own_messages():
    logs = pytest.importorskip(
        "tensorflow_serving.apis.prediction_log_pb2",
        reason="tensorflow-serving-api holds the server's messages",
    )
    data = encode_log("net", "serve", "predict", REQUESTS["predict"])
    request = logs.PredictionLog.FromString(data).predict_log.request
    assert request.model_spec.name == "net"
    assert request.model_spec.signature_name == "serve"
    for key, array in REQUESTS["predict"].items():
        read = tf.make_ndarray(request.inputs[key])
        np.testing.assert_array_equal(read, array)


def test_an_example_reads_as_the_servers_own_message():
    logs = pytest.importorskip(
        "tensorflow_serving.apis.prediction_log_pb2",
        reason="tensorflow-serving-api holds the server's messages",
    )
    example = tf.train.Example()
    example.features.feature["image/encoded"].bytes_list.value.append(b"x")
    arrays = {"inputs": [example.SerializeToString()]}
    data = encode_log("net", "classify", "classify", arrays)
    request = logs.PredictionLog.FromString(data).classify_log.request
    assert request.model_spec.signature_name == "classify"
    assert list(request.input.example_list.examples) == [example]


def asked(path):
    """Pairs of the signature and the batch size of the requests, sorted."""
    return sorted(
        (name, len(next(iter(arrays.values()))))
        for name, arrays in read_warmup(path)
    )


def test_every_signature_is_warmed_at_every_size(exported, small, tmp_path):
    names = "classify", "serve_bytes", "serving_default"
    assert asked(exported) == [(n, size) for n in names for size in (1, 2)]
    path = saved_model(small, tmp_path / "net")
    sizes = (1, 2, 4, 8, 16, 32)
    assert asked(path) == [("serving_default", size) for size in sizes]


def test_a_signature_may_have_sizes_of_its_own(small, tmp_path):
    spec = {"features": tf.TensorSpec((None, 4), tf.float32)}
    signature = Signature(
        "serve", spec, lambda model, x: {"y": model(x)}, batch_sizes=(1, 3)
    )
    path = saved_model(small, tmp_path / "net", signatures=[signature])
    assert asked(path) == [("serve", 1), ("serve", 3)]


def test_numbers_take_no_room():
    images = {"images": np.full((32, 224, 224, 3), 0.5, np.float32)}
    assert len(encode_log("net", "serve", "predict", images)) < 200


def test_more_requests_than_the_server_reads_are_refused(small, tmp_path):
    sizes = tuple(range(1, 1002))
    with pytest.raises(ValueError, match="at most 1000 .* Received 1001"):
        saved_model(small, tmp_path / "net", batch_sizes=sizes)
    assert not (tmp_path / "net").exists()


def test_a_version_without_requests_has_none(tmp_path):
    assert read_warmup(tmp_path) == []


def test_an_unknown_log_is_refused():
    with pytest.raises(
        ValueError, match="neither a predict nor a classify request"
    ):
        decode_log(bytes([5 << 3 | 2, 0]))


def record(data):
    """A TFRecord's bytes around some data."""
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        with tf.io.TFRecordWriter(file.name) as writer:
            writer.write(data)
        return file.read()


GOOD = record(encode_log("net", "serve", "predict", REQUESTS["predict"]))


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe hello",
        b"\0" * 40,
        GOOD[:-1],
        GOOD + b"\0",
        GOOD[:30] + b"\xff" + GOOD[31:],
        record(b"no message"),
        record(b""),
        record(bytes([5 << 3 | 2, 0])),
    ],
    ids=[
        *("text", "zeros", "cut", "longer", "flipped"),
        *("no message", "empty", "other kind"),
    ],
)
def test_damaged_requests_are_named(tmp_path, content):
    file = tmp_path / warmup.FILE
    file.parent.mkdir()
    file.write_bytes(GOOD + content if len(content) < 60 else content)
    with pytest.raises(ValueError, match="tf_serving_warmup_requests is dama"):
        read_warmup(tmp_path)
    file.write_bytes(content)
    with pytest.raises(ValueError, match="tf_serving_warmup_requests is dama"):
        read_warmup(tmp_path)


def test_what_is_no_file_is_named(tmp_path):
    (tmp_path / warmup.FILE).mkdir(parents=True)
    with pytest.raises(ValueError, match="damaged: it is not a regular file"):
        read_warmup(tmp_path)


def test_good_requests_are_read_together(tmp_path):
    file = tmp_path / warmup.FILE
    file.parent.mkdir()
    file.write_bytes(GOOD + GOOD)
    assert [name for name, _ in read_warmup(tmp_path)] == ["serve", "serve"]
