"""Clips follow from the seed, and no broken file ends or falsifies a run."""

import numpy as np
import pytest

from keras_pyconv.datasets.broken import BrokenVideos
from keras_pyconv.datasets.video_clips import (
    decoded_frames,
    evaluation_clips,
    training_clips,
    video_views,
)
from keras_pyconv.datasets.video_sets import VideoSet
from keras_pyconv.tasks.video import Clips, Decoders
from tests.tasks.video import films

SMALL = Clips(frames=4, stride=2, size=32, short_sides=(36, 44), resize=32)
PLAIN = Clips(
    **{"frames": 4, "stride": 2, "size": 32, "short_sides": (36, 44)},
    **{"resize": 32, "mean": (0,) * 3, "deviation": (1 / 255,) * 3},
)
GOOD = ["sound.mp4", "sound.mkv", "short.mp4"]
BAD = ["cut.mp4", "missing.mp4", "one_frame.mp4", "only_sound.mp4"]


@pytest.fixture(scope="module")
def decoders(film_folder):
    decoders = Decoders(2)
    yield decoders
    decoders.close()


def videos_of(film_folder, names):
    paths = tuple(str(film_folder / name) for name in names)
    labels = tuple(range(len(names)))
    classes = tuple(f"class {label}" for label in labels)
    return VideoSet("films", classes, len(names), paths=paths, labels=labels)


def first(batches, number, start=0):
    return list(batches(start).take(number).as_numpy_iterator())


def test_batches_follow_from_the_seed_and_begin_at_any_step(
    film_folder, decoders
):
    videos = videos_of(film_folder, GOOD * 2)
    options = {"batch_size": 2, "decoders": decoders}
    batches = training_clips(videos, SMALL, seed=3, **options)
    assert batches.steps_per_epoch == 3
    whole = first(batches, 5)
    clips, labels = whole[0]
    assert clips.shape == (2, 4, 32, 32, 3) and clips.dtype == "float32"
    assert labels.shape == (2,) and labels.dtype == "int64"
    later = training_clips(videos, SMALL, seed=3, **options)
    for wanted, found in zip(whole[3:], first(later, 2, start=3)):
        for there, here in zip(wanted, found):
            np.testing.assert_array_equal(there, here)
    other = first(training_clips(videos, SMALL, seed=4, **options), 1)
    assert np.abs(other[0][0] - clips).max() > 0


def test_a_broken_video_is_replaced_with_its_label_and_named(
    film_folder, decoders
):
    videos = videos_of(film_folder, [*BAD, *GOOD])
    broken = BrokenVideos(limit=4)
    batches = training_clips(
        videos, PLAIN, batch_size=7, seed=1, decoders=decoders, broken=broken
    )
    for clips, labels in first(batches, 3):
        assert (labels >= len(BAD)).all()
        # Never black: the darkest frame has a level of 20.
        assert clips[:, :, 16:].min() > 10
    assert set(broken.skipped) == set(videos.paths[: len(BAD)])
    assert "one frame" in broken.skipped[videos.paths[2]]


# Threads of tf.data fail at once and format their tracebacks side by side, in
# which Python 3.11 can end with "AST constructor recursion depth mismatch".
@pytest.mark.slow
def test_too_many_broken_videos_end_the_run_with_their_names(
    film_folder, decoders
):
    videos = videos_of(film_folder, BAD)
    batches = training_clips(
        videos,
        SMALL,
        batch_size=2,
        seed=1,
        decoders=decoders,
        broken=BrokenVideos(limit=2),
    )
    # The fourth may be noted before the error of the third is raised.
    said = "[34] videos cannot be read.*limit is 2"
    with pytest.raises(Exception, match=said):
        first(batches, 1)


@pytest.mark.parametrize(
    "count, limit", [(4, 1), (19, 1), (20, 2), (99, 9), (240_000, 24_000)]
)
def test_a_tenth_of_the_videos_may_be_broken(count, limit):
    broken = BrokenVideos.among(VideoSet("films", ("a",), count))
    assert broken.limit == limit
    for number in range(limit):
        broken.skipped[f"{number}.mp4"] = "one frame"
    with pytest.raises(RuntimeError, match=f"the limit is {limit}"):
        broken.skip("another.mp4", "one frame")


def test_a_report_names_what_was_skipped_and_what_was_drawn_again(tmp_path):
    broken = BrokenVideos(limit=5)
    broken.skip("b.mp4", "one frame")
    broken.retry("a, b.mp4", "frames are damaged")
    broken.write(tmp_path / "broken.csv")
    assert (tmp_path / "broken.csv").read_text().splitlines() == [
        "video,what,reason",
        "b.mp4,skipped,one frame",
        '"a, b.mp4",retried,frames are damaged',
    ]


def test_every_video_is_tested_once_and_broken_ones_have_no_weight(
    film_folder, decoders
):
    videos = videos_of(film_folder, ["sound.mp4", "cut.mp4", "short.mp4"])
    dataset = evaluation_clips(videos, PLAIN, batch_size=2, decoders=decoders)
    assert int(dataset.cardinality()) == 2
    clips, labels, weights = (
        np.concatenate(part) for part in zip(*dataset.as_numpy_iterator())
    )
    assert labels.tolist() == [0, 1, 2, 0]
    assert weights.tolist() == [1, 0, 1, 0]
    # The middle clip of 40 frames begins at 16.
    numbers = [films.number_of(frame) for frame in clips[0]]
    assert numbers == [16, 18, 20, 22]


def test_workers_share_the_videos(film_folder, decoders):
    videos = videos_of(film_folder, GOOD)
    names = []
    for worker in range(2):
        views = video_views(
            videos,
            PLAIN,
            most_clips=2,
            crops=3,
            shard=(worker, 2),
            decoders=decoders,
        )
        for name, pixels, _ in views:
            assert pixels.shape[1:] == (4, 32, 32, 3)
            names.append(name)
            short = name.endswith("short.mp4")
            assert len(pixels) == (3 if short else 6)
    assert sorted(names) == sorted(videos.paths)


def encoded(number):
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(films.pixels(number)).save(stream, "JPEG", quality=95)
    return stream.getvalue()


@pytest.fixture(scope="module")
def stored():
    """A set as TFDS stores it: encoded frames, the second one damaged."""
    tf = pytest.importorskip("tensorflow")
    frames = [[encoded(n) for n in range(20)] for _ in range(4)]
    frames[1][::2] = [b"no picture"] * 10

    def examples(order=None):
        dataset = tf.data.Dataset.from_tensor_slices(
            {
                "video": frames,
                "label": [0, 1, 2, 3],
                "name": [f"video {n}" for n in range(4)],
            }
        )
        return dataset

    return VideoSet("stored", tuple("abcd"), 4, examples=examples)


def test_stored_frames_give_clips_and_damaged_ones_their_neighbours(stored):
    broken = BrokenVideos.among(stored)
    batches = training_clips(stored, PLAIN, batch_size=4, seed=1, broken=broken)
    ((clips, labels),) = first(batches, 1)
    assert sorted(labels) == [0, 1, 2, 3]
    for clip, label in zip(clips, labels):
        numbers = [films.number_of(frame) for frame in clip]
        steps = set(np.diff(numbers))
        assert steps <= ({0, 1, 2, 3} if label == 1 else {2})
    assert not broken.skipped and set(broken.retried) == {"video 1"}


def test_stored_frames_are_tested_like_files(stored, film_folder, decoders):
    options = {"most_clips": 2, "crops": 3, "decoders": decoders}
    found = list(video_views(stored, PLAIN, **options))
    assert [label for *_, label in found] == [0, 1, 2, 3]
    starts = [films.number_of(view[0]) for view in found[0][1]]
    assert starts == [0, 0, 0, 13, 13, 13]


def test_of_damaged_frames_the_nearest_stands_in():
    frames = [encoded(0), b"no", b"no", encoded(3)]
    numbers = [films.number_of(f) for f in decoded_frames(frames, [1, 2, 3])]
    assert numbers == [0, 3, 3]
    assert decoded_frames([b"no", b"no"], [0]) is None
