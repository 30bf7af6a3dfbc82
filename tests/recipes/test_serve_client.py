"""The client labels pictures over both protocols, and says what is wrong."""

import base64
import io
import json
import os
import socket
import subprocess
import sys
import urllib.request

import keras
import pytest
import tensorflow as tf

from keras_pyconv.export import saved_model
from keras_pyconv.export.signatures.images import example_images
from recipes import serve_client
from tests.serving.process import running

pytest.importorskip("tensorflow_serving", reason="the messages of gRPC")

LABELS = ("cat", "dog", "bird")
PROTOCOLS = ("rest", "grpc")


@pytest.fixture(scope="module")
def model():
    """Three classes whose answers differ from picture to picture."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(8, 3, 2, activation="relu")(inputs)
    x = keras.layers.GlobalMaxPooling2D()(x)
    x = keras.layers.Dense(3, "softmax")(x)
    return keras.Model(inputs, x)


@pytest.fixture(scope="module")
def served(model, tmp_path_factory):
    """The server of the exported model, and the folder of its models."""
    folder = tmp_path_factory.mktemp("served")
    saved_model(
        model, folder / "pets", labels=LABELS, top_k=2, batch_sizes=(1,)
    )
    with running(folder) as server:
        yield server, folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of five pictures, one broken one, and a text."""
    folder = tmp_path_factory.mktemp("pictures")
    for index, data in enumerate(example_images(5, 20, 30)):
        (folder / f"{index}.jpg").write_bytes(data)
    (folder / "broken.png").write_bytes(b"\x89PNG and no more")
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture
def ask(served, capsys):
    """Runs the client on paths; gives its status, lines and complaints."""
    server, _ = served

    def run(*paths, protocol="rest", **options):
        options = {
            "model": "pets",
            "port": getattr(server, protocol),
            **options,
        }
        words = [f"--{name}={value}" for name, value in options.items()]
        status = serve_client.main(
            [*map(str, paths), f"--protocol={protocol}", *words]
        )
        printed = capsys.readouterr()
        return status, printed.out.splitlines(), printed.err

    return run


def test_both_protocols_label_a_folder_alike(ask, pictures):
    answers = {p: ask(pictures, protocol=p, batch=4) for p in PROTOCOLS}
    assert answers["rest"] == answers["grpc"]
    status, lines, _ = answers["rest"]
    assert status == 1
    assert len(lines) == 6
    assert lines[-1].endswith("broken.png: the server reads no picture in it")
    assert all(line.count("(0.") == 2 for line in lines[:5])


def test_the_labels_are_what_the_exported_signature_says(ask, served, pictures):
    files = sorted(pictures.glob("*.jpg"))
    data = tf.constant([file.read_bytes() for file in files])
    loaded = tf.saved_model.load(str(served[1] / "pets" / "1"))
    wanted = loaded.signatures["serve_bytes"](image_bytes=data)
    wanted = {name: value.numpy() for name, value in wanted.items()}
    _, lines, _ = ask(*files)
    for line, labels, scores in zip(lines, wanted["labels"], wanted["scores"]):
        assert f"{labels[0].decode()} ({scores[0]:.3f})" in line


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_server_that_is_down_is_named(ask, pictures, monkeypatch, protocol):
    waits = []
    monkeypatch.setattr(serve_client.time, "sleep", waits.append)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    status, _, complaint = ask(
        pictures / "0.jpg", protocol=protocol, port=port, retries=2
    )
    assert status == 2
    assert waits == [0.5, 1.0]
    assert f"localhost:{port} after 3 attempts" in complaint
    assert "Is TensorFlow Serving running there?" in complaint


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_unknown_model_or_version_is_named(ask, pictures, protocol):
    file = pictures / "0.jpg"
    status, _, complaint = ask(file, protocol=protocol, model="plants")
    assert status == 2
    assert "has no model 'plants'" in complaint
    status, _, complaint = ask(file, protocol=protocol, version=7)
    assert status == 2
    assert "has no model 'pets' in version 7" in complaint


def test_a_busy_server_is_asked_again(ask, pictures, monkeypatch):
    asked = []
    once = serve_client.Rest.ask

    def busy_at_first(client, files):
        asked.append(len(files))
        if len(asked) == 1:
            raise ConnectionError("HTTP 503: busy")
        return once(client, files)

    monkeypatch.setattr(serve_client.Rest, "ask", busy_at_first)
    monkeypatch.setattr(serve_client.time, "sleep", lambda _: None)
    status, lines, _ = ask(pictures / "0.jpg")
    assert (status, len(lines), asked) == (0, 1, [1, 1])


def test_a_refused_batch_is_asked_picture_by_picture(
    ask, pictures, monkeypatch
):
    once = serve_client.Rest.ask

    def only_one(client, files):
        if len(files) > 1:
            raise serve_client.Refused("too many")
        return once(client, files)

    monkeypatch.setattr(serve_client.Rest, "ask", only_one)
    status, lines, _ = ask(pictures)
    assert (status, len(lines)) == (1, 6)


REPLIES = {
    "no JSON": b"<html>It works</html>",
    "no answers": b'{"outputs": []}',
    "a list": b"[]",
    "no labels": b'{"predictions": [{"scores": [0.5], "classes": [0]}]}',
    "numbers": b'{"predictions": [1]}',
    "no row": b'{"predictions": []}',
    "deep": b"[" * 10**5,
    "no text": b"\xff\xfe\xff",
    "scores of text": b"""{"predictions":
        [{"labels": ["a"], "scores": ["x"], "classes": [0]}]}""",
}


@pytest.mark.parametrize("reply", REPLIES.values(), ids=list(REPLIES))
def test_a_reply_that_is_no_servers_is_named(ask, pictures, monkeypatch, reply):
    monkeypatch.setattr(
        urllib.request, "urlopen", lambda *_, **__: io.BytesIO(reply)
    )
    status, lines, complaint = ask(pictures / "0.jpg")
    assert status == 2 and not lines
    assert "is not TensorFlow Serving with a classifier" in complaint
    assert len(complaint) < 600


def test_missing_files_are_named(ask, tmp_path):
    assert "no file" in ask(tmp_path / "absent.jpg")[2]
    assert "No .bmp, .gif" in ask(tmp_path)[2]


def test_only_what_is_data_of_a_folder_is_sent_and_the_rest_is_said(
    ask, pictures, tmp_path
):
    for name in ("a.jpg", "._a.jpg", ".ipynb_checkpoints/a.jpg", "b"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((pictures / "0.jpg").read_bytes())
    (tmp_path / "loop").symlink_to(".")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "photo.heic").touch()
    status, lines, complaint = ask(tmp_path)
    assert status == 0
    assert [line.partition(":")[0] for line in lines] == [
        f"{tmp_path}/a.jpg",
        f"{tmp_path}/b",
    ]
    assert "5 entries left out: 2 hidden" in complaint
    assert "is a device or a pipe" in ask(tmp_path / "pipe.jpg")[2]


def test_files_are_listed_without_the_frameworks():
    code = (
        "import sys; from recipes import serve_client; "
        "serve_client.find_images(['tests']); "
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert b"No .bmp" in done.stderr


def test_the_server_states_itself_as_the_real_one_does(served):
    url = f"http://127.0.0.1:{served[0].rest}/v1/models/pets"
    with urllib.request.urlopen(url) as reply:
        (version,) = json.load(reply)["model_version_status"]
    assert (version["version"], version["state"]) == ("1", "AVAILABLE")
    with urllib.request.urlopen(f"{url}/metadata") as reply:
        metadata = json.load(reply)["metadata"]["signature_def"]
    known = {"classify", "serve_bytes", "serving_default"}
    assert known <= set(metadata["signature_def"])


def test_classify_answers_over_both_protocols(served, pictures):
    import grpc
    from tensorflow_serving.apis import (
        classification_pb2,
        prediction_service_pb2_grpc,
    )

    data = (pictures / "0.jpg").read_bytes()
    feature = {"image/encoded": {"b64": base64.b64encode(data).decode()}}
    request = urllib.request.Request(
        f"http://127.0.0.1:{served[0].rest}/v1/models/pets:classify",
        json.dumps(
            {"signature_name": "classify", "examples": [feature]}
        ).encode(),
    )
    with urllib.request.urlopen(request) as reply:
        (by_rest,) = json.load(reply)["results"]
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "pets"
    request.model_spec.signature_name = "classify"
    example = request.input.example_list.examples.add()
    values = example.features.feature["image/encoded"].bytes_list
    values.value.append(data)
    with grpc.insecure_channel(f"127.0.0.1:{served[0].grpc}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        (row,) = stub.Classify(request).result.classifications
    assert [label for label, _ in by_rest] == [c.label for c in row.classes]
