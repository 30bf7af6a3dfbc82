"""A video's score is the mean softmax of its views, of readable videos."""

import keras
import numpy as np
import pytest

import keras_pyconv
from keras_pyconv.tasks.drawing import GAP
from keras_pyconv.tasks.video import (
    Clips,
    UnreadableVideo,
    ViewScores,
    draw_recognition,
    predict,
    recognize,
    video_errors,
)

CLIPS = Clips(frames=4, stride=2, size=32, short_sides=(32, 32), resize=32)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return keras_pyconv.build_video_classifier(
        "ResNet3DMini", input_shape=(4, None, None, 3), classes=7
    )


def views(number, seed=0):
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (number, 4, 32, 32, 3)).astype("uint8")


def slow_scores(model, pixels):
    """One view after the other, by the definitions."""
    total = np.zeros(7)
    for view in pixels:
        scaled = view / 255
        scaled = (scaled - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        total += np.asarray(model(scaled[None].astype("float32")))[0]
    return total / len(pixels)


def test_scores_are_the_mean_over_views_whatever_the_batch(model):
    pixels = views(7)
    wanted = slow_scores(model, pixels)
    for batch_size in (3, 7):
        scores = ViewScores(model, CLIPS, batch_size)(pixels)
        np.testing.assert_allclose(scores, wanted, rtol=1e-4)


def test_of_logits_the_softmax_is_averaged(model):
    logits = keras_pyconv.build_video_classifier(
        "ResNet3DMini",
        input_shape=(4, None, None, 3),
        classes=7,
        classifier_activation=None,
    )
    logits.set_weights(model.get_weights())
    pixels = views(3)
    np.testing.assert_allclose(
        ViewScores(logits, CLIPS)(pixels), slow_scores(model, pixels), rtol=1e-4
    )


def test_errors_are_those_of_a_slow_count_and_skip_the_unreadable(
    model, capsys
):
    rows = [(f"video {n}", views(1 + n % 2, n), n % 7) for n in range(6)]
    rows[4] = ("broken", None, 3)
    found = video_errors(model, rows, CLIPS, count=6, batch_size=2)
    top1 = top5 = 0
    for _, pixels, label in rows:
        if pixels is not None:
            order = np.argsort(-slow_scores(model, pixels))
            top1 += label != order[0]
            top5 += label not in order[:5]
    assert found.top1_error == pytest.approx(top1 / 5)
    assert found.top5_error == pytest.approx(top5 / 5)
    assert (found.videos, found.skipped) == (5, 1)
    assert "of 5 videos; 1 could not be read" in str(found)
    assert "6/6" in capsys.readouterr().err


def test_no_readable_video_is_no_score(model):
    with pytest.raises(ValueError, match="None of the 1 videos"):
        video_errors(model, [("broken", None, 3)], CLIPS)


def test_a_file_is_recognized_with_names(model, film_folder, tmp_path):
    names = [f"action {n}" for n in range(7)]
    found = recognize(
        model, film_folder / "sound.mp4", names, CLIPS, top=3, most_clips=2
    )
    assert found.label == names[found.labels[0]] and len(found.labels) == 3
    with pytest.warns(DeprecationWarning, match="is `found.draw"):
        assert (draw_recognition(found) == found.draw()).all()
    assert found.views == 6 and found.score == found.scores.max()
    assert str(found).splitlines()[0].startswith(found.label)
    strip = found.draw(tmp_path / "strip.png")
    assert found.file == "sound.mp4"
    assert (
        strip.shape[1] == 4 * 160 + 5 * GAP
        and (tmp_path / "strip.png").exists()
    )


def test_a_model_of_a_fixed_size_says_what_it_wants(film_folder):
    model = keras_pyconv.build_video_classifier(
        "ResNet3DMini", input_shape=(3, 24, 24, 3), classes=2
    )
    found = recognize(model, film_folder / "short.mp4", crops=1)
    assert found.frames.shape == (3, 24, 24, 3)


def test_mistakes_are_refused(model, film_folder):
    for name, reason in {
        "one_frame.mp4": "there is one frame",
        "empty.mp4": r"the file is empty \(0 bytes\)",
        "missing.mp4": "there is no such file",
    }.items():
        words = f"{film_folder / name}: {reason}$"
        with pytest.raises(UnreadableVideo, match=words):
            recognize(model, film_folder / name, clips=CLIPS)
    with pytest.raises(ValueError, match="7 classes. Received 2 names"):
        recognize(model, film_folder / "sound.mp4", ["a", "b"], CLIPS)
    picture = keras_pyconv.build_classifier("ResNetMini", classes=2)
    with pytest.raises(ValueError, match="must take clips"):
        recognize(picture, film_folder / "sound.mp4")


@pytest.mark.parametrize(
    "arguments, kind, said",
    [
        ({"crops": 10**12}, ValueError, "`crops` must be .* at most 1,000"),
        ({"most_clips": 10**12}, ValueError, "`most_clips` must be a"),
        ({"crops": 100, "most_clips": 100}, ValueError, "times `crops`"),
        ({"crops": 0}, ValueError, "Received: crops=0"),
        ({"crops": "3"}, ValueError, "`crops` must be a positive integer"),
        ({"most_clips": 2.0}, ValueError, "a positive integer. .*=2.0"),
        ({"top": 0}, ValueError, "`top` must be"),
        ({"batch_size": 10**9}, ValueError, "`batch_size` must be"),
        ({"class_names": 7 * "a"}, ValueError, "a list of texts .*, not one"),
        ({"clips": 3}, TypeError, "`clips` must be an instance of `Clips`"),
        ({"path": 3}, TypeError, "`path` must be a path, .*: path=3"),
    ],
    ids=str,
)
def test_arguments_are_blamed_and_not_the_video(
    model, film_folder, arguments, kind, said
):
    arguments = {"path": film_folder / "sound.mp4", "clips": CLIPS, **arguments}
    with pytest.raises(kind, match=said):
        recognize(model, **arguments)


def test_calls_neither_trace_anew_nor_start_processes(model, film_folder):
    def call():
        return recognize(
            model, film_folder / "sound.mp4", clips=CLIPS, most_clips=2, crops=1
        )

    first = call()
    traced = ViewScores(model, CLIPS)._scores
    count = traced.experimental_get_tracing_count()
    processes = set(predict._decoders()._alive)
    for _ in range(3):
        np.testing.assert_array_equal(call().scores, first.scores)
    assert ViewScores(model, CLIPS)._scores is traced
    assert traced.experimental_get_tracing_count() == count
    assert set(predict._decoders()._alive) == processes != set()
