"""A small detector learns eight pictures by heart."""

import keras
import pytest

import keras_pyconv
from keras_pyconv import datasets, training
from keras_pyconv.tasks import detection

STEPS = 160


@pytest.mark.slow
def test_eight_pictures_are_learnt_to_an_ap_of_one(tmp_path):
    builder = datasets.prepare_digits_in_photos(
        "detection",
        data_dir=tmp_path,
        image_size=64,
        train_examples=8,
        test_examples=1,
    )
    scenes = datasets.detection_set(builder, "train")
    keras.utils.set_random_seed(1)
    model = keras_pyconv.PyConvSSD(
        "PyConvResNetMini", input_shape=(64, 64, 3), classes=11
    )
    rate = training.cosine_decay(0.01, STEPS, warmup_steps=STEPS // 10)
    model.compile(
        training.SGD(rate, l2=5e-4, l2_excludes="gamma|beta|bias"),
        loss=detection.detection_losses(),
    )
    batches = datasets.training_scenes(
        scenes,
        detection.default_boxes(model),
        (64, 64),
        batch_size=8,
        seed=1,
        augment=False,
    )
    images, targets = next(iter(batches(0)))
    for _ in range(STEPS):
        model.train_on_batch(images, targets)
    batches = datasets.evaluation_scenes(scenes, (64, 64), batch_size=8)
    found = detection.collect_detections(model, batches)
    numbers = detection.coco_numbers(scenes.truth(), found)
    assert numbers["AP"] == pytest.approx(1.0)
