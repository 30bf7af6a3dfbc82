"""Naming the action in one video file, and a picture that shows why.

The fact a reader would get wrong: a network built for clips of a fixed size
sees squares of that size; one built for any size sees 256 pixels, as in the
paper's test.
"""

import contextlib
import dataclasses
import os

import keras
import numpy as np

from keras_pyconv import arguments
from keras_pyconv.tasks.video.averaging import ViewScores
from keras_pyconv.tasks.video.clips import Clips
from keras_pyconv.tasks.video.files import UnreadableVideo
from keras_pyconv.tasks.video.processes import Decoders

_SHOWN = 8  # frames of the strip


@dataclasses.dataclass(frozen=True, eq=False)
class Recognition:
    """What a network says of a video, best first.

    Attributes:
        labels: int `(n,)`, from 0.
        scores: float64 `(n,)`, the mean softmax over the views, descending.
        names: of all classes, or None.
        frames: uint8 `(frames, side, side, 3)`, those of the middle clip.
        views: how many were averaged.
        notes: why parts of the video were left out; none for a sound one.
    """

    labels: np.ndarray
    scores: np.ndarray
    names: tuple[str, ...] | None
    frames: np.ndarray
    views: int
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The name of the best class, or its number."""
        return self.name(self.labels[0])

    @property
    def score(self) -> float:
        """The score of the best class."""
        return float(self.scores[0])

    def name(self, label) -> str:
        """The name of a class, or its number."""
        most = arguments.MOST if self.names is None else len(self.names) - 1
        label = arguments.integer("label", label, 0, most)
        return str(label) if self.names is None else self.names[label]

    def __post_init__(self):
        arguments.array("labels", self.labels, 1)
        arguments.array("scores", self.scores, 1)
        arguments.array("frames", self.frames, 4, last=3)
        if self.names is not None:
            arguments.texts("names", self.names)
        arguments.integer("views", self.views)
        arguments.instance("notes", self.notes, tuple)

    def __str__(self):
        rows = zip(self.labels, self.scores)
        return "\n".join(f"{self.name(n)} {score:.1%}" for n, score in rows)


def _clips_for(model):
    """The `Clips` of a network of this input."""
    shape = model.input_shape
    if len(shape) != 5 or keras.config.image_data_format() != "channels_last":
        raise ValueError(
            "`model` must take clips (batch, frames, height, width, 3). "
            f"Received: {model.name!r} of input shape {shape}"
        )
    _, frames, height, width, _ = shape
    if height != width:
        raise ValueError(
            "The model must take square clips, or such of any size. Received "
            f"a model of input shape {shape}"
        )
    default = Clips()
    size = height or default.resize
    return Clips(
        frames=frames or default.frames,
        size=size,
        short_sides=(size, size),
        resize=size,
    )


def recognize(
    model,
    path,
    names=None,
    clips=None,
    *,
    top=5,
    most_clips=10,
    crops=3,
    batch_size=8,
    decoders=None,
):
    """Names the action in a video file.

    At most ten clips that lie evenly over the video, three squares of each,
    their softmax averaged: the paper's test (supplement, section 2).

    Args:
        model: a video network of `keras_pyconv`, trained.
        path: of a video file, or of a folder of frames.
        names: of the classes in the order of the labels.
        clips: a `Clips`; by default one for the model's input.
        top: how many classes to name.
        most_clips: at most so many clips; 1 is the middle one.
        crops: squares of each clip; 1 is the central one.
        batch_size: views that go through the network at a time.
        decoders: the `Decoders`; by default one process, for this call.

    Returns:
        A `Recognition`.

    Raises:
        keras_pyconv.tasks.video.UnreadableVideo: if the file holds no video;
            the message names it and says why.
        ValueError: if the model takes no clips, or `names` are not as many
            as its classes.
        ImportError: if PyAV is not installed.

    Example:

    >>> model = keras_pyconv.PyConvResNet3D50(weights="kinetics.weights.h5")
    >>> found = keras_pyconv.recognize(model, "clip.mp4")
    >>> found.label, found.score
    """
    arguments.model("model", model)
    found = _clips_for(model)
    clips = arguments.instance(
        "clips", found if clips is None else clips, Clips
    )
    classes = model.output_shape[-1]
    if names is not None and len(arguments.texts("names", names)) != classes:
        raise ValueError(
            f"The model has {classes} classes. Received {len(names)} names: "
            f"names={arguments.shown(names)}"
        )
    arguments.integer("top", top)
    arguments.integer("most_clips", most_clips, at_most=1000)
    arguments.integer("crops", crops, at_most=1000)
    arguments.integer("batch_size", batch_size)
    if decoders is not None:
        arguments.instance("decoders", decoders, Decoders)
    arguments.path("path", path)
    with contextlib.ExitStack() as stack:
        if decoders is None:
            decoders = Decoders(1)
            stack.callback(decoders.close)
        try:
            views, notes = decoders(
                "view_clips",
                os.path.abspath(path),
                clips=most_clips,
                crops=crops,
                frames=clips.frames,
                stride=clips.stride,
                size=clips.resize,
            )
        # The decoders leave it to their callers to name the file.
        except UnreadableVideo as error:
            raise UnreadableVideo(f"{os.fspath(path)}: {error}") from None
    scores = ViewScores(model, clips, batch_size)(views)
    best = np.argsort(-scores, kind="stable")[:top]
    return Recognition(
        best,
        scores[best],
        None if names is None else tuple(names),
        views[len(views) // 2],
        len(views),
        tuple(notes),
    )


def draw_recognition(found: Recognition, path=None):
    """Draws a strip of frames with the prediction under it.

    Args:
        found: what `recognize` returned.
        path: a file to write as well, PNG or JPEG by its ending.

    Returns:
        uint8 array `(height, width, 3)`.
    """
    from PIL import Image, ImageDraw, ImageFont

    arguments.instance("found", found, Recognition)
    if path is not None:
        arguments.image_file("path", path)
    count = min(_SHOWN, len(found.frames))
    numbers = np.linspace(0, len(found.frames) - 1, count).round().astype(int)
    side = 160
    tiles = [
        Image.fromarray(found.frames[n]).resize((side, side)) for n in numbers
    ]
    rows = list(zip(found.labels, found.scores))[:3]
    line = 22
    height = side + line * len(rows) + 10
    picture = Image.new("RGB", (count * side, height), "white")
    for place, tile in enumerate(tiles):
        picture.paste(tile, (place * side, 0))
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(15)
    for place, (label, score) in enumerate(rows):
        top = side + 6 + place * line
        right = 6 + round(float(score) * 200)
        colour = "#2f6f4f" if place == 0 else "#b0b8b4"
        pen.rectangle((6, top + 2, right, top + 16), fill=colour)
        text = f"{score:.1%}  {found.name(label)}"
        pen.text((216, top), text, fill="black", font=font)
    if path is not None:
        picture.save(path)
    return np.asarray(picture)
