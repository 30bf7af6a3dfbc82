"""The `ade20k` TFDS builder: ADEChallengeData2016, the paper's data set.

Importing this file registers it. In the files 0 is "other" and classes count
from 1; `mask_set("ade20k")` shifts them, and `tfds.load` does not.
"""

import pathlib
import zipfile

import tensorflow as tf
import tensorflow_datasets as tfds

from keras_pyconv.datasets.masks import decode_mask, fault
from keras_pyconv.reading import decoded
from keras_pyconv.tasks.segmentation.classes import ADE20K_CLASSES

ROOT = "ADEChallengeData2016"
ARCHIVE = f"{ROOT}.zip"
_SPLITS = {"train": "training", "validation": "validation"}

_CITATION = """\
@inproceedings{zhou2017scene,
  author = {Zhou, Bolei and Zhao, Hang and Puig, Xavier and Fidler, Sanja and
            Barriuso, Adela and Torralba, Antonio},
  title = {Scene Parsing through ADE20K Dataset},
  booktitle = {CVPR},
  year = {2017}
}
"""


class Ade20k(tfds.core.GeneratorBasedBuilder):
    """20,210 and 2,000 photographs, parsed into 150 classes.

    Features: `image` (height, width, 3) uint8, a JPEG; `segmentation_mask`
    (height, width, 1) uint8, 0 for "other" and 1 to 150 for the classes in the
    order of `ADE20K_CLASSES`; `file_name`; `scene`, such as "bathroom".
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "The first version."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"""\
    Download {ARCHIVE} (923 MB) from
    http://data.csail.mit.edu/places/ADEchallenge/{ARCHIVE}
    and put it, or the folder {ROOT} that it holds, into `manual_dir`.
    """

    def _info(self):
        features = {
            "image": tfds.features.Image(
                shape=(None, None, 3), encoding_format="jpeg"
            ),
            "segmentation_mask": tfds.features.Image(
                shape=(None, None, 1), encoding_format="png"
            ),
            "file_name": tfds.features.Text(),
            "scene": tfds.features.Text(),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "ADE20K as prepared for the scene parsing challenge of 2016: "
                "photographs with a class for every pixel."
            ),
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "segmentation_mask"),
            homepage="http://sceneparsing.csail.mit.edu",
            citation=_CITATION,
        )

    def _split_generators(self, dl_manager):
        root = _root(pathlib.Path(dl_manager.manual_dir))
        return {
            split: self._generate_examples(root, folder)
            for split, folder in _SPLITS.items()
        }

    def _generate_examples(self, root, folder):
        scenes = _scenes(root / "sceneCategories.txt")
        images, masks = root / "images" / folder, root / "annotations" / folder
        names = sorted(path.name for path in images.iterdir())
        for name in names:
            if not name.endswith(".jpg") or name.startswith("."):
                continue
            stem = name.removesuffix(".jpg")
            image = (images / name).read_bytes()
            mask = (masks / f"{stem}.png").read_bytes()
            _check(image, mask, name)
            yield stem, {
                "image": image,
                "segmentation_mask": mask,
                "file_name": name,
                "scene": scenes.get(stem, "").strip(),
            }


def _check(image, mask, name):
    size = tf.io.extract_jpeg_shape(image)[:2]
    try:
        decode_mask(mask, len(ADE20K_CLASSES), "from_one", name, size)
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(
            f"{fault(error, name)}. Is this the archive of 2016 with the masks "
            "of 150 classes, and not of instances or of the full data set?"
        ) from None


def _scenes(path):
    """The scene of each image, where the archive says it."""
    content = path.read_bytes() if path.is_file() else b""
    text = decoded(content, f"{path.name} of the archive")
    lines = [line.split(maxsplit=1) for line in text.splitlines()]
    return dict(line for line in lines if len(line) > 1)


def _root(manual_dir):
    """What the archive holds, as a folder or in the archive itself."""
    for folder in (manual_dir / ROOT, manual_dir):
        if (folder / "images" / "training").is_dir():
            return folder
    path = manual_dir / ARCHIVE
    if not path.is_file():
        raise FileNotFoundError(
            f"{manual_dir} contains neither {ARCHIVE} nor the folder {ROOT}. "
            f"{Ade20k.MANUAL_DOWNLOAD_INSTRUCTIONS}"
        )
    try:
        return zipfile.Path(path, f"{ROOT}/")
    except zipfile.BadZipFile as error:
        raise ValueError(
            f"{path} is not a complete ZIP archive: {error}. It may be "
            "truncated; download it again."
        ) from error
