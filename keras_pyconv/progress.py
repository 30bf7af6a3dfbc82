"""The one progress bar: Keras's, on standard error."""

import contextlib
import sys

import keras


class Bar(keras.utils.Progbar):
    """How much is done; into a file it writes a line now and then."""

    def __init__(self, total, **options):
        options.setdefault("interval", 0.1 if sys.stderr.isatty() else 30)
        with contextlib.redirect_stdout(sys.stderr):
            super().__init__(total, **options)

    def update(self, current, values=None, finalize=None):
        """As Keras's."""
        with contextlib.redirect_stdout(sys.stderr):
            super().update(current, values, finalize)
