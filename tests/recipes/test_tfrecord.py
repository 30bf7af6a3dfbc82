"""A set in TFRecord trains the recipes to the same weights as its files."""

import json

import numpy as np
import pytest
from PIL import Image

from keras_pyconv import datasets
from recipes import detect_coco, finetune_folder, segment_ade20k
from tests.datasets import mask_folders, pictures, scenes

pytestmark = [pytest.mark.official, pytest.mark.ci]
SMALL = ["--strategy=one", "--epochs=2", "--seed=3"]


def _weights(recipe, root, name, data, words):
    """Weights after a run, and what it logged but for the time."""
    model, history = recipe.main(
        [f"--data={data}", f"--workdir={root / name}", *SMALL, *words]
    )
    assert len(history) == 2 and history[-1]["step"] >= 2
    rows = [
        {key: row[key] for key in row if "second" not in key} for row in history
    ]
    return model.get_weights(), rows


def _compare(recipe, root, folder, *words):
    """Trains on a folder and on its records."""
    pattern = str(root / "records" / "train*.tfrecord")
    weights, rows = _weights(recipe, root, "of_files", folder, words)
    again, others = _weights(recipe, root, "of_records", pattern, words)
    assert rows == others
    for one, other in zip(weights, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_classifier(tmp_path):
    folder = pictures.write_folder(tmp_path / "data", train=5)
    for split in ("train", "val"):
        path = tmp_path / "records" / f"{split}-*.tfrecord"
        datasets.write_tfrecord(datasets.picture_set(folder, split), path, 2)
    network = ["--network=PyConvResNetMini", "--weights=none", "--freeze=0"]
    network += ["--side=32", "--batch-size=4"]
    _compare(finetune_folder, tmp_path, folder, *network)


def _coco(folder):
    rng = np.random.default_rng(2)
    (folder / "annotations").mkdir(parents=True)
    for split, count in (("train", 9), ("val", 3)):
        (folder / split).mkdir()
        content = {"images": [], "annotations": []}
        for number in range(1, count + 1):
            height, width = (int(side) for side in rng.integers(60, 99, 2))
            pixels = rng.integers(0, 256, (height, width, 3), "uint8")
            name = f"{number}.jpg"
            Image.fromarray(pixels).save(folder / split / name)
            sides = {"height": height, "width": width}
            image = {"id": number, "file_name": name, **sides}
            content["images"].append(image)
            # One image has no objects; one object is a crowd.
            for _ in range(number % 4):
                side = (rng.random(2) * 40 + 8).round(2).tolist()
                place = (rng.random(2) * 10).round(2).tolist()
                known = len(content["annotations"])
                content["annotations"].append(
                    {
                        "id": known + 1,
                        "image_id": number,
                        "category_id": (1, 3)[known % 2],
                        "bbox": [*place, *side],
                        "area": 0.7 * side[0] * side[1],
                        "iscrowd": int(known == 4),
                    }
                )
        names = [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}]
        file = folder / "annotations" / f"instances_{split}.json"
        file.write_text(json.dumps({**content, "categories": names}))
    return folder


@pytest.mark.parametrize("writer", ["ours", "its own"])
def test_a_detector(writer, tmp_path):
    folder = _coco(tmp_path / "data")
    for split in ("train", "val"):
        prefix = tmp_path / "records" / split
        if writer == "ours":
            found = datasets.detection_set(folder, split)
            datasets.write_tfrecord(found, f"{prefix}-*.tfrecord", shards=2)
        else:
            prefix.parent.mkdir(exist_ok=True)
            file = folder / "annotations" / f"instances_{split}.json"
            scenes.create_coco_tf_record(file, folder / split, prefix)
    small = ["--backbone=PyConvResNetMini", "--side=64", "--batch-size=4"]
    _compare(detect_coco, tmp_path, folder, *small, "--evaluate-every=1")


def test_a_segmenter(tmp_path):
    folder = tmp_path / "data"
    for split, count in (("train", 9), ("val", 2)):
        sizes = [(40 + n, 60 - n) for n in range(count)]
        mask_folders.write(folder, split, sizes)
        path = tmp_path / "records" / f"{split}-*.tfrecord"
        datasets.write_tfrecord(datasets.mask_set(folder, split), path, 2)
    small = ["--backbone=ResNetMini", "--head=conv", "--head-width=64"]
    more = ["--side=32", "--batch-size=4", "--train-on=train"]
    _compare(segment_ade20k, tmp_path, folder, *small, *more)
