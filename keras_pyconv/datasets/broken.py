"""What becomes of images and videos that cannot be read: counted and named."""

import csv
import io
import logging
import threading
from collections.abc import Mapping
from typing import Self

import numpy as np

from keras_pyconv import arguments
from keras_pyconv.datasets.sets import ExampleSet
from keras_pyconv.lazy import tf
from keras_pyconv.tasks.image import read_image, reason_of
from keras_pyconv.tasks.preprocessing import Preprocessing
from keras_pyconv.typing import PathLike, Tensor
from keras_pyconv.writing import write_atomically

log = logging.getLogger(__name__)

NAMED = 5  # files that the message of the error names


class _Broken:
    what = "files"
    report: PathLike | None = None

    def __init__(self, limit: int):
        self.limit = arguments.integer("limit", limit, 0)
        self.reasons = {}
        self._lock = threading.Lock()

    def __str__(self):
        return (
            f"{self.what.capitalize()} that could not be read: "
            f"{len(self.reasons)}; at most {self.limit} may be."
        )

    def count(self, name: str, reason: object) -> None:
        """Notes a broken file, or raises if they are too many."""
        if self._note(self.reasons, name, reason):
            log.warning("Cannot read %s (%s)", name, reason)
        # Other threads may note files meanwhile.
        names = list(self.reasons)
        if len(names) > self.limit:
            raise RuntimeError(
                f"{len(names)} {self.what} cannot be read; the limit is "
                f"{self.limit}. The last ones: {'; '.join(names[-NAMED:])}"
            )

    def _note(self, reasons, name, reason):
        """Whether a file was not noted before."""
        with self._lock:
            is_new = name not in reasons
            reasons.setdefault(name, str(reason))
            if is_new and self.report is not None:
                self.write(self.report)
        return is_new


def pictures_allowed(count):
    """How many images of so many may be broken."""
    few = min(BrokenPictures.floor, int(BrokenPictures.floor_share * count))
    return max(1, few, int(BrokenPictures.share * count))


class BrokenPictures(_Broken):
    """Counts and names the images that nothing can decode.

    They stand as pixels of the mean colour, so that the order stays.

    Args:
        limit: how many different images may be broken; one more is an error
            where the batches are read.

    Attributes:
        reasons: why each one is broken, by its name.
    """

    what = "pictures"
    share = 0.001  # of a set; of ImageNet's million a few files are odd
    # So that a set of some thousands is not stopped by its first bad images,
    # and one of some dozens does not train on what little is left.
    floor, floor_share = 10, 0.1

    @classmethod
    def among(cls, pictures: ExampleSet) -> Self:
        """With the limit for a set of images, at least 1.

        0.1 % of it; of a set of up to 10,000 images 10, or a tenth if less.
        """
        arguments.examples("pictures", pictures)
        return cls(pictures_allowed(pictures.count))

    def decode(
        self,
        pictures: ExampleSet,
        example: Mapping[str, Tensor],
        preprocessing: Preprocessing,
        exif: bool = False,
    ) -> Tensor:
        """The image of an example by `read_image`, or one pixel of the mean.

        Args:
            pictures, example: a `PictureSet` or `DetectionSet`, and one of its
                examples.
            preprocessing: whose mean is taken.
            exif: as in `read_image`.

        Returns:
            uint8 tensor `(height, width, 3)`.
        """
        mean = np.round(255 * np.array(preprocessing.mean)).astype("uint8")

        @tf.autograph.experimental.do_not_convert
        def decoded(picture, name):
            try:
                return read_image(pictures.source(picture), exif=exif)
            except (OSError, ValueError) as error:
                self.count(name.decode(errors="replace"), reason_of(error))
                return mean[np.newaxis, np.newaxis]

        pixels = tf.numpy_function(
            decoded, [example["picture"], example["name"]], tf.uint8
        )
        return tf.ensure_shape(pixels, (None, None, 3))


class BrokenVideos(_Broken):
    """Counts and names the videos of a set that cannot be read.

    Another video stands for one of them. Clips that were drawn again from
    another place of a video are in the report too.

    Args:
        limit: how many different videos may be broken; one more is an error
            where the clips are read.
        report: path of a CSV, written whenever there is news; None for none.

    Attributes:
        skipped: why each one cannot be read, by its name.
        retried: why clips of it were drawn again, by its name.
    """

    what = "videos"
    share = 0.1  # of a set; of Kinetics' list some per cent are gone or broken

    def __init__(self, limit: int, report: PathLike | None = None):
        super().__init__(limit)
        self.report, self.retried = report, {}
        self.skipped = self.reasons
        if report is not None:
            arguments.new_file("report", report)

    @classmethod
    def among(cls, videos: ExampleSet, report: PathLike | None = None) -> Self:
        """With the limit for a `VideoSet`: a tenth of it, but at least 1."""
        arguments.examples("videos", videos)
        return cls(max(1, int(cls.share * videos.count)), report)

    def __str__(self):
        text = super().__str__()
        if self.report is not None and (self.skipped or self.retried):
            text += f" They are in {self.report}."
        return text

    def retry(self, name: str, reason: object) -> None:
        """Notes that a clip did not decode and another was drawn."""
        self._note(self.retried, name, reason)

    skip = _Broken.count

    def write(self, path: PathLike) -> None:
        """Writes a CSV of video, what was done, and why; and its folder."""
        path = arguments.new_file("path", path)
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["video", "what", "reason"])
        for what in ("skipped", "retried"):
            rows = sorted(getattr(self, what).items())
            table.writerows((name, what, reason) for name, reason in rows)
        write_atomically(path, text.getvalue())
