"""The line says where the run is, how fast, and how long it still takes."""

import io

import pytest

from keras_pyconv.training.progress import Progress, duration


@pytest.mark.parametrize(
    "seconds, text",
    [(59.9, "0:00:59"), (3600, "1:00:00"), (183600, "2d 03:00:00")],
)
def test_durations_read_as_clocks(seconds, text):
    assert duration(seconds) == text


def _progress(times, **options):
    clock = iter(times)
    progress = Progress(2, 10, clock=lambda: next(clock), **options)
    progress.batch = 32
    return progress


def test_speed_and_time_left_are_of_the_steps_since_the_first():
    progress = _progress([100.0, 104.0])
    progress.begin(3)
    line = progress.line(7, {"loss": 1.25, "accuracy": 0.4321})
    # Four steps of 32 in four seconds; thirteen steps are left.
    assert line == (
        "epoch 1/2 7/10 loss 1.25 top-1 43.2% 32.0 examples/s 0:00:13 left"
    )


def test_an_evaluation_counts_for_the_time_left_and_not_the_speed():
    progress = _progress([0.0, 10.0, 30.0, 30.0])
    progress.begin(0)
    with progress.paused():
        pass
    # Ten steps took ten seconds, so do the next ten; the evaluation twenty.
    assert progress.line(10, {}).endswith("32.0 examples/s 0:00:30 left")


def test_the_last_step_of_an_epoch_is_counted_to_it():
    assert _progress([]).line(10, {}).startswith("epoch 1/2 10/10")
    assert _progress([]).line(11, {}).startswith("epoch 2/2 1/10")


class _Screen(io.StringIO):
    def isatty(self):
        return True


def test_on_a_screen_the_line_is_written_in_place():
    screen = _Screen()
    progress = _progress([0.0, 1.0, 2.0], stream=screen)
    progress.show(1, {"loss": 100.0})
    progress.show(2, {"loss": 1.0}, final=True)
    progress.say("done")
    assert screen.getvalue() == (
        "\repoch 1/2 1/10 loss 100\repoch 1/2 2/10 loss 1  \ndone\n"
    )


def test_in_a_file_a_line_is_due_once_a_minute():
    progress = _progress([0.0, 0.0, 59.0, 61.0], stream=io.StringIO())
    assert progress.is_due()
    progress.show(1, {})
    assert [progress.is_due(), progress.is_due()] == [False, True]
