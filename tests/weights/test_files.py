"""Published files are fetched once, checked, converted and kept whole."""

import builtins
import importlib.util
import json
import multiprocessing
import os
import pathlib
import sys

import numpy as np
import pytest

from keras_pyconv.weights import fetch, files, read_arrays, sources
from tests.weights import torch_writer


@pytest.fixture(autouse=True)
def one_try(monkeypatch):
    monkeypatch.setattr(files, "_RETRIES", 0)


def assert_kept(path, arrays):
    kept = read_arrays(path)
    expected = {n for n in arrays if not n.endswith("num_batches_tracked")}
    assert set(kept) == expected
    for name in expected:
        np.testing.assert_array_equal(kept[name], arrays[name])


@pytest.mark.parametrize("kind", ["plain", "confirmed"])
def test_a_file_is_fetched_with_a_progress_bar_and_kept(
    kind, published, cache, server, checkpoint, arrays, capfd
):
    server.files["the-id"] = kind, checkpoint
    path = fetch(published)
    assert path.parent == cache and path.name.endswith("_imagenet.npz")
    assert_kept(path, arrays)
    assert "100%" in capfd.readouterr().err
    note = json.loads(pathlib.Path(f"{path}.json").read_text())
    beside = pathlib.Path(f"{path}.sha256").read_text()
    assert beside == f"{sources.checksum(path)}  {path.name}\n"
    assert (note["variant"], note["set"]) == ("PyConvResNetMini", "imagenet")
    kept = {path.name, f"{path.name}.sha256", f"{path.name}.json"}
    assert {p.name for p in cache.iterdir() if p.suffix != ".lock"} == kept


def test_retries_are_told_in_one_line(capsys):
    stream = files._Retries(sys.stderr)
    for number in range(3):
        # As gdown says it.
        print(f"Retrying ({number}/3) in 0.5s: error", file=stream)
    print("50%", file=stream)
    wanted = "The server does not answer; trying again ...\n50%\n"
    assert capsys.readouterr().err == wanted
    assert 'f"Retrying ({' in pathlib.Path(
        importlib.util.find_spec("gdown.download").origin
    ).read_text("utf-8")


def test_what_is_kept_needs_no_server(
    published, cache, server, checkpoint, arrays
):
    server.files["the-id"] = "plain", checkpoint
    fetch(published)
    server.files.clear()
    asked = server.asked["the-id"]
    assert_kept(fetch(published), arrays)
    assert server.asked["the-id"] == asked


def test_a_kept_file_that_was_changed_is_fetched_anew(
    published, cache, server, checkpoint, arrays
):
    server.files["the-id"] = "plain", checkpoint
    path = fetch(published)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    assert_kept(fetch(published), arrays)
    assert server.asked["the-id"] == 2


def without(arrays, name):
    return {n: array for n, array in arrays.items() if n != name}


BROKEN = {
    "wrong shape": (
        lambda a: {**a, "fc.weight": np.zeros((7, 9), "float32")},
        r"'fc.weight' has shape \(7, 9\), in PyConvResNetMini",
    ),
    "missing": (lambda a: without(a, "bn1.bias"), "'bn1.bias' of .* missing"),
    "other": (
        lambda a: {**a, "mixer.weight": np.zeros(2)},
        "'mixer.weight' is none of PyConvResNetMini",
    ),
    "not finite": (
        lambda a: {**a, "fc.bias": np.full(1000, np.nan, "float32")},
        "'fc.bias' holds NaN",
    ),
}


@pytest.mark.parametrize("damage", BROKEN)
def test_a_checkpoint_that_does_not_fit_is_refused_in_one_line(
    damage, published, cache, server, arrays, tmp_path
):
    change, message = BROKEN[damage]
    torch_writer.save(tmp_path / "w.pth", change(arrays))
    server.files["the-id"] = "plain", (tmp_path / "w.pth").read_bytes()
    with pytest.raises(ValueError, match=message) as caught:
        fetch(published)
    assert "\n" not in str(caught.value)
    assert_nothing_kept(cache)


def assert_nothing_kept(cache):
    assert [p.name for p in cache.iterdir() if p.suffix != ".lock"] == []


def test_a_web_page_instead_of_the_file_is_called_one(published, cache, server):
    page = b"<!DOCTYPE html><html>Sign in</html>"
    server.files["the-id"] = "plain", page
    with pytest.raises(ValueError, match="it is a web page"):
        fetch(published)
    assert_nothing_kept(cache)


@pytest.mark.parametrize("part", [0.3, 0.999])
def test_a_file_cut_short_is_called_so(
    part, published, cache, server, checkpoint
):
    cut = checkpoint[: int(part * len(checkpoint))]
    server.files["the-id"] = "plain", cut
    with pytest.raises(ValueError, match="it is cut short"):
        fetch(published)
    assert_nothing_kept(cache)


def test_code_in_a_published_file_is_not_run(
    published, cache, server, arrays, tmp_path
):
    trace = tmp_path / "trace"
    call = torch_writer.name("os", "mkdir")
    call += torch_writer.Writer(True).dump((str(trace),)) + b"R"
    hostile = {**arrays, "fc.bias": torch_writer.Raw(call)}
    torch_writer.save(tmp_path / "w.pth", hostile, old=True)
    server.files["the-id"] = "plain", (tmp_path / "w.pth").read_bytes()
    with pytest.raises(ValueError, match="Python object os.mkdir"):
        fetch(published)
    assert not trace.exists()
    assert_nothing_kept(cache)


@pytest.mark.parametrize(
    "kind, cause",
    [
        ("quota", "Too many users"),
        ("broken off", "incomplete"),
        ("lost", "public link"),
    ],
)
def test_a_failed_download_says_what_to_do_by_hand(
    kind, cause, published, cache, server, checkpoint
):
    server.files["the-id"] = kind, checkpoint
    with pytest.raises(ConnectionError, match=cause) as caught:
        fetch(published)
    assert published.page in str(caught.value)
    assert "python -m keras_pyconv.weights FILE --set imagenet" in str(
        caught.value
    )
    assert_nothing_kept(cache)


def test_without_a_network_the_error_says_what_to_do(
    published, cache, server, monkeypatch
):
    def unreachable(url):
        raise ConnectionRefusedError("Network is unreachable")

    monkeypatch.setattr(server, "here", unreachable)
    with pytest.raises(
        ConnectionError, match="Network is unreachable.*By hand"
    ):
        fetch(published)


def test_without_the_downloader_the_error_says_what_to_do(
    published, cache, monkeypatch
):
    monkeypatch.setitem(sys.modules, "gdown", None)
    with pytest.raises(ImportError, match="pip install gdown.*By hand"):
        fetch(published)


def test_a_write_that_fails_leaves_what_was_there(
    arrays, tmp_path, monkeypatch
):
    path = files.write_arrays(tmp_path / "w.npz", arrays)
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        files.write_arrays(path, {"a": np.ones(3)})
    assert path.read_bytes() == before and sources.is_whole(path)
    assert len(list(tmp_path.iterdir())) == 3


def _fetch_slowly(published, home, port, results):
    """A process of its own that asks for the weights."""
    import requests

    os.environ["KERAS_HOME"] = home
    send = requests.adapters.HTTPAdapter.send

    def send_here(adapter, request, **options):
        query = request.url.partition("?")[2]
        request.url = f"http://127.0.0.1:{port}/uc?{query}"
        return send(adapter, request, **options)

    requests.adapters.HTTPAdapter.send = send_here
    results.put(sources.is_whole(fetch(published)))


@pytest.mark.slow
def test_processes_that_ask_at_once_fetch_once(
    published, cache, server, checkpoint
):
    server.files["the-id"] = "plain", checkpoint
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    home = os.environ["KERAS_HOME"]
    processes = [
        context.Process(
            target=_fetch_slowly,
            args=(published, home, server.server_port, results),
        )
        for _ in range(3)
    ]
    for process in processes:
        process.start()
    assert [results.get(timeout=120) for _ in processes] == [True] * 3
    for process in processes:
        process.join()
    assert server.asked["the-id"] == 1


def test_a_kept_file_needs_no_pytorch_and_no_downloader(
    arrays, tmp_path, monkeypatch
):
    path = files.write_arrays(tmp_path / "w.npz", arrays)
    real = builtins.__import__

    def light(name, *rest):
        assert name.partition(".")[0] not in ("torch", "gdown")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", light)
    assert len(read_arrays(path)) == len(arrays) - 1
