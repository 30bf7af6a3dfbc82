"""Of every file the frames that were asked for, or a reason; never others."""

import numpy as np
import pytest

from keras_pyconv.tasks.video import decoding
from keras_pyconv.tasks.video.files import UnreadableVideo, open_video
from tests.tasks.video import films

GOOD = ["sound.mp4", "sound.mkv", "sound.avi", "varying.mp4"]
USELESS = {
    "missing.mp4": "no such file",
    "empty.mp4": r"the file is empty \(0 bytes\)",
    "cut.mp4": "no video|nothing is found|Invalid",
    "only_sound.mp4": "only sound",
    "one_frame.mp4": "one frame",
}


def random_clip(path, place=0.5, frames=4, stride=3, **changes):
    draws = [0.5, 0.5, 0.1, place, 0.3, 0.9]
    options = {"draws": draws, "short_side": 48, "size": 40, **changes}
    clip, _ = decoding.random_clip(
        str(path), frames=frames, stride=stride, **options
    )
    return clip


def numbers_of(clip):
    return [films.number_of(frame) for frame in clip]


@pytest.mark.parametrize("name", GOOD)
def test_a_clip_has_the_frames_that_were_drawn(film_folder, name):
    with open_video(str(film_folder / name)) as video:
        assert video.count == 40
    # 31 places for a clip that spans 10 frames.
    for place, start in ((0.0, 0), (0.5, 15), (0.999, 30)):
        clip = random_clip(film_folder / name, place)
        assert clip.shape == (4, 40, 40, 3) and clip.dtype == "uint8"
        assert numbers_of(clip) == [start, start + 3, start + 6, start + 9]


def test_only_what_is_needed_is_decoded(film_folder):
    with open_video(str(film_folder / "sound.mp4")) as video:
        seen = []
        inner = video._sound_frames

        def counted():
            for frame in inner():
                seen.append(frame)
                yield frame

        video._sound_frames = counted
        assert [number for number, _ in video.frames([23, 25])] == [23, 25]
    # From the key frame 20, and one that it keeps, to 25.
    assert len(seen) <= 8


def test_a_short_video_begins_again(film_folder):
    clip = random_clip(film_folder / "short.mp4", frames=8, stride=2)
    assert numbers_of(clip) == [0, 2, 4, 1, 3, 0, 2, 4]


def test_a_turned_video_stands_upright(film_folder):
    with open_video(str(film_folder / "turned.mp4")) as video:
        _, frame = next(iter(video.frames([3])))
        pixels = decoding._pixels(frame, None)
    assert pixels.shape == (64, 48, 3)
    # By 90 degrees against the clock: left above becomes left below.
    assert pixels[-3, 2, 0] > 200 > pixels[2, 2, 0]


def test_all_frames_have_the_same_square_and_flip(film_folder):
    path = film_folder / "sound.mp4"
    plain = random_clip(path, size=48, draws=[0, 0, 0.9, 0.0])
    flipped = random_clip(path, size=48, draws=[0, 0, 0.1, 0.0])
    right = random_clip(path, size=48, draws=[0, 0.999, 0.9, 0.0])
    np.testing.assert_array_equal(plain, flipped[:, :, ::-1])
    # The bright corner is in every frame, or in none.
    assert (plain[:, 2, 2, 0] > 200).all() and (right[:, 2, 2, 0] < 200).all()


def test_the_short_side_is_as_long_as_was_drawn(film_folder):
    clip = random_clip(
        film_folder / "sound.mp4", short_side=96, size=96, draws=[0, 0, 0.9, 0]
    )
    assert clip.shape == (4, 96, 96, 3)
    # The corner is a quarter of the height, whatever that is.
    assert (clip[0, :, 2, 0] > 150).sum() == pytest.approx(24, abs=2)


@pytest.mark.parametrize("name", USELESS)
def test_a_useless_file_is_refused_with_the_reason(film_folder, name):
    for task in (random_clip, decoding.inspect):
        with pytest.raises(UnreadableVideo, match=USELESS[name]):
            task(str(film_folder / name))


def test_damage_gives_another_place_or_a_reason_and_never_wrong_frames(
    film_folder,
):
    for name in ("scratched.mkv", "cut.avi"):
        for place in np.linspace(0, 0.99, 7):
            try:
                clip = random_clip(film_folder / name, place)
            except UnreadableVideo:
                continue
            levels = clip[:, 24, 20:].mean((1, 2))
            assert clip.std((1, 2)).max() < 110
            assert (levels >= 15).all()


def test_a_sound_file_has_no_remarks_and_others_say_theirs(film_folder):
    remarks = {
        name: decoding.inspect(str(film_folder / name))[1]
        for name in [*GOOD, "turned.mp4", "cut.avi"]
    }
    assert all(remarks[name] == [] for name in GOOD[:3])
    assert remarks["varying.mp4"] == ["the rate varies"]
    assert remarks["turned.mp4"] == ["is turned by its header"]
    assert "ends early" in "; ".join(remarks["cut.avi"])


def test_a_file_without_a_number_of_frames_is_held_to_its_duration(film_folder):
    with open_video(str(film_folder / "sound.mkv")) as video:
        assert video.promised == 0
    with open_video(str(film_folder / "cut.mkv")) as video:
        # Of 40; the header has them as 1.6 seconds at 25 a second.
        assert video.count < 30 and abs(video.promised - 40) <= 1
    remarks = "; ".join(decoding.inspect(str(film_folder / "cut.mkv"))[1])
    assert "ends early" in remarks


def test_a_varying_rate_is_no_early_end(film_folder, tmp_path):
    times = [number + number * number // 7 for number in range(40)]
    films.film(tmp_path / "varying.mkv", times=times)
    assert decoding.inspect(str(tmp_path / "varying.mkv"))[1] == [
        "the rate varies"
    ]


def test_views_lie_evenly_over_the_video_and_its_width(film_folder):
    views, notes = decoding.view_clips(
        str(film_folder / "sound.mp4"),
        clips=3,
        crops=3,
        frames=4,
        stride=2,
        size=32,
    )
    assert views.shape == (9, 4, 32, 32, 3) and notes == []
    starts = [films.number_of(view[0]) for view in views[::3]]
    assert starts == [0, 16, 33]
    # The bright corner is on the left.
    left, _, right = (view[0, 2, 2, 0] for view in views[:3])
    assert left > 200 > right


@pytest.mark.parametrize(
    "count, starts",
    [(100, [0, 20, 39]), (62, [0, 1]), (61, [0]), (10, [0])],
)
def test_a_short_video_has_fewer_clips(count, starts):
    assert decoding.even_starts(count, 3, 16, 4) == starts


def test_one_clip_is_the_middle_one():
    assert decoding.even_starts(100, 1, 16, 4) == [19]


def test_a_folder_of_frames_is_a_video_in_natural_order(tmp_path):
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("av", reason="PyAV is not installed")
    for number in range(12):
        picture = image.fromarray(films.pixels(number))
        picture.save(tmp_path / f"frame{number}.png")
    clip = random_clip(tmp_path, place=0.0, stride=3)
    assert numbers_of(clip) == [0, 3, 6, 9]
    assert decoding.inspect(str(tmp_path)) == (None, [])


def test_frames_become_jpeg_files(film_folder):
    image = pytest.importorskip("PIL.Image")
    import io

    encoded, notes = decoding.jpeg_frames(
        str(film_folder / "sound.mp4"), 24, 10
    )
    pictures = [np.asarray(image.open(io.BytesIO(e))) for e in encoded]
    assert notes == [] and pictures[0].shape == (24, 32, 3)
    assert numbers_of(pictures) == [0, 4, 9, 13, 17, 22, 26, 30, 35, 39]
