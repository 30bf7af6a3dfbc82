"""How each snippet is run that needs more than to be run as it stands.

A page or docstring that is not named here runs in the default tests, in an
empty folder.
"""

import dataclasses

import pytest

import keras_pyconv
from tests.snippets import files, found

ci, slow = pytest.mark.ci, pytest.mark.slow


@dataclasses.dataclass(frozen=True)
class Scene:
    """What stands around a snippet.

    Attributes:
        mark: of the test that runs it.
        files: what it reads, by path, with the function that makes it.
        before: code that a reader has run already.
        instead: texts that cannot run here, and what runs in their place.
        really: how the commands begin that are really run.
        alone: whether it runs in a process of its own.
        needs: packages that no extra for tests brings, with spaces between.
        wrote: files that it must leave.
        prints: what it must print, as a regular expression.
    """

    mark: pytest.MarkDecorator | None = None
    files: dict = dataclasses.field(default_factory=dict)
    before: str = ""
    instead: dict = dataclasses.field(default_factory=dict)
    really: str | None = None
    alone: bool = False
    needs: str | None = None
    wrote: tuple = ()
    prints: str = ""


def set_up(scene, folder, monkeypatch):
    """Makes the folder the current one, with the files of the scene."""
    for package in (scene.needs or "").split():
        pytest.importorskip(package, reason="no extra for tests brings it")
    for path, make in scene.files.items():
        make(folder / path)
    monkeypatch.setenv("KERAS_HOME", str(folder / "keras"))
    monkeypatch.setenv("PYTHONPATH", str(found.ROOT))
    constants = pytest.importorskip("tensorflow_datasets").core.constants
    monkeypatch.setattr(constants, "DATA_DIR", str(folder / "tfds"))
    monkeypatch.chdir(folder)


def check_files(scene, folder):
    """Whether a snippet left what it must leave."""
    missing = [path for path in scene.wrote if not (folder / path).exists()]
    assert not missing


def mini():
    return keras_pyconv.build_classifier(
        "PyConvResNetMini", classes=4, input_shape=(64, 64, 3)
    )


def segmenter():
    return keras_pyconv.PyConvSegNet("ResNetMini", classes=2, head_width=64)


TWO_DEVICES = """
import tensorflow as tf
(cpu,) = tf.config.list_physical_devices("CPU")
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)
"""
PETS = """
import keras_pyconv
model = keras_pyconv.build_classifier(
    "PyConvResNetMini", classes=4, input_shape=(64, 64, 3)
)
keras_pyconv.export.saved_model(model, "saved_models/pets")
"""
ON_BEAM = Scene(
    mark=ci,
    needs="apache_beam",
    files={"photos": files.image_folder},
    before=PETS,
)
PAGES = {
    "README.md": Scene(mark=ci, wrote=("saved_models/pets/1/saved_model.pb",)),
    "docs/augmentation.md": Scene(
        mark=pytest.mark.official, files={"pets": files.split_folder(16)}
    ),
    "docs/beam.md": dataclasses.replace(
        ON_BEAM, prints=r"'file': 'photos/0.jpg'(.|\n)*'file': 'photos/1.jpg'"
    ),
    "docs/command.md": Scene(
        mark=ci,
        files={"pets": files.class_folder, "photos": files.image_folder},
        really="keras-pyconv",
        wrote=(
            *("doctor.html", "answers/report.html", "by_litert/answers.csv"),
            *("saved_models/pets/1/saved_model.pb", "pets.tflite"),
            *("runs/pets/report/report.html", "report/report.html"),
        ),
    ),
    "docs/comparison.md": Scene(
        mark=slow,
        wrote=("pyramid.png", "explained.png"),
        prints=r"35 0\.\d+\n(.|\n)*9x9",
    ),
    "docs/detection.md": Scene(
        mark=slow,
        wrote=("found.png", "found.json", "saved_models/pets/1/saved_model.pb"),
    ),
    # TensorFlow's file system in memory stands for a bucket.
    "docs/faq.md": Scene(mark=ci, instead={"gs://bucket": "ram://faq"}),
    "docs/finetuning.md": Scene(
        mark=slow,
        files={
            "runs/few/PyConvResNetMini.weights.h5": files.weights_of(mini),
            "picture.png": files.image,
        },
        wrote=(
            *("pictures/few/train/9", "pictures/first/test/0"),
            "scenes/labels.csv",
        ),
        prints=r"\d \d+\.\d%\n",
    ),
    "docs/formats.md": Scene(
        mark=slow,
        wrote=("pets.tflite", "pets16.tflite", "pets8.tflite", "pets.onnx"),
    ),
    "docs/imagenet.md": Scene(files={"pets": files.split_folder(64)}),
    "docs/layers.md": Scene(
        mark=ci,
        before=TWO_DEVICES,
        instead={"GPU:": "CPU:"},  # two of one processor
        alone=True,
        prints=r"\('CPU:0', 'CPU:1', 'CPU:1', 'CPU:0'\)",
    ),
    "docs/neighbours.md": Scene(
        mark=ci,
        files={"pets": files.class_folder},
        # It needs tf-models-official; its own docstring's example is run.
        instead={"datasets.write_tfrecord(": "print(", ", shards=2)": ")"},
        wrote=("served/retinanet/1/saved_model.pb",),
    ),
    "docs/recipes.md": Scene(prints="^8 16 1$"),
    "docs/segmentation.md": Scene(
        mark=slow,
        files={
            **files.published("PyConvSegNetPyConvResNet50:ade20k"),
            "train_epoch_100.pth": files.checkpoint(
                "PyConvSegNetPyConvResNet50"
            ),
            "data/pets": files.two_classes,
            "runs/pets/pyconvsegnetresnetminiwidth64.weights.h5": (
                files.weights_of(segmenter)
            ),
            "street.jpg": files.image,
            "cat.jpg": files.image,
        },
        instead={'"/data/': '"data/'},  # the root of a disk
        wrote=(
            *("street_parsed.png", "cat_parsed.png"),
            "saved_models/segnet/1/saved_model.pb",
        ),
    ),
    "docs/serving.md": Scene(
        mark=slow,
        really="python -m keras_pyconv.export",
        wrote=("saved_models/twice/1/saved_model.pb",),
        prints="^saved_models/pets/1$",
    ),
    "docs/tracking.md": Scene(
        mark=ci,
        needs="wandb mlflow",
        alone=True,
        wrote=("runs/wandb/log.csv", "mlflow.db", "wandb"),
    ),
    "docs/training.md": Scene(
        before=TWO_DEVICES, alone=True, wrote=("runs/example/log.csv",)
    ),
    "docs/video.md": Scene(
        mark=slow,
        files={"videos": files.videos, "clip.mp4": files.film},
        wrote=("strip.png", "saved_models/actions/1/saved_model.pb"),
        prints="^45426192$",
    ),
    "docs/weights.md": Scene(
        mark=slow,
        files={
            **files.published(
                "PyConvResNet50:imagenet",
                "PyConvResNet50:imagenet_cutmix",
                "PyConvSegNetPyConvResNet50:ade20k",
            ),
            "dog.jpg": files.image,
        },
        prints=r"\('n\d{8}', ",
    ),
}
# Notebooks run with few steps; `make notebooks` runs them as they stand.
FEW = {
    "train_examples=2000": "train_examples=64",
    "test_examples=300": "test_examples=32",
    "epochs=40": "epochs=2",
    "epochs=4,": "epochs=1,",
    "epochs=5,": "epochs=1,",
    "epochs=6": "epochs=2",
    "epochs=10": "epochs=1",
    "range(1, 11)": "range(1, 2)",
    "steps = 160": "steps = 20",
}
_NOTEBOOKS = {
    "classify_and_explain": Scene(
        mark=ci, instead=FEW, wrote=("digit.png", "digit.json")
    ),
    "export_and_serve": Scene(
        mark=ci,
        really="keras-pyconv",
        wrote=("saved_models/pets/1", "pets.tflite", "pets.onnx"),
    ),
    "finetune_a_folder": Scene(
        mark=ci,
        instead=FEW,
        really="keras-pyconv",
        wrote=("numbers.keras", "runs/numbers/log.csv"),
    ),
    "pyconv_in_your_network": Scene(mark=ci, instead=FEW),
    "segment_and_detect": Scene(mark=ci, instead=FEW),
}
PAGES |= {f"docs/notebooks/{n}.py": scene for n, scene in _NOTEBOOKS.items()}


MODEL = """
model = keras_pyconv.build_classifier(
    "PyConvResNetMini", classes=10, input_shape=(64, 64, 3)
)
"""
EXPORTED = MODEL + """
keras_pyconv.export.saved_model(model, "saved_models/digits")
images = np.zeros((2, 64, 64, 3), "float32")
"""
DETECTOR = """
COCO_NAMES = ["cat", "dog"]
model = keras_pyconv.PyConvSSD(
    "PyConvResNetMini", input_shape=(64, 64, 3), classes=3
)
"""
SEGMENTER = """
model = keras_pyconv.PyConvSegNet("ResNetMini", classes=2, head_width=64)
"""
VIDEO = """
names = ["jump", "run"]
model = keras_pyconv.build_video_classifier(
    "PyConvResNet3DMini", classes=2, input_shape=(8, 64, 64, 3)
)
"""
RETINANET = """
import keras_cv
backbone = keras_pyconv.keras_cv_backbone(
    "PyConvResNetMini", input_shape=(64, 64, 3)
)
model = keras_cv.models.RetinaNet(
    backbone, num_classes=2, bounding_box_format="xywh"
)
"""


def _saved(builder, *args, **options):
    def build():
        return getattr(keras_pyconv, builder)(*args, **options)

    return files.weights_of(build)


# By the name of the module and of what it documents.
_DOCSTRINGS = {
    "commands.beam.SavedModelHandler": ON_BEAM,
    "commands.beam.predict": dataclasses.replace(
        ON_BEAM, wrote=("answers/answers-00002-of-00003.jsonl",)
    ),
    "datasets.digits.load_digits_in_photos": Scene(mark=slow),
    "datasets.digits_in_photos.DigitsInPhotos": Scene(
        mark=slow, before="keras_pyconv.datasets.prepare_digits_in_photos()"
    ),
    "datasets.kinetics.Kinetics": Scene(files={"videos": files.videos}),
    "export.proof.check.check": Scene(mark=slow, before=EXPORTED),
    "export.proof.clean_process.answer_in_clean_process": Scene(
        mark=slow, before=EXPORTED
    ),
    "export.runtimes.litert.litert": Scene(mark=slow, before=MODEL),
    "export.runtimes.onnx.onnx": Scene(mark=slow, before=MODEL),
    "export.runtimes.openvino.openvino": Scene(mark=slow, before=MODEL),
    "export.serving.saved_model.saved_model": Scene(mark=slow, before=MODEL),
    "export.signatures.classifier.video_signatures": Scene(
        mark=slow, before=VIDEO
    ),
    "export.signatures.detection.detection_signatures": Scene(
        mark=slow, before=DETECTOR
    ),
    "export.signatures.segmentation.segmentation_signatures": Scene(
        mark=slow, before=SEGMENTER
    ),
    "models.inflation.inflate": Scene(
        mark=slow, files={"imagenet.npz": files.of_authors("PyConvResNet50")}
    ),
    "datasets.tfrecord_writer.write_tfrecord": Scene(
        needs="official",
        files={"pets": files.split_folder(4)},
        wrote=("records/train-00001-of-00002.tfrecord", "records/classes.txt"),
    ),
    "neighbours.backbones.keras_cv_backbone": Scene(
        mark=slow, before="import keras_cv"
    ),
    "neighbours.backbones.keras_hub_backbone": Scene(
        mark=slow,
        before="from keras_pyconv.neighbours.keras_hub import "
        "PyConvImageClassifier",
    ),
    "neighbours.presets.save_to_preset": Scene(before=MODEL),
    "neighbours.presets.from_preset": Scene(
        before=f"""{MODEL}
keras_pyconv.save_to_preset(model, "presets/pets")""",
        files={"cat.jpg": files.image},
    ),
    "neighbours.serving.retinanet_signatures": Scene(
        mark=slow, before=RETINANET
    ),
    "parity.modules.torch_module": Scene(
        needs="torch",
        before="from keras_pyconv import networks\n"
        "record = keras_pyconv.ARCHITECTURES['PyConvResNetMini']",
    ),
    "placement.level_devices": Scene(mark=ci, before=TWO_DEVICES, alone=True),
    "reports.classes.classification_report": Scene(
        wrote=("report/report.html", "report/per_class.csv")
    ),
    "reports.regions.Regions": Scene(
        mark=ci,
        before=f"""{SEGMENTER}
image, labels = np.zeros((40, 40, 3), "uint8"), np.eye(40, dtype="uint8")
examples = [{{"image": image, "labels": labels}}]
""",
        wrote=("report/report.html", "report/per_class.csv"),
    ),
    "tasks.classification.classify": Scene(
        mark=slow,
        files={
            **files.published("PyConvResNet50:imagenet"),
            "cat.jpg": files.image,
        },
    ),
    "tasks.classification.preprocess_input": Scene(
        before="model = keras_pyconv.build_classifier('PyConvResNetMini')"
    ),
    "tasks.description.describe": Scene(mark=ci, wrote=("pets.keras",)),
    "tasks.detection.predict.detect": Scene(
        mark=slow,
        files={
            "detector.weights.h5": _saved("PyConvSSD"),
            "street.jpg": files.image,
        },
    ),
    "tasks.explanation.explain": Scene(
        before=MODEL, files={"cat.jpg": files.image}
    ),
    "tasks.pyramid.show_pyramid": Scene(mark=slow, wrote=("pyramid.png",)),
    "tasks.receptive_field.effective_receptive_field": Scene(mark=slow),
    "tasks.segmentation.predict.segment": Scene(
        before=SEGMENTER, files={"street.jpg": files.image}
    ),
    "tasks.video.predict.recognize": Scene(
        mark=slow,
        files={
            "kinetics.weights.h5": _saved("PyConvResNet3D50"),
            "clip.mp4": files.film,
        },
    ),
    "training.run.Run": Scene(files={"photos": files.split_folder(4)}),
    "weights.loading.load": Scene(
        mark=slow, files=files.published("PyConvResNet50:imagenet")
    ),
}
DOCSTRINGS = {f"keras_pyconv.{n}": scene for n, scene in _DOCSTRINGS.items()}
