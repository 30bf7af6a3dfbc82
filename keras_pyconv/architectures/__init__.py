"""The paper's networks as data. Nothing here needs TensorFlow or Keras."""

from keras_pyconv.architectures.detection import (
    BOX_MAPS,
    DETECTORS,
    BoxMap,
    Detector,
    ExtraLayer,
    get_detector,
)
from keras_pyconv.architectures.inception import (
    INCEPTIONS,
    Conv,
    Inception,
    Mixed,
    Pool,
    Pyramid,
    Residuals,
    branch_name,
    get_inception,
)
from keras_pyconv.architectures.levels import (
    ABLATION_PYRAMIDS,
    HG_PYRAMIDS,
    MINI_PYRAMIDS,
    PYRAMIDS,
    TOP_PYRAMIDS,
    Level,
)
from keras_pyconv.architectures.residual import (
    ARCHITECTURES,
    BLOCKS,
    COMPARISONS,
    DEPTHS,
    SHORTCUTS,
    WIDTHS,
    Architecture,
    Stage,
    StageLayout,
    get_architecture,
)
from keras_pyconv.architectures.segmentation import (
    HEADS,
    SEGMENTERS,
    AtrousHead,
    Head,
    ParsingHead,
    PoolingHead,
    Segmenter,
    get_head,
    get_segmenter,
    make_segmenter,
)
from keras_pyconv.architectures.video import (
    VIDEO_ARCHITECTURES,
    VideoArchitecture,
    get_video_architecture,
)

# Every network, by its name.
RECORDS = {
    **ARCHITECTURES,
    **INCEPTIONS,
    **SEGMENTERS,
    **DETECTORS,
    **VIDEO_ARCHITECTURES,
}
