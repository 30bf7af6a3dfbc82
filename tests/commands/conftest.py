"""Small networks of the four tasks, and a folder of images, some broken."""

import keras
import numpy as np
import pytest
from PIL import Image

import keras_pyconv
from keras_pyconv import export
from tests.tasks.segmentation import small

NAMES = ("ant", "bee", "cow")
SIDE = 64  # a detector of three small maps takes no less


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Five sound images of several kinds and sizes, and three broken ones."""
    place = tmp_path_factory.mktemp("photos")
    draw = np.random.default_rng(1)

    def image(height, width):
        coarse = draw.integers(0, 256, (4, 4, 3)).astype("uint8")
        return Image.fromarray(coarse).resize((width, height))

    image(SIDE, SIDE).save(place / "a.png")
    image(80, 100).save(place / "b.jpg")
    turned = Image.Exif()
    turned[0x112] = 6
    image(60, 90).save(place / "c.jpg", exif=turned)
    image(70, 50).save(place / "d.webp")
    (place / "more").mkdir()
    image(48, 48).save(place / "more" / "e.png")
    whole = (place / "b.jpg").read_bytes()
    (place / "f_cut.jpg").write_bytes(whole[: len(whole) // 2])
    (place / "g_empty.png").touch()
    (place / "h_text.jpg").write_text("no image")
    return place


def classifier():
    keras.utils.set_random_seed(3)
    return keras_pyconv.build_classifier(
        "PyConvResNetMini", input_shape=(SIDE, SIDE, 3), classes=3
    )


def detector():
    keras.utils.set_random_seed(4)
    model = keras_pyconv.PyConvSSD(
        "PyConvResNetMini", input_shape=(SIDE, SIDE, 3), classes=4
    )
    # Scores of random weights are nearly alike, and so their order is chance.
    for layer in model.layers:
        if layer.name.endswith("_classes"):
            kernel = layer.weights[0]
            kernel.assign(kernel * 30)
    return model


def segmenter():
    return small.network(3, SIDE)


def recognizer():
    keras.utils.set_random_seed(5)
    return keras_pyconv.build_video_classifier(
        "PyConvResNet3DMini", input_shape=(4, 32, 32, 3), classes=3
    )


@pytest.fixture(scope="session")
def models():
    """`{task: model}`."""
    return {
        "classification": classifier(),
        "detection": detector(),
        "segmentation": segmenter(),
        "video": recognizer(),
    }


@pytest.fixture(scope="session")
def saved(models, tmp_path_factory):
    """`{task: folder of a SavedModel}`, with the names of the classes."""
    root = tmp_path_factory.mktemp("saved_models")

    def save(task, **options):
        return export.saved_model(
            models[task], root / task, batch_sizes=(1,), **options
        )

    def signatures(make, task):
        return {"signatures": make(models[task], labels=NAMES)}

    return {
        "classification": save("classification", labels=NAMES),
        "detection": save(
            "detection", **signatures(export.detection_signatures, "detection")
        ),
        "segmentation": save(
            "segmentation",
            **signatures(export.segmentation_signatures, "segmentation"),
        ),
        "video": save("video", **signatures(export.video_signatures, "video")),
    }
