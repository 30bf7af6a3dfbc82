"""What a clip is: how many frames, how far apart, and what of each.

The rule of the paper (supplement, section 2): 16 frames, every fourth of the
video. In training a short side drawn from 256 to 320 and a random square of
224, the same for all frames; in testing a short side of 256, with at most ten
clips of three squares.

The fact a reader would get wrong: the squares of testing are as large as the
short side, 256 and not 224, since they have to cover the width together.
"""

import dataclasses

from keras_pyconv import arguments
from keras_pyconv.tasks.preprocessing import (
    IMAGENET_DEVIATION,
    IMAGENET_MEAN,
    normalize,
)

MOST_VIEWS = 1000  # of a video; at 256 pixels they take 3 GB


def check_views(most_clips, crops):
    """Refuses numbers of views that nobody means, before they are decoded.

    Raises:
        ValueError: one is no positive integer, or they are too many.
    """
    for name, value in (("most_clips", most_clips), ("crops", crops)):
        arguments.integer(name, value, at_most=MOST_VIEWS)
    if most_clips * crops > MOST_VIEWS:
        raise ValueError(
            f"`most_clips` times `crops` must be at most {MOST_VIEWS:,}. "
            f"Received: most_clips={most_clips}, crops={crops}"
        )


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
        mean: subtracted from each channel, in units of [0, 1].
        deviation: each channel is divided by it, in units of [0, 1].
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
        if not self.size <= low <= high:
            raise ValueError(
                "`short_sides` must be in order and at least `size`. Received: "
                f"short_sides={self.short_sides}, size={self.size}"
            )


def normalized(clips, record: Clips):
    """uint8 clips `(..., 3)` as float32, shifted and scaled."""
    return normalize(clips, record)
