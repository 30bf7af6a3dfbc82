"""Ctrl-C and the cluster's SIGTERM, taken at the end of a step."""

import contextlib
import signal
import threading


class Stopping:
    """Remembers that a signal asked the run to end."""

    def __init__(self, say):
        self.signal, self._say = None, say
        # Whether all is saved and a signal may interrupt.
        self.at_once = False

    def _handle(self, number, frame):
        again = self.signal is not None
        self.signal = number
        if again or self.at_once:
            raise KeyboardInterrupt
        self._say(
            f"\n{signal.Signals(number).name}: saving after this step; the "
            "same once more ends at once, without saving."
        )

    @contextlib.contextmanager
    def listening(self):
        """Within this the signals are taken, in the main thread only."""
        numbers = signal.SIGINT, signal.SIGTERM
        if threading.current_thread() is not threading.main_thread():
            numbers = ()
        before = {one: signal.signal(one, self._handle) for one in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
