"""Video networks of the paper (supplement, section 2), as data.

Time is halved in stages 3 and 4 alone, and only there the max pooling of the
shortcut spans three frames. The paper does not say so; no other reading gives
the printed GFLOPs.
"""

from dataclasses import dataclass, replace

from keras_pyconv.architectures.levels import (
    check,
    check_fields,
    check_rate,
)
from keras_pyconv.architectures.lookup import find
from keras_pyconv.architectures.residual import (
    ARCHITECTURES,
    BASIC_BLOCKS,
    Architecture,
    StageLayout,
)
from keras_pyconv.arguments import integer, shown

# Frames that a kernel of each side spans.
FRAMES_BY_SIDE = ((3, 3), (5, 3), (7, 5), (9, 7))


@dataclass(frozen=True)
class VideoArchitecture:
    """A residual network over clips.

    `base` gives stem width, stages, shortcuts and strides in space. Axes of
    kernels and strides are (frames, height, width). `frames_by_side` pairs
    the side of a kernel with the frames that it spans.
    """

    name: str
    base: Architecture
    source: str
    stem_kernel: tuple[int, int, int] = (5, 7, 7)
    frames_by_side: tuple[tuple[int, int], ...] = FRAMES_BY_SIDE
    frames_strides: tuple[int, ...] = (1, 1, 2, 2)
    dropout: float = 0.5

    # Not fields: every network of clips has the same.
    stem_strides = (1, 2, 2)
    stem_window = (1, 3, 3)

    def __post_init__(self):
        check_fields(self, shown(self.name))
        sides = {side for stage in self.base.stages for side in stage.kernels}
        missing = sorted(sides - set(dict(self.frames_by_side)))
        message = f"`frames_by_side` has no entry for kernels of side {missing}"
        check(not missing, self.name, message)
        message = f"blocks must be bottlenecks; got {self.base.block!r}"
        check(self.base.block not in BASIC_BLOCKS, self.name, message)
        stages, strides = len(self.base.stages), self.frames_strides
        message = (
            f"{stages} stages need as many `frames_strides`; got {strides}"
        )
        check(len(strides) == stages, self.name, message)
        check_rate(self.name, self.dropout)

    def kernels(self, number: int) -> tuple[tuple[int, int, int], ...]:
        """Each level's kernel in the stage of that number, from 0."""
        frames = dict(self.frames_by_side)
        sides = self.base.stages[self._stage(number)].kernels
        return tuple((frames[side], side, side) for side in sides)

    def strides(self, number: int) -> tuple[int, int, int]:
        """The strides of the stage of that number, from 0."""
        side = self.base.stages[self._stage(number)].stride
        return (self.frames_strides[number], side, side)

    def pool_window(self, number: int) -> tuple[int, int, int]:
        """Window of the max pooling on the stage's shortcut."""
        return (3 if self.frames_strides[self._stage(number)] > 1 else 1, 3, 3)

    def _stage(self, number):
        return integer("number", number, 0, len(self.base.stages) - 1)

    @property
    def stem_width(self) -> int:
        """Filters of the stem."""
        return self.base.stem_width

    @property
    def stem_pool(self) -> bool:
        """Whether max pooling follows the stem's convolution."""
        return self.base.stem_pool

    def layout(self) -> tuple[StageLayout, ...]:
        """The stages; nothing dilates over clips."""
        return tuple(
            stage._replace(
                kernels=self.kernels(number),
                strides=self.strides(number),
                window=self.pool_window(number),
            )
            for number, stage in enumerate(self.base.layout())
        )


_SOURCE = "supplement, Tables 2 and 3"
_DEEPER = "ours: Tables 2 and 3 of the supplement, in the depths of Table 3"
_MINI = "ours: Tables 2 and 3 of the supplement at half width, short stages"
_ROWS = tuple(
    VideoArchitecture(f"{family}3D{size}", ARCHITECTURES[family + size], source)
    for size, source in (
        ("50", _SOURCE),
        ("101", _DEEPER),
        ("152", _DEEPER),
        ("Mini", _MINI),
    )
    for family in ("ResNet", "PyConvResNet")
)


def _tiny(name, mini):
    """`mini` without its last stage, which has three quarters of it."""
    base = replace(
        mini.base,
        name=name.replace("3D", ""),
        stages=mini.base.stages[:-1],
        total_stride=mini.base.total_stride // mini.base.stages[-1].stride,
    )
    source = f"ours: {mini.name} without its last stage"
    strides = mini.frames_strides[:-1]
    return replace(
        mini, name=name, base=base, source=source, frames_strides=strides
    )


VIDEO_ARCHITECTURES = {row.name: row for row in _ROWS}
VIDEO_ARCHITECTURES.update(
    (name, _tiny(name, VIDEO_ARCHITECTURES[name.replace("Tiny", "Mini")]))
    for name in ("ResNet3DTiny", "PyConvResNet3DTiny")
)


def get_video_architecture(
    architecture: VideoArchitecture | str,
) -> VideoArchitecture:
    """The record itself, or the row of that name; else a ValueError."""
    return find(
        "architecture", architecture, VideoArchitecture, VIDEO_ARCHITECTURES
    )
