"""What TF Model Garden computes as we do, and what otherwise."""

import contextlib
import io
import json

import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.tasks import detection
from keras_pyconv.tasks.preprocessing import Preprocessing, normalize
from keras_pyconv.tasks.video.decoding import (
    clip_numbers,
    even_starts,
    views_of_clip,
)

pytestmark = pytest.mark.official

# COCO's numbers ---------------------------------------------------------------

ROWS = 20  # detections of an image, with those that fill up


def _scene(rng):
    """A COCO file's content, and detections that are about right."""
    images = [{"id": n, "height": 400, "width": 500} for n in range(1, 9)]
    annotations, found = [], {}
    for image in images:
        # One of the images shows nothing.
        sides = 10 ** rng.uniform(0.8, 2.3, (image["id"] % 8, 2))
        corners = rng.uniform(0, 200, (len(sides), 2))
        labels = rng.integers(0, 3, len(sides))
        for corner, side, label in zip(corners, sides, labels):
            area = float(side.prod() * rng.uniform(0.4, 1))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image["id"],
                    "category_id": int((5, 18, 90)[label]),
                    "bbox": [*corner.tolist(), *side.tolist()],
                    "area": area,
                    "iscrowd": int(rng.random() < 0.2),
                }
            )
        noise = 1 + 0.1 * rng.standard_normal((2, len(sides), 2))
        low = (corners * noise[0])[:, ::-1]
        boxes = np.concatenate([low, low + (sides * noise[1])[:, ::-1]], 1)
        wrong = rng.random(len(sides)) < 0.2
        found[image["id"]] = (
            np.float32(boxes),
            np.where(wrong, (labels + 1) % 3, labels),
            np.float32(rng.random(len(sides))),
        )
    categories = [{"id": i, "name": str(i)} for i in (5, 18, 90)]
    content = {"images": images, "annotations": annotations}
    return {**content, "categories": categories}, found


def _filled(rows, value):
    """An image's rows, filled up to one number of all images."""
    lacking = ROWS - len(rows)
    rest = np.full((lacking, *rows.shape[1:]), value, rows.dtype)
    return tf.constant(np.concatenate([rows, rest])[np.newaxis])


def test_its_evaluator_gives_cocos_twelve_numbers_as_ours(tmp_path):
    from official.vision.evaluation import coco_evaluator

    content, found = _scene(np.random.default_rng(4))
    file = tmp_path / "instances.json"
    file.write_text(json.dumps(content))
    theirs = coco_evaluator.COCOEvaluator(
        str(file), include_mask=False, need_rescale_bboxes=False
    )
    ours, ids = detection.DetectionResults(), np.array([5, 18, 90])
    for image_id, (boxes, labels, scores) in found.items():
        ours.add(image_id, boxes, labels, scores)
        rows = {
            "source_id": tf.constant([image_id]),
            "num_detections": tf.constant([len(labels)]),
            "detection_boxes": _filled(boxes, -1),
            "detection_classes": _filled(ids[labels], -1),
            "detection_scores": _filled(scores, -1),
        }
        theirs.update_state(None, rows)
    truth = detection.GroundTruth.of_file(file, ids.tolist())
    numbers = detection.coco_numbers(truth, ours)
    with contextlib.redirect_stdout(io.StringIO()):
        wanted = theirs.result()
    assert any(row["iscrowd"] for row in content["annotations"])
    assert 0.1 < numbers["AP"] < 0.9 and min(numbers.values()) > 0
    np.testing.assert_allclose([*numbers.values()], [*wanted.values()], 1e-6)


# Clips ------------------------------------------------------------------------


@pytest.fixture
def ops():
    from official.vision.ops import preprocess_ops_3d

    return preprocess_ops_3d


def test_its_clips_of_short_videos_begin_again_as_ours(ops):
    for count in (1, 3, 7, 8, 40):
        found = ops.sample_linspace_sequence(tf.range(count), 1, 8, 3)
        assert found.numpy().tolist() == clip_numbers(count, 0, 8, 3)


def _its_starts(ops, count, clips, frames, stride):
    found = ops.sample_linspace_sequence(tf.range(count), clips, frames, stride)
    return found.numpy().reshape(clips, frames)[:, 0].tolist()


def test_its_clips_lie_as_ours_where_no_frame_is_skipped(ops):
    # 25 places, evenly: 0, 12, 24.
    assert _its_starts(ops, 32, 3, 8, 1) == even_starts(32, 3, 8, 1)
    # With a stride its last clip ends before the video does, and places are
    # rounded down.
    assert _its_starts(ops, 32, 3, 8, 2) == [0, 8, 16]
    assert even_starts(32, 3, 8, 2) == [0, 8, 17]
    # A short video's clips are all one: ours is decoded once.
    assert _its_starts(ops, 5, 3, 8, 1) == [0, 0, 0]
    assert even_starts(5, 3, 8, 1) == [0]


@pytest.mark.parametrize("shape", [(20, 32), (32, 20), (20, 20)])
def test_its_three_crops_are_ours_of_even_sides(ops, shape):
    clip = np.random.default_rng(1).integers(0, 256, (2, *shape, 3), "uint8")
    theirs = ops.crop_image(tf.constant(clip), 20, 20, num_crops=3)
    ours = np.concatenate(list(views_of_clip(clip, 3, 20)))
    np.testing.assert_array_equal(theirs, ours)
    central = ops.crop_image(tf.constant(clip), 20, 20)
    np.testing.assert_array_equal(central, *views_of_clip(clip, 1, 20))


def test_its_normalization_knows_no_mean(ops):
    clip = np.random.default_rng(1).integers(0, 256, (2, 8, 8, 3), "uint8")
    theirs = ops.normalize_image(tf.constant(clip), False)
    plain = Preprocessing(mean=(0.0, 0.0, 0.0), deviation=(1.0, 1.0, 1.0))
    np.testing.assert_array_equal(theirs, normalize(clip, plain))


def test_its_resizing_keeps_what_ours_averages(ops):
    lines = np.zeros((1, 64, 64, 3), "uint8")
    lines[:, ::4] = 255
    theirs = ops.resize_smallest(tf.constant(lines), 16).numpy()
    ours = tf.image.resize(lines, (16, 16), antialias=True).numpy()
    assert np.ptp(theirs) == 0 and abs(theirs.mean() - ours.mean()) > 50
