"""Naming the action in one video file, and an image that shows why."""

import dataclasses
import functools
import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_pyconv import arguments, renamed
from keras_pyconv.tasks.drawing import strip
from keras_pyconv.tasks.preprocessing import shown_as
from keras_pyconv.tasks.results import Ranking, best, check_names
from keras_pyconv.tasks.video.averaging import Clips, ViewScores, view_options
from keras_pyconv.tasks.video.files import UnreadableVideo
from keras_pyconv.tasks.video.processes import Decoders
from keras_pyconv.typing import Array, PathLike

_SHOWN = 8  # frames of the strip
_SIDE = 160  # pixels of each


@dataclasses.dataclass(frozen=True, eq=False)
class Recognition(Ranking):
    """What a network says of a video, best first.

    Attributes:
        labels: int `(n,)`, from 0.
        scores: float64 `(n,)`, the mean softmax over the views, descending.
        class_names: of all classes, or None.
        frames: uint8 `(frames, side, side, 3)`, those of the middle clip.
        views: how many were averaged.
        notes: why parts of the video were left out; none for a sound one.
        file: name of the video's file, or empty.
    """

    frames: np.ndarray
    views: int
    notes: tuple[str, ...] = ()
    file: str = ""

    def __post_init__(self):
        super().__post_init__()
        arguments.array("frames", self.frames, 4, last=3)
        arguments.integer("views", self.views)
        arguments.instance("notes", self.notes, tuple)
        if self.notes:
            arguments.texts("notes", self.notes)
        arguments.instance("file", self.file, str)

    def to_dict(self) -> dict[str, Any]:
        return {
            **super().to_dict(),
            "views": self.views,
            "notes": list(self.notes),
        }

    def _drawn(self):
        """A strip of frames with the best classes under it."""
        count = min(_SHOWN, len(self.frames))
        numbers = np.linspace(0, len(self.frames) - 1, count).round()
        frames = [self.frames[number] for number in numbers.astype(int)]
        return self._with_bars(strip(frames, _SIDE), self.file)


def _clips_for(model):
    """The `Clips` of a network of this input."""
    shape = model.input_shape
    good = keras.config.image_data_format() == "channels_last"
    if not good or len(shape) != 5 or shape[2] != shape[3]:
        raise ValueError(
            "`model` must take clips (batch, frames, height, width, 3), square "
            f"or of any size. Received: model={arguments.shown(model)} of "
            f"input shape {shape}"
        )
    usual = shown_as(Clips, model, "video") or Clips()
    _, frames, height, _, _ = shape
    size = height or usual.resize
    sides = {"size": size, "short_sides": (size, size), "resize": size}
    return dataclasses.replace(usual, frames=frames or usual.frames, **sides)


# Starting a process takes longer than many a video; it ends with this one.
_decoders = functools.cache(lambda: Decoders(1))


@renamed.keywords(names="class_names")
def recognize(
    model: keras.Model,
    path: PathLike,
    class_names: Sequence[str] | None = None,
    clips: Clips | None = None,
    *,
    top: int = 5,
    most_clips: int = 10,
    crops: int = 3,
    batch_size: int = 8,
    decoders: Decoders | None = None,
) -> Recognition:
    """Recognizes the action in a video file.

    It averages the softmax of at most ten evenly spaced clips, with three
    square crops each, like the paper's test (supplement, section 2).

    Args:
        model: a trained video network of `keras_pyconv`.
        path: path of a video file, or of a folder of frames.
        class_names: names of the classes, in label order; the default is the
            model's own (`describe`), else the class numbers.
        clips: a `Clips`; the default is the model's own, else fits the
            model's input.
        top: number of classes to return.
        most_clips: maximum number of clips; 1 takes the middle one.
        crops: square crops per clip; 1 takes the central one.
        batch_size: number of views per batch.
        decoders: the `Decoders`; the default is one process for all calls.

    Returns:
        A `Recognition`, with `label`, `score`, `draw` and `save`.

    Raises:
        UnreadableVideo: it cannot be read; the message names it and the reason.
        ValueError: the model does not take clips, the number of `class_names`
            is wrong, or another number is out of range.
        ImportError: PyAV is not installed.

    Example:

    >>> model = keras_pyconv.PyConvResNet3D50(weights="kinetics.weights.h5")
    >>> found = keras_pyconv.recognize(model, "clip.mp4")
    >>> found.label, found.score
    """
    path = os.fspath(arguments.path("path", path))
    arguments.model("model", model)
    of_model = _clips_for(model)
    clips = of_model if clips is None else clips
    arguments.instance("clips", clips, Clips)
    classes = model.output_shape[-1]
    names = check_names(class_names, classes, model=model)
    arguments.integer("top", top)
    options = view_options(clips, most_clips, crops)
    arguments.integer("batch_size", batch_size, at_most=10**4)
    if decoders is not None:
        arguments.instance("decoders", decoders, Decoders)
    try:
        decode = decoders or _decoders()
        views, notes = decode("view_clips", os.path.abspath(path), **options)
    # The decoders leave it to their callers to name the file.
    except UnreadableVideo as error:
        raise UnreadableVideo(f"{path}: {error}") from None
    scores = ViewScores(model, clips, batch_size)(views)
    labels, scores = best(scores, top)
    about = len(views), tuple(notes), os.path.basename(path)
    return Recognition(labels, scores, names, views[len(views) // 2], *about)


def draw_recognition(found: Recognition, path: PathLike | None = None) -> Array:
    """The old name of `found.draw(path)`."""
    renamed.warn(
        "`draw_recognition(found, path)` is `found.draw(path)` now, and goes "
        f"with version {renamed.GOES}."
    )
    arguments.instance("found", found, Recognition)
    return found.draw(path)
