"""One line that says where a run is: loss, top-1, speed, time left.

The fact a reader would get wrong: the speed is of the steps since this process
began, without the first, which compiles, and without evaluations; the time
left counts evaluations only after there was one.
"""

import contextlib
import sys
import time

LINES_APART_SECONDS = 60.0
REFRESH_SECONDS = 0.2


def duration(seconds):
    """Seconds as 0:42:07 or 2d 03:10:00."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours:02}:{minutes:02}:{seconds:02}"
    return f"{hours}:{minutes:02}:{seconds:02}"


def figures(logs):
    """Logs as one text; accuracy in per cent under the name of top-1."""
    names = {"accuracy": "top-1", "sparse_categorical_accuracy": "top-1"}
    parts = []
    for name, value in logs.items():
        prefix = "val_" * name.startswith("val_")
        short = names.get(name.removeprefix("val_"))
        if short:
            parts.append(f"{prefix}{short} {value:.1%}")
        else:
            parts.append(f"{name} {value:.4g}")
    return " ".join(parts)


class Progress:
    """Says where the run is, on a screen in place, in a file now and then.

    Args:
        epochs, steps_per_epoch: ints.
        stream: text file; None for standard output.
        quiet: bool, says nothing at all.
        clock: function that gives seconds.
    """

    def __init__(
        self,
        epochs,
        steps_per_epoch,
        stream=None,
        quiet=False,
        clock=time.monotonic,
    ):
        self._epochs, self._steps_per_epoch = epochs, steps_per_epoch
        self.batch = 1  # examples of one step on all machines
        self._stream = stream or sys.stdout
        self._quiet = quiet
        self._clock = clock
        self._first = None
        self._pauses = []
        self._shown = -float("inf")
        self._width = 0

    @property
    def has_begun(self):
        return self._first is not None

    def begin(self, step):
        """The first step of this process is done; the clock starts."""
        self._first = (step, self._clock())

    def examples_per_second(self, step):
        """Since the beginning, or None before there is anything to say."""
        if self._first is None or step <= self._first[0]:
            return None
        seconds = self._clock() - self._first[1] - sum(self._pauses)
        return (step - self._first[0]) * self.batch / max(seconds, 1e-9)

    @contextlib.contextmanager
    def paused(self):
        """Within this no steps are made, as during an evaluation."""
        begin = self._clock()
        yield
        if self.has_begun:
            self._pauses.append(self._clock() - begin)

    def _seconds_left(self, step, speed):
        steps = self._epochs * self._steps_per_epoch - step
        seconds = steps * self.batch / speed
        if self._pauses:
            ends = self._epochs - step // self._steps_per_epoch
            seconds += ends * sum(self._pauses) / len(self._pauses)
        return seconds

    def is_due(self):
        """Whether it is time for another line."""
        if self._quiet:
            return False
        apart = REFRESH_SECONDS if self._on_screen() else LINES_APART_SECONDS
        return self._clock() - self._shown >= apart

    def _on_screen(self):
        return self._stream.isatty()

    def line(self, step, logs):
        """The line after `step` steps in all."""
        epoch, within = divmod(step - 1, self._steps_per_epoch)
        text = f"epoch {epoch + 1}/{self._epochs} "
        text += f"{within + 1}/{self._steps_per_epoch} {figures(logs)}"
        speed = self.examples_per_second(step)
        if speed:
            left = duration(self._seconds_left(step, speed))
            text += f" {speed:.1f} examples/s {left} left"
        return text

    def show(self, step, logs, final=False):
        """Shows the line; a final one stays on the screen."""
        if self._quiet:
            return
        text = self.line(step, logs)
        if self._on_screen():
            end = "\n" if final else ""
            self._stream.write("\r" + text.ljust(self._width) + end)
            self._width = 0 if final else len(text)
        else:
            self._stream.write(text + "\n")
        self._stream.flush()
        self._shown = self._clock()

    def say(self, text):
        """A line of its own."""
        if self._quiet:
            return
        if self._width:
            self._stream.write("\n")
            self._width = 0
        self._stream.write(text + "\n")
        self._stream.flush()
