"""The `kinetics` TFDS builder: what TFDS itself has no builder of.

Importing this file registers it. Videos that cannot be read are left out, and
named in `skipped_videos.csv` beside the data set.
"""

import csv
import importlib.util
import io

import tensorflow_datasets as tfds

from keras_pyconv.datasets.ahead import ahead
from keras_pyconv.datasets.splits import TRAINING, VALIDATION
from keras_pyconv.datasets.video_sets import video_set
from keras_pyconv.tasks.video import Decoders, UnreadableVideo

SHORT_SIDE = 320  # the largest that training draws
MOST_FRAMES = 300  # ten seconds of 30 frames
REPORT = "skipped_videos.csv"

_DESCRIPTION = """\
Clips of human actions of about ten seconds, one action a clip: Kinetics-400
(Kay et al., 2017), or whatever other videos the manual folder holds. Frames
are JPEG with a short side of at most 320 pixels.
"""
_MANUAL = """\
The manual folder holds either train.csv and val.csv as Kinetics comes with
them (label, youtube_id, time_start, time_end, split) with the videos at
<label>/<youtube_id>_<start>_<end>.mp4, six digits each; or folders train and
val with a folder of video files for each class.
"""
_CITATION = """\
@article{kay2017kinetics,
  author = {Kay, Will and Carreira, Joao and Simonyan, Karen and others},
  title = {The Kinetics Human Action Video Dataset},
  journal = {arXiv:1705.06950},
  year = {2017}
}
"""


class Kinetics(tfds.core.GeneratorBasedBuilder):
    """Videos of a folder as JPEG frames with labels.

    Features are `video`, uint8 `(frames, height, width, 3)`, `label`, and
    `name`, the path below the folder. `processes` decode; by default one a
    processor. Where Apache Beam is installed it prepares, on the runner that
    the `DownloadConfig` names, unless `beam` is False: Beam's local runner
    holds the whole set in memory.

    Example:

    >>> import keras_pyconv.datasets.kinetics
    >>> builder = tfds.builder("kinetics", data_dir="data")
    >>> config = tfds.download.DownloadConfig(manual_dir="videos")
    >>> builder.download_and_prepare(download_config=config)
    >>> videos = keras_pyconv.datasets.video_set(builder, "train")
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "The first version."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = _MANUAL

    def __init__(self, *, processes=None, beam=None, **options):
        if beam is None:
            beam = importlib.util.find_spec("apache_beam") is not None
        self._processes, self._beam = processes, beam
        self._notes = []
        super().__init__(**options)

    def _info(self):
        features = {
            "video": tfds.features.Video(
                shape=(None, None, None, 3), encoding_format="jpeg"
            ),
            "label": tfds.features.ClassLabel(),
            "name": tfds.features.Text(),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=_DESCRIPTION,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("video", "label"),
            homepage="https://arxiv.org/abs/1705.06950",
            citation=_CITATION,
        )

    def _split_generators(self, dl_manager):
        root = dl_manager.manual_dir
        train, validation = _opened(root, TRAINING), _opened(root, VALIDATION)
        if train.classes != validation.classes:
            raise ValueError(
                f"train and validation of {root} must have the same classes."
            )
        self.info.features["label"].names = list(train.classes)
        return {
            "train": self._generate_examples(train, root),
            "validation": self._generate_examples(validation, root),
        }

    def _generate_examples(self, videos, root):
        rows = list(zip(videos.paths, videos.labels))
        if not self._beam:
            return self._decoded_here(rows, root)
        from keras_pyconv.datasets.kinetics_beam import Videos

        report = self.data_path / REPORT
        return Videos(rows, root, self._processes, self._notes, report)

    def _decoded_here(self, rows, root):
        decoders = Decoders(self._processes)
        for name, example, notes in decoded(rows, root, decoders):
            self._notes += notes
            if example is not None:
                yield name, example
        decoders.close()
        write_report(self._notes, self.data_path / REPORT)


def decoded(rows, root, decoders):
    """Yields name, example or None, and notes for the report of each video.

    `rows` are of a path and a label.
    """

    def read(row):
        options = {"short_side": SHORT_SIDE, "most": MOST_FRAMES}
        try:
            return *row, *decoders("jpeg_frames", row[0], **options)
        except UnreadableVideo as error:
            return *row, None, [str(error)]

    for path, label, frames, notes in ahead(read, rows, decoders.processes):
        what = "skipped" if frames is None else "shortened"
        name = str(path).removeprefix(f"{root}/")
        example = {"video": frames, "label": label, "name": name}
        notes = [(str(path), what, note) for note in notes]
        yield name, None if frames is None else example, notes


def write_report(notes, path):
    """Writes the table of what was left out."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows([("video", "what", "reason"), *notes])
    path.write_text(file.getvalue())


def _opened(root, names):
    """The split that has one of the names, as a CSV or as a folder."""
    for name in names:
        if (root / f"{name}.csv").exists():
            return video_set(root / f"{name}.csv", name)
    return video_set(str(root), names[0])
