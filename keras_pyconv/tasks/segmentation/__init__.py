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
from keras_pyconv.tasks.segmentation.losses import SegmentationLoss
from keras_pyconv.tasks.segmentation.metrics import (
    ConfusionMatrix,
    PixelLoss,
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
