"""What turns a detector's raw outputs into losses, detections and numbers."""

from keras_pyconv.tasks.detection.decoding import (
    DecodeDetections,
    detection_model,
)
from keras_pyconv.tasks.detection.default_boxes import default_boxes
from keras_pyconv.tasks.detection.evaluation import (
    NUMBERS,
    DetectionResults,
    GroundTruth,
    ap_by_area,
    coco_numbers,
    collect_detections,
)
from keras_pyconv.tasks.detection.losses import (
    ClassLoss,
    OffsetLoss,
    detection_losses,
)
from keras_pyconv.tasks.detection.matching import (
    decode,
    encode,
    encode_targets,
    match,
    overlaps,
)
from keras_pyconv.tasks.detection.predict import (
    Detections,
    detect,
    draw_detections,
    stretch,
    to_pixels,
)

__all__ = [
    "ClassLoss",
    "DecodeDetections",
    "DetectionResults",
    "Detections",
    "GroundTruth",
    "NUMBERS",
    "OffsetLoss",
    "ap_by_area",
    "coco_numbers",
    "collect_detections",
    "decode",
    "default_boxes",
    "detect",
    "detection_losses",
    "detection_model",
    "draw_detections",
    "encode",
    "encode_targets",
    "match",
    "overlaps",
    "stretch",
    "to_pixels",
]
