"""Ctrl-C and the cluster's SIGTERM, taken at the end of a step.

The fact a reader would get wrong: the first signal only asks; the run saves
and ends after its step. A second one ends it at once, without saving.
"""

import contextlib
import signal
import threading

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Remembers that a signal asked the run to end."""

    def __init__(self, say=print):
        self.signal = None
        self._say = say
        self._at_once = False

    def _handle(self, number, frame):
        again = self.signal is not None
        self.signal = number
        if again or self._at_once:
            raise KeyboardInterrupt
        self._say(
            f"\n{signal.Signals(number).name}: saving after this step; the "
            "same once more ends at once, without saving."
        )

    @contextlib.contextmanager
    def listening(self):
        """Within this the signals are taken, in the main thread only."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in SIGNALS}
        try:
            for number in SIGNALS:
                signal.signal(number, self._handle)
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def at_once(self, possible=True):
        """Within this, when all is saved, a signal interrupts."""
        self._at_once = possible
        try:
            yield
        finally:
            self._at_once = False
