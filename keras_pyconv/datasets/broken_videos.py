"""What becomes of videos that cannot be read: counted, named, reported.

The fact a reader would get wrong: a clip that was given up and drawn again
from another place of the same file is no broken video; both are in the
report, in different columns.
"""

import csv
import io
import logging
import pathlib
import threading

from keras_pyconv import arguments

log = logging.getLogger(__name__)

LEAST = 1  # so that no set, however small, is stopped by its first bad file
SHARE = 0.1  # of a set; of Kinetics' list some per cent are gone or broken
NAMED = 5  # videos that the message of the error names


class BrokenVideos:
    """Counts and names the videos of a set that cannot be read.

    Args:
        limit: how many different videos may be broken; one more is an error,
            raised where the clips are read. Without it a wrong folder would
            train on what little is left.
        report: path of a CSV that is written whenever there is something new
            to tell; None for none.

    Attributes:
        skipped: why each one cannot be read, by its name.
        retried: why clips of it were drawn again, by its name.
    """

    def __init__(self, limit, report=None):
        self.limit = arguments.integer("limit", limit, 0)
        self.report = report
        if report is not None:
            arguments.new_file("report", report)
        self.skipped, self.retried = {}, {}
        self._lock = threading.Lock()

    @classmethod
    def among(cls, videos, report=None):
        """With the limit for a `VideoSet`: a tenth of it, but at least 1."""
        arguments.examples("videos", videos)
        return cls(max(LEAST, int(SHARE * videos.count)), report)

    def __str__(self):
        text = (
            f"Videos that could not be read: {len(self.skipped)}; "
            f"at most {self.limit} may be."
        )
        if self.report is not None and (self.skipped or self.retried):
            text += f" They are in {self.report}."
        return text

    def retry(self, name, reason):
        """Notes that a clip did not decode and another was drawn."""
        with self._lock:
            is_new = name not in self.retried
            self.retried.setdefault(name, str(reason))
            if is_new:
                self._report()

    def skip(self, name, reason):
        """Notes a video that cannot be read, or raises if too many."""
        with self._lock:
            is_new = name not in self.skipped
            self.skipped.setdefault(name, str(reason))
            number = len(self.skipped)
            if is_new:
                self._report()
        if is_new:
            log.warning("Cannot read %s (%s)", name, reason)
        if number > self.limit:
            named = "; ".join(list(self.skipped)[-NAMED:])
            raise RuntimeError(
                f"{number} videos cannot be read, and at most {self.limit} "
                f"may be. The last ones: {named}"
            )

    def _report(self):
        if self.report is not None:
            self.write(self.report)

    def write(self, path):
        """Writes the report: a CSV of video, what was done, and why.

        Args:
            path: of the file; its folder is made where there is none.
        """
        path = arguments.new_file("path", path)
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["video", "what", "reason"])
        for what in ("skipped", "retried"):
            rows = sorted(getattr(self, what).items())
            table.writerows((name, what, reason) for name, reason in rows)
        path = pathlib.Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.getvalue(), encoding="utf-8")
