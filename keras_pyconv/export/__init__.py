"""From a built model to files that serve it, and the proof that they do."""

from keras_pyconv.export.audit import audit
from keras_pyconv.export.check import check
from keras_pyconv.export.clean_process import answer_in_clean_process
from keras_pyconv.export.detection import detection_signatures
from keras_pyconv.export.entry_points import Signature
from keras_pyconv.export.litert import litert
from keras_pyconv.export.onnx import onnx
from keras_pyconv.export.saved_model import saved_model
from keras_pyconv.export.segmentation import segmentation_signatures
from keras_pyconv.export.serving_form import serving_form
from keras_pyconv.export.video import video_signatures

__all__ = [
    "Signature",
    "answer_in_clean_process",
    "audit",
    "check",
    "detection_signatures",
    "litert",
    "onnx",
    "saved_model",
    "segmentation_signatures",
    "serving_form",
    "video_signatures",
]
