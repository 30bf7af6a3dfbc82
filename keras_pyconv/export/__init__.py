"""From a built model to files that serve it, and the proof that they do."""

from keras_pyconv.export.form import serving_form
from keras_pyconv.export.proof.check import check
from keras_pyconv.export.proof.clean_process import answer_in_clean_process
from keras_pyconv.export.runtimes.litert import litert
from keras_pyconv.export.runtimes.onnx import onnx
from keras_pyconv.export.runtimes.openvino import openvino
from keras_pyconv.export.serving.audit import audit
from keras_pyconv.export.serving.saved_model import saved_model
from keras_pyconv.export.signatures.classifier import video_signatures
from keras_pyconv.export.signatures.detection import detection_signatures
from keras_pyconv.export.signatures.segmentation import segmentation_signatures
from keras_pyconv.export.signatures.signature import Signature

__all__ = [
    "Signature",
    "answer_in_clean_process",
    "audit",
    "check",
    "detection_signatures",
    "litert",
    "onnx",
    "openvino",
    "saved_model",
    "segmentation_signatures",
    "serving_form",
    "video_signatures",
]
