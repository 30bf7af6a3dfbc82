"""The Kinetics builder stores frames, and leaves out what it cannot read."""

import shutil

import numpy as np
import pytest


@pytest.fixture(scope="module", params=[False, True], ids=["here", "beam"])
def builder(film_folder, tmp_path_factory, request):
    if request.param:
        reason = "the extra `beam` is not installed: make test-beam"
        pytest.importorskip("apache_beam", reason=reason)
    tfds = pytest.importorskip("tensorflow_datasets")
    from keras_pyconv.datasets.kinetics import Kinetics

    root = tmp_path_factory.mktemp("manual")
    for number, name in enumerate(["sound.mp4", "cut.mp4", "turned.mp4"]):
        for split in ("train", "val"):
            place = root / split / ("run" if number < 2 else "jump")
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(film_folder / name, place / name)
    data = tmp_path_factory.mktemp("data")
    builder = Kinetics(data_dir=data, processes=2, beam=request.param)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=root)
    )
    return builder


def test_classes_and_counts_are_those_of_the_folders(builder):
    assert list(builder.info.features["label"].names) == ["jump", "run"]
    counts = {n: s.num_examples for n, s in builder.info.splits.items()}
    assert counts == {"train": 2, "validation": 2}


def test_what_was_left_out_is_named_with_the_reason(builder):
    report = (builder.data_path / "skipped_videos.csv").read_text()
    assert report.splitlines()[0] == "video,what,reason"
    assert report.count("cut.mp4,skipped,") == 2


def test_a_prepared_set_is_opened_without_decoding(builder):
    from keras_pyconv.datasets import video_set
    from keras_pyconv.datasets.kinetics import Kinetics

    again = Kinetics(data_dir=builder.data_path.parents[1])
    videos = video_set(again, "validation")
    assert videos.classes == ("jump", "run") and videos.count == 2
    rows = {int(e["label"]): e for e in videos.examples()}
    assert rows[1]["video"].dtype == "string" and len(rows[1]["video"]) == 40


def test_frames_are_upright_and_in_order(builder):
    from tests.tasks.video import films

    examples = {
        int(e["label"]): e["video"] for e in builder.as_dataset(split="train")
    }
    assert examples[0].shape == (40, 64, 48, 3)
    numbers = [films.number_of(np.asarray(f)) for f in examples[1]]
    assert numbers == list(range(40))
