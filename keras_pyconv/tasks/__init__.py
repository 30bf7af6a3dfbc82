"""What is done with a built network: its task, and seeing what it sees."""

from keras_pyconv.tasks.classification import (
    PREPROCESSING,
    Classification,
    classify,
    decode_predictions,
    preprocess_input,
    preprocessing_of,
)
from keras_pyconv.tasks.crossentropy import Crossentropy
from keras_pyconv.tasks.description import describe
from keras_pyconv.tasks.detection import (
    DecodeDetections,
    Detections,
    coco_numbers,
    default_boxes,
    detect,
    detection_losses,
    detection_model,
    draw_detections,
)
from keras_pyconv.tasks.error_rates import TopKError
from keras_pyconv.tasks.explanation import Explanation, explain
from keras_pyconv.tasks.pyramid import (
    LevelResponse,
    level_responses,
    show_pyramid,
)
from keras_pyconv.tasks.receptive_field import (
    effective_receptive_field,
    share_outside,
    theoretical_receptive_field,
)
from keras_pyconv.tasks.segmentation import (
    ConfusionMatrix,
    Segmentation,
    SegmentationLoss,
    evaluate_segmentation,
    segment,
)
from keras_pyconv.tasks.video import (
    Clips,
    Decoders,
    Recognition,
    UnreadableVideo,
    VideoErrors,
    ViewScores,
    draw_recognition,
    recognize,
    video_errors,
)

__all__ = [
    "Classification",
    "Clips",
    "ConfusionMatrix",
    "Crossentropy",
    "DecodeDetections",
    "Decoders",
    "Detections",
    "Explanation",
    "LevelResponse",
    "PREPROCESSING",
    "Recognition",
    "Segmentation",
    "SegmentationLoss",
    "TopKError",
    "UnreadableVideo",
    "VideoErrors",
    "ViewScores",
    "classify",
    "coco_numbers",
    "decode_predictions",
    "default_boxes",
    "describe",
    "detect",
    "detection_losses",
    "detection_model",
    "draw_detections",
    "draw_recognition",
    "effective_receptive_field",
    "evaluate_segmentation",
    "explain",
    "level_responses",
    "preprocess_input",
    "preprocessing_of",
    "recognize",
    "segment",
    "share_outside",
    "show_pyramid",
    "theoretical_receptive_field",
    "video_errors",
]
