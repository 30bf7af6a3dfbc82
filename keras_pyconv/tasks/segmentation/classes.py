"""Names, colours and the label rule of segmentation.

In ADE20K's masks 0 is "other" and classes count from 1. Here classes count from
0, so that 0 is "wall", and what is ignored is 255.
"""

import functools

import numpy as np

from keras_pyconv import arguments
from keras_pyconv.tasks.results import check_names
from keras_pyconv.typing import Array, ArrayLike

IGNORED = 255

_ADE20K = """\
wall; building; sky; floor; tree; ceiling; road; bed; windowpane; grass;
cabinet; sidewalk; person; earth; door; table; mountain; plant; curtain; chair;
car; water; painting; sofa; shelf; house; sea; mirror; rug; field; armchair;
seat; fence; desk; rock; wardrobe; lamp; bathtub; railing; cushion; base; box;
column; signboard; chest of drawers; counter; sand; sink; skyscraper;
fireplace; refrigerator; grandstand; path; stairs; runway; case; pool table;
pillow; screen door; stairway; river; bridge; bookcase; blind; coffee table;
toilet; flower; book; hill; bench; countertop; stove; palm; kitchen island;
computer; swivel chair; boat; bar; arcade machine; hovel; bus; towel; light;
truck; tower; chandelier; awning; streetlight; booth; television; airplane;
dirt track; apparel; pole; land; bannister; escalator; ottoman; bottle; buffet;
poster; stage; van; ship; fountain; conveyer belt; canopy; washer; plaything;
swimming pool; stool; barrel; basket; waterfall; tent; bag; minibike; cradle;
oven; ball; food; step; tank; trade name; microwave; pot; animal; bicycle; lake;
dishwasher; screen; blanket; sculpture; hood; sconce; vase; traffic light; tray;
ashcan; fan; pier; crt screen; plate; monitor; bulletin board; shower; radiator;
glass; clock; flag"""
# The first name of each row of the archive's objectInfo150.txt, in its order.
ADE20K_CLASSES = tuple(
    name.strip() for name in _ADE20K.replace("\n", " ").split(";")
)

_CHANNEL = np.arange(0, 256, 36)
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
# Differences of blue and of red are seen less than those of green.
_SEEN = np.array([0.8, 1.0, 0.6])


@functools.cache
def _ordered_colors():
    """A grid of colours, each the farthest from all that stand before it."""
    colors = np.stack(np.meshgrid(*[_CHANNEL] * 3), axis=-1).reshape(-1, 3)
    luma = colors @ _LUMA
    # Black is what is ignored; near white an overlay shows nothing.
    colors = colors[(luma > 25) & (luma < 215)]
    seen = colors * _SEEN
    distance = np.abs(seen - (0, 0, _CHANNEL[-1] * _SEEN[2])).sum(axis=1)
    chosen = [int(distance.argmin())]
    distance = np.full(len(colors), np.inf)
    while len(chosen) < len(colors):
        last = np.square(seen - seen[chosen[-1]]).sum(axis=1)
        distance = np.minimum(distance, last)
        chosen.append(int(distance.argmax()))
    return colors[chosen].astype("uint8")


def palette(classes: int) -> np.ndarray:
    """Colours that are easy to tell apart, the same for every longer palette.

    Args:
        classes: How many colours.

    Returns:
        uint8 `(classes, 3)`, RGB.
    """
    arguments.integer("classes", classes)
    colors = _ordered_colors()
    return colors[np.arange(classes) % len(colors)]


def color_labels(
    labels: ArrayLike, colors: ArrayLike | None = None, ignored: int = IGNORED
) -> np.ndarray:
    """A label map as an image; what is ignored is black.

    Args:
        labels: Integers `(height, width)`.
        colors: uint8 `(classes, 3)`, or None for `palette`.
        ignored: The label that is no class.

    Returns:
        uint8 `(height, width, 3)`.

    Raises:
        ValueError: if a label has no colour.
    """
    labels = arguments.array("labels", labels, 2, "iub").astype("int64")
    arguments.integer("ignored", ignored, -arguments.MOST)
    known = labels != ignored
    highest = int(labels[known].max(initial=0))
    if colors is None:
        colors = palette(highest + 1)
    colors = arguments.array("colors", colors, 2, last=3)
    if highest >= len(colors):
        raise ValueError(
            f"Label {highest} of `labels` has no color in `colors`. Received: "
            f"colors={arguments.shown(colors)}"
        )
    picture = colors[np.where(known, labels, 0)].astype("uint8")
    picture[~known] = 0
    return picture


def overlay(
    image: ArrayLike,
    labels: ArrayLike,
    colors: ArrayLike | None = None,
    opacity: float = 0.5,
    ignored: int = IGNORED,
) -> Array:
    """The image under its coloured label map; what is ignored stays bare.

    Args:
        image: uint8 `(height, width, 3)`.
        labels, colors, ignored: As in `color_labels`.
        opacity: 0 shows the image alone, 1 the labels.

    Returns:
        uint8 `(height, width, 3)`.
    """
    arguments.array("image", image, 3, last=3)
    arguments.number("opacity", opacity, 0, 1)
    colored = color_labels(labels, colors, ignored).astype("float32")
    share = opacity * (np.asarray(labels) != ignored)[..., np.newaxis]
    mixed = image * (1 - share) + colored * share
    return np.round(mixed).astype("uint8")


def number_of_classes(model) -> int:
    """How many classes a network to `(batch, height, width, classes)` has."""
    output = getattr(model, "output", None)
    output = output.get("logits") if isinstance(output, dict) else output
    shape = tuple(getattr(output, "shape", ()))
    if len(shape) != 4:
        name = arguments.shown(getattr(model, "name", model))
        raise ValueError(
            f"`model` {name} is not a segmentation network. It must return "
            "logits (batch, height, width, classes), like PyConvSegNet. "
            f"Received: an output of shape {shape}"
        )
    return shape[-1]


def names_of_classes(classes: int, names=None, model=None):
    """The given names, the model's own, ADE20K's for 150 classes, or the
    numbers."""
    found = check_names(names, classes, model=model)
    if found is None and classes == len(ADE20K_CLASSES):
        return ADE20K_CLASSES
    return found or tuple(map(str, range(classes)))
