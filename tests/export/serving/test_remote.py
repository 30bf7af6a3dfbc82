"""Exports into other file systems are those that are written here."""

import json

import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv import storage
from keras_pyconv.export import litert, saved_model
from keras_pyconv.export.serving.ledger import read_ledger
from keras_pyconv.export.serving.remote import reached
from tests.elsewhere import copied

IMAGES = np.random.default_rng(0).uniform(size=(2, 32, 32, 3)).astype("float32")


def files_below(folder):
    return sorted(
        f"{place}/{name}".removeprefix(str(folder)).replace("//", "/")
        for place, _, names in tf.io.gfile.walk(str(folder))
        for name in names
        if not name.startswith(".")
    )


def answers(version):
    loaded = tf.saved_model.load(str(version))
    return loaded.signatures["serving_default"](images=IMAGES)


@pytest.fixture
def bucket(tmp_path):
    """A folder elsewhere, of which this machine's is empty."""
    (tmp_path / "models").mkdir()
    return copied(tmp_path / "models")


@pytest.mark.ci
def test_an_export_elsewhere_answers_as_the_local_one(
    network, tmp_path, bucket
):
    roots = [tmp_path / "models" / "net", f"{bucket}/net"]
    options = {"source": "runs/a", "batch_sizes": (1,)}
    local, remote = [saved_model(network, root, **options) for root in roots]
    assert remote == f"{bucket}/net/1"
    assert files_below(tmp_path / "models") == files_below(bucket)
    for name, wanted in answers(local).items():
        np.testing.assert_array_equal(answers(remote)[name], wanted)
    again = saved_model(network, f"{bucket}/net/", server_files=False)
    assert again == f"{bucket}/net/2"
    (entry,) = json.loads(storage.read(f"{bucket}/ledger.json"))
    (wanted,) = read_ledger(tmp_path / "models")
    assert entry["source"] == wanted.source and entry["size_bytes"] > 0
    # A server reads the bucket itself.
    listed = storage.read(f"{bucket}/models.config").decode()
    assert listed.count(f'base_path: "{bucket}/net"') == 1
    with pytest.raises(FileExistsError) as caught:
        saved_model(network, f"{bucket}/net", version=2)
    assert f"Version 2 exists in {bucket}/net and" in str(caught.value)


def test_an_export_that_cannot_be_sent_leaves_nothing(
    network, bucket, monkeypatch
):
    send, sent = storage.send, []

    def refuse(source, path):
        sent.append(path)
        if path.endswith("saved_model.pb"):
            raise PermissionError(f"{path} cannot be written: no access")
        send(source, path)

    monkeypatch.setattr(storage, "send", refuse)
    with pytest.raises(PermissionError, match="no access"):
        saved_model(network, f"{bucket}/net", batch_sizes=(1,))
    assert sent[-1] == f"{bucket}/net/1/saved_model.pb" and len(sent) > 3
    assert files_below(bucket) == []


def test_a_slash_at_the_end_changes_nothing(bucket):
    with reached(f"{bucket}/net/") as folder:
        assert folder.name == "net" and not folder.exists()


def test_a_version_that_appears_meanwhile_is_not_mixed_with(bucket):
    with pytest.raises(FileExistsError, match="Version 1 appeared in ram://"):
        with reached(f"{bucket}/net") as folder:
            (folder / "1").mkdir(parents=True)
            (folder / "1" / "saved_model.pb").touch()
            tf.io.gfile.makedirs(f"{bucket}/net/1")


@pytest.mark.parametrize(
    "file, root, said",
    [
        ("saved_model.pb", "net", "is itself a SavedModel"),
        ("ledger.json", "net", "is a folder of models"),
        ("", "", "Pass a folder in the bucket"),
    ],
)
def test_what_is_no_folder_of_versions_is_refused_by_its_name(
    network, bucket, file, root, said
):
    root = f"{bucket}/{root}" if root else "gs://bucket"
    if file:
        tf.io.gfile.makedirs(root)
        with tf.io.gfile.GFile(f"{root}/{file}", "w") as there:
            there.write(json.dumps([]))
    with pytest.raises(ValueError, match=said) as caught:
        saved_model(network, root)
    assert root in str(caught.value)


@pytest.mark.ci
def test_a_litert_file_is_written_elsewhere(network, tmp_path, bucket):
    pytest.importorskip("ai_edge_litert")
    written = litert(network, f"{bucket}/net.tflite")
    assert written.path == f"{bucket}/net.tflite"
    litert(network, tmp_path / "net.tflite")
    wanted = (tmp_path / "net.tflite").read_bytes()
    assert len(storage.read(written.path)) == written.size_bytes == len(wanted)
    assert files_below(bucket) == ["/net.tflite"]
