"""What a classifier's decision came from: where, and from which kernel sizes.

Grad-CAM (Selvaraju et al., arXiv:1610.02391) of one layer: each channel of its
map, times how the class's logit moves with it, summed over the channels. Those
of a pyramid belong to its levels, so that the sum splits. The gradient is that
of each place, not its mean over the map (HiResCAM, Draelos and Carin,
arXiv:2011.08891): the same where nothing but a mean follows, and right in
early layers, where pyramids have most levels.

The fact a reader would get wrong: shares are of what passes through one layer.
What a residual network's shortcut carries past it is in none of them.
"""

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_pyconv import arguments
from keras_pyconv.figures import share
from keras_pyconv.layers.pyconv import PyConv
from keras_pyconv.lazy import tf
from keras_pyconv.models.nesting import Graph, head_layer, is_graph
from keras_pyconv.tasks.classification import (
    class_names_for,
    prepared_image,
    preprocessing_for,
)
from keras_pyconv.tasks.preprocessing import Preprocessing, central_square
from keras_pyconv.tasks.receptive_field import check_gradients
from keras_pyconv.tasks.results import Ranking
from keras_pyconv.typing import ImageLike

# Behind a convolution these leave each channel to itself.
_APART = (layers.BatchNormalization, layers.Activation, layers.ReLU)
_APART += (layers.LeakyReLU, layers.Dropout)
_PANEL, _GAP, _TOP, _BELOW = 180, 8, 30, 44  # pixels of a drawing
_HOT = (255, 96, 0)


@dataclasses.dataclass(frozen=True, eq=False)
class Explanation(Ranking):
    """What of an image spoke for a class, level by level of one layer.

    Attributes:
        labels, scores, class_names: as of a `Classification`, of this class.
        layer: name of the layer.
        levels: the kernel of each level, such as "3x3".
        maps: float32 `(levels, height, width)`, what each place adds to the
            class's logit; below 0 it speaks against the class.
        image: uint8 `(side, side, channels)`, what the network saw.
    """

    layer: str
    levels: tuple[str, ...]
    maps: np.ndarray
    image: np.ndarray

    def __post_init__(self):
        super().__post_init__()
        arguments.text("layer", self.layer)
        levels = arguments.texts("levels", self.levels)
        maps = arguments.array("maps", self.maps, 3)
        arguments.check("maps", maps, len(maps) == len(levels), "of `levels`")
        arguments.array("image", self.image, 3)

    @property
    def shares(self) -> np.ndarray:
        """Part of each level in what speaks for the class, of sum 1 or 0."""
        found = np.maximum(self.maps, 0).sum((1, 2), dtype="float64")
        return found / (found.sum() or 1.0)

    @property
    def map(self) -> np.ndarray:
        """Grad-CAM of the whole layer: `(height, width)`, from 0."""
        return np.maximum(self.maps.sum(axis=0), 0)

    def __str__(self):
        pairs = zip(self.levels, self.shares)
        levels = ", ".join(f"{name} {share(part)}" for name, part in pairs)
        return f"{super().__str__()}: {levels}"

    def to_dict(self) -> dict[str, Any]:
        pairs = zip(self.levels, self.shares.tolist())
        levels = [{"kernel": name, "share": share} for name, share in pairs]
        return {**super().to_dict(), "layer": self.layer, "levels": levels}

    def _drawn(self):
        """The image, the whole map on it, and that of each level."""
        from PIL import Image, ImageDraw, ImageFont

        panels = [("image", None, None), ("all levels", self.map, None)]
        panels += zip(self.levels, self.maps, self.shares)
        step, below = _PANEL + _GAP, _TOP + _PANEL
        size = (len(panels) * step + _GAP, below + _BELOW)
        drawing = Image.new("RGB", size, "white")
        pen, font = ImageDraw.Draw(drawing), ImageFont.load_default(14)
        title = f"{self.label}, {share(self.score)}, by {self.layer}"
        pen.text((_GAP, 6), title, "black", font)
        for left, (name, heat, part) in enumerate(panels):
            left = _GAP + left * step
            drawing.paste(self._panel(heat), (left, _TOP))
            if part is not None:
                name = f"{name}  {share(part)}"
                box = left, below + 24, left + part * _PANEL, below + 34
                pen.rectangle(box, fill=_HOT)
            pen.text((left, below + 4), name, "black", font)
        return np.asarray(drawing)

    def _panel(self, heat):
        """The image, or, darkened and gray, the heat on it."""
        from PIL import Image

        shape, size = (*self.image.shape[:2], 3), (_PANEL, _PANEL)
        pixels = np.broadcast_to(self.image, shape).copy()
        panel = Image.fromarray(pixels).resize(size)
        if heat is None:
            return panel
        # One scale for all; the root shows what is weak.
        strongest = max(self.map.max(), self.maps.max(), 1e-30)
        heat = np.sqrt(np.maximum(heat, 0) / strongest).astype("float32")
        heat = np.clip(Image.fromarray(heat).resize(size), 0, 1)[..., None]
        gray = 0.6 * np.asarray(panel.convert("L"))[..., None]
        mixed = gray * (1 - heat) + np.array(_HOT) * heat
        return Image.fromarray(mixed.astype("uint8"))


def explain(
    model: keras.Model,
    image: ImageLike,
    layer: str | None = None,
    label: int | str | None = None,
    class_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
) -> Explanation:
    """Shows where an image supports a class, for each level of a pyramid.

    This is Grad-CAM, split by kernel size.

    Args:
        model: a trained classifier, as for `classify`: one of `keras_pyconv`,
            or your own that contains one, functional or sequential, nested to
            any depth. No other thread may use it at the same time.
        image: as for `classify`.
        layer: name of a layer that returns a feature map, also within a nested
            model; a PyConv is split by its levels. The default is the last
            PyConv with the most levels, else the last layer with a feature
            map.
        label: number or name of the class; the default is the predicted one.
        class_names, preprocessing: as for `classify`.

    Returns:
        An `Explanation`.

    Raises:
        RuntimeError: the backend is not TensorFlow.
        FileNotFoundError, ValueError: as for `classify`; or the layer or the
            class is unknown, or the model is not an image classifier.

    Example:

    >>> found = keras_pyconv.explain(model, "cat.jpg")
    >>> found.save("cat_explained.png")
    """
    check_gradients("explain")
    arguments.text("layer", layer, optional=True)
    used = preprocessing_for(model, preprocessing)
    class_names = class_names_for(model, class_names)
    if isinstance(label, str):
        arguments.one_of("label", label, class_names or ())
        label = class_names.index(label)
    most = model.output_shape[-1] - 1
    arguments.integer("label", label, 0, most, optional=True)
    found, last = _layer(model, layer)
    pixels, prepared = prepared_image(image, used)
    maps, label, score = _answer(model, prepared, last, label)
    known = getattr(found, "data_format", keras.config.image_data_format())
    if known == "channels_first":
        maps = np.moveaxis(maps, 0, -1)
    names, filters = [found.name], [maps.shape[-1]]
    if _depth(found) > 1:
        kernels, filters, _ = zip(*found.levels)
        names = ["x".join(map(str, kernel)) for kernel in kernels]
    parts = np.split(maps, np.cumsum(filters)[:-1], axis=-1)
    maps = np.stack([part.sum(axis=-1) for part in parts])
    square = central_square(tf.constant(pixels), used.size, used.resize)
    seen = np.clip(np.round(square), 0, 255).astype("uint8")
    answer = np.array([label]), np.array([score]), class_names
    return Explanation(*answer, found.name, tuple(names), maps, seen)


def _depth(layer):
    return len(layer.levels) if isinstance(layer, PyConv) else 1


def _layers(model):
    """(layer, last one that leaves its channels apart) of each feature map."""
    readers = {id(one): reader for one, reader in Graph(model).chains()}
    for layer in model.layers:
        if is_graph(layer):
            yield from _layers(layer)
            continue
        last, shape = layer, getattr(layer.output, "shape", ())
        if len(shape) == 4 and not isinstance(layer, layers.InputLayer):
            while isinstance(readers.get(id(last)), _APART):
                last = readers[id(last)]
            yield layer, last


def _layer(model, name):
    known = list(_layers(model))
    most = max((_depth(layer) for layer, _ in known), default=1)
    for layer, last in reversed(known):
        if layer.name == name or name is None and _depth(layer) == most:
            return layer, last
    pyramids = [layer.name for layer, _ in known if _depth(layer) > 1]
    raise ValueError(
        f"{model.name!r} has no `layer` {arguments.shown(name)} that gives a "
        f"feature map. Its pyramids: {', '.join(pyramids) or 'none'}."
    )


@contextlib.contextmanager
def _instead(layer, name, value):
    """Another attribute of a layer while it lasts, which Keras cannot see."""
    own = vars(layer)
    before = {name: own[name]} if name in own else {}
    own[name] = value
    try:
        yield
    finally:
        del own[name]
        own.update(before)


def _answer(model, prepared, layer, label):
    """Map times gradient of the class's logit, the class and its score."""
    maps, compute = [], layer.call
    tape = tf.GradientTape(watch_accessed_variables=False)

    def watched(*args, **options):
        maps.append(compute(*args, **options))
        tape.watch(maps[-1])
        return maps[-1]

    end, activation = head_layer(Graph(model))
    silent = contextlib.nullcontext()
    if isinstance(end, layers.Softmax):
        silent = _instead(end, "call", lambda inputs, mask=None: inputs)
    elif activation in ("softmax", "sigmoid"):
        silent = _instead(end, "activation", keras.activations.linear)
    with silent, _instead(layer, "call", watched), tape:
        logits = tf.cast(model(prepared, training=False), tf.float32)[0]
        label = int(tf.argmax(logits)) if label is None else label
        logit = logits[label]
    gradient = tape.gradient(logit, maps[0]) if len(maps) == 1 else None
    if gradient is None:
        raise ValueError(
            f"`layer` {layer.name!r} of {model.name!r} must be computed once "
            f"and contribute to the prediction. It was computed {len(maps)} "
            "times"
        )
    probable = tf.sigmoid if activation == "sigmoid" else tf.nn.softmax
    said = tf.cast(maps[0], tf.float32) * tf.cast(gradient, tf.float32)
    return said[0].numpy(), label, probable(logits)[label].numpy()
