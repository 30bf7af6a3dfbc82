"""What turns a segmentation network's logits into losses, maps and numbers."""

from keras_pyconv.tasks.segmentation.classes import (
    ADE20K_CLASSES,
    IGNORED,
    color_labels,
    overlay,
    palette,
)
from keras_pyconv.tasks.segmentation.evaluation import (
    Evaluation,
    evaluate_segmentation,
    write_submission,
)
from keras_pyconv.tasks.segmentation.losses_and_metrics import (
    ConfusionMatrix,
    PixelLoss,
    SegmentationLoss,
    class_iou,
    confusion_counts,
    mean_iou,
    pixel_accuracy,
)
from keras_pyconv.tasks.segmentation.predict import Segmentation, segment
from keras_pyconv.tasks.segmentation.windows import (
    MULTI_SCALE,
    SINGLE_SCALE,
    Protocol,
    SlidingWindows,
)

__all__ = [
    "ADE20K_CLASSES",
    "ConfusionMatrix",
    "Evaluation",
    "IGNORED",
    "MULTI_SCALE",
    "PixelLoss",
    "Protocol",
    "SINGLE_SCALE",
    "Segmentation",
    "SegmentationLoss",
    "SlidingWindows",
    "class_iou",
    "color_labels",
    "confusion_counts",
    "evaluate_segmentation",
    "mean_iou",
    "overlay",
    "palette",
    "pixel_accuracy",
    "segment",
    "write_submission",
]
