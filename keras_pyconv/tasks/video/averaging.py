"""What clips of a video are, and its score: the mean softmax over its views.

The rule of the paper (supplement, section 2): 16 frames, every fourth. Trained
on a square of 224 of a short side from 256 to 320; tested on ten clips of three
squares as large as the short side, 256, since they cover the width together.
"""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

from keras_pyconv import arguments
from keras_pyconv.figures import share
from keras_pyconv.progress import Bar
from keras_pyconv.tasks import error_rates
from keras_pyconv.tasks.preprocessing import (
    IMAGENET_DEVIATION,
    IMAGENET_MEAN,
    normalize,
)
from keras_pyconv.tasks.results import probabilities, traced
from keras_pyconv.typing import Array

MOST_VIEWS = 1000  # of a video; at 256 pixels they take 3 GB


def view_options(clips, most_clips, crops):
    """Options of `decoding.view_clips`, of which nobody means very many."""
    for name, value in (("most_clips", most_clips), ("crops", crops)):
        arguments.integer(name, value, at_most=MOST_VIEWS)
    if most_clips * crops > MOST_VIEWS:
        raise ValueError(
            f"`most_clips` times `crops` must be at most {MOST_VIEWS:,}. "
            f"Received: most_clips={most_clips}, crops={crops}"
        )
    return {
        "clips": most_clips,
        "crops": crops,
        "frames": clips.frames,
        "stride": clips.stride,
        "size": clips.resize,
    }


@dataclasses.dataclass(frozen=True)
class Clips:
    """How clips are cut out of a video and made a network's input.

    Attributes:
        frames: of a clip.
        stride: frames of the video from one of a clip to its next.
        size: side of the square that is trained on, in pixels.
        short_sides: least and greatest short side in training, in pixels.
        resize: short side in testing, and side of its squares, in pixels.
        flip: whether half of the clips of training are mirrored.
        mean, deviation: as in `Preprocessing`.
    """

    frames: int = 16
    stride: int = 4
    size: int = 224
    short_sides: tuple[int, int] = (256, 320)
    resize: int = 256
    flip: bool = True
    mean: tuple[float, ...] = IMAGENET_MEAN
    deviation: tuple[float, ...] = IMAGENET_DEVIATION

    def __post_init__(self):
        arguments.check_fields(self)
        arguments.normalization(self.mean, self.deviation)
        low, high = self.short_sides
        rule = f"in order and at least `size`, {self.size}"
        good = self.size <= low <= high
        arguments.check("short_sides", self.short_sides, good, rule)


@dataclasses.dataclass(frozen=True)
class VideoErrors:
    """What a network got wrong, and of how many videos.

    Attributes:
        top1_error, top5_error: between 0 and 1, of the videos that were read.
        videos: how many were read.
        skipped: how many could not be read; they are in no figure.
        views: clips times crops, of all videos together.
    """

    top1_error: float
    top5_error: float
    videos: int
    skipped: int
    views: int

    def __str__(self):
        text = (
            f"top-1 error {share(self.top1_error, 2)}, top-5 error "
            f"{share(self.top5_error, 2)} of {self.videos} videos"
        )
        if self.skipped:
            text += f"; {self.skipped} could not be read and are not counted"
        return text


class ViewScores:
    """The mean softmax over the views of a video.

    Args:
        model: from clips to probabilities or logits.
        clips: a `Clips` whose mean and deviation are taken.
        batch_size: views that go through the network at a time.
    """

    def __init__(self, model: keras.Model, clips: Clips, batch_size: int = 8):
        arguments.model("model", model)
        arguments.instance("clips", clips, Clips)
        if len(model.input_shape) != 5:
            arguments.refuse("model", model, "a network of clips")
        self._batch_size = arguments.integer("batch_size", batch_size)
        self._shape = model.input_shape
        self._scores = traced(
            model,
            ("views", clips.mean, clips.deviation),
            lambda: probabilities(model, lambda x: normalize(x, clips)),
        )

    def __call__(self, views: Array) -> Array:
        """The scores, float64 `(classes,)`, of uint8 views of a video.

        These are `(views, frames, height, width, 3)`.
        """
        given, views = views, arguments.array("views", views, 5)
        fits = zip(self._shape[1:], views.shape[1:])
        if not len(views) or any(n not in (None, size) for n, size in fits):
            rule = f"one or more clips of the shape {self._shape[1:]}"
            arguments.refuse("views", given, rule)
        total: Any = 0.0
        size = self._batch_size
        for begin in range(0, len(views), size):
            part = views[begin : begin + size]
            # One size of batch, for one graph.
            missing = [(0, size - len(part))] + [(0, 0)] * 4
            scores = np.asarray(self._scores(np.pad(part, missing)))
            total = total + scores[: len(part)].astype("float64").sum(axis=0)
        return total / len(views)


def video_errors(
    model: keras.Model,
    views: Iterable[tuple[str, Array | None, int]],
    clips: Clips,
    *,
    count: int | None = None,
    batch_size: int = 8,
    on_video: Callable[..., Any] | None = None,
) -> VideoErrors:
    """Top-1 and top-5 error over videos, each the mean of its views.

    Args:
        model, clips, batch_size: as in `ViewScores`.
        views: iterable of (name, views, label) as
            `keras_pyconv.datasets.video_views` yields them.
        count: how many videos there will be; None shows no progress bar.
        on_video: function (name, views, label, scores), called for each
            video that was read; scores are float64 `(classes,)`.

    Returns:
        The `VideoErrors`.

    Raises:
        ValueError: if no video could be read.
    """
    arguments.iterable("views", views)
    arguments.integer("count", count, optional=True)
    arguments.function("on_video", on_video, optional=True)
    scores_of = ViewScores(model, clips, batch_size)
    bar = Bar(count) if count else None
    scores, labels, skipped, number = [], [], 0, 0
    for name, pixels, label in views:
        if pixels is None:
            skipped += 1
        else:
            scores.append(scores_of(pixels))
            labels.append(label)
            number += len(pixels)
            if on_video is not None:
                on_video(name, pixels, label, scores[-1])
        if bar:
            bar.add(1)
    if not labels:
        raise ValueError(f"None of the {skipped} videos could be read.")
    hits = np.asarray(error_rates.hits(np.stack(scores), labels))
    errors = dict(zip(error_rates.RANKS, (1 - hits.mean(axis=0)).tolist()))
    return VideoErrors(
        **errors, videos=len(labels), skipped=skipped, views=number
    )
