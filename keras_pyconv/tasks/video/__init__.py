"""What is done with videos: reading clips of them, scores, answers."""

from keras_pyconv.tasks.video.averaging import (
    Clips,
    VideoErrors,
    ViewScores,
    video_errors,
)
from keras_pyconv.tasks.video.files import UnreadableVideo
from keras_pyconv.tasks.video.predict import (
    Recognition,
    draw_recognition,
    recognize,
)
from keras_pyconv.tasks.video.processes import Decoders

__all__ = [
    "Clips",
    "Decoders",
    "Recognition",
    "UnreadableVideo",
    "VideoErrors",
    "ViewScores",
    "draw_recognition",
    "recognize",
    "video_errors",
]
