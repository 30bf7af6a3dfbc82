"""RandAugment, AutoAugment and RandomErasing, drawn from an example's seed.

TF Model Garden's classes draw from TensorFlow's own state, so that batch n
would not follow from a run's seed and n. Here its functions compute the images,
and stateless draws choose among them.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from keras_pyconv import arguments
from keras_pyconv.datasets.classification import random_crop_box
from keras_pyconv.datasets.stream import apart
from keras_pyconv.lazy import tf
from keras_pyconv.tasks.library import model_garden
from keras_pyconv.tasks.segmentation.classes import IGNORED
from keras_pyconv.typing import Tensor

OPERATIONS = (  # of TF Model Garden's RandAugment
    *("AutoContrast", "Equalize", "Invert", "Rotate", "Posterize", "Solarize"),
    *("Color", "Contrast", "Brightness", "Sharpness", "ShearX", "ShearY"),
    *("TranslateX", "TranslateY", "Cutout", "SolarizeAdd"),
)
POLICIES = (  # of TF Model Garden's AutoAugment
    *("v0", "reduced_imagenet", "simple", "vit", "deit3_three_augment"),
    *("reduced_cifar10", "svhn", "panoptic_deeplab_policy", "detection_v0"),
)
SIDE = 224  # pixels, of the image that distances are for
GREY = [128] * 3
ASPECT = (0.3, 1 / 0.3)  # of what is erased, width by height
BLURS = 16  # deviations between the smallest and the largest
# Of a TranslateY in boxes, of the chance that its policy names.
BOX_CHANCE = 1 / 3
_NOTHING = "Nothing", 0.0
_MOVES = "Rotate", "ShearX", "ShearY", "TranslateX", "TranslateY"
_IN_PIXELS = "TranslateX", "TranslateY", "TranslateY_Only_BBoxes", "Cutout"
# What the seed of an image, and that of a step, are for.
_POLICY, _STEPS = range(2)
_APPLY, _SIGN, _PLACE, _BOXES = range(4)


def _model_garden():
    """Its augmentation; the floor in setup.cfg is what this is tried on.

    Private there are `_fill_rectangle` and `_apply_bbox_augmentation`: what
    calls them draws the place by itself.
    """
    what = "RandAugment, AutoAugment and RandomErasing take their operations"
    return model_garden("vision.ops.augment", f"{what} from")


def _matrix(name, amount, height, width):
    """Of the pixel `(x, y, 1)` of the result, that of the image, `(3, 3)`."""
    if name == "Rotate":
        cos, sin = (f(amount * np.pi / 180) for f in (tf.cos, tf.sin))
        x, y = (width - 1) / 2, (height - 1) / 2
        first = [cos, -sin, x - x * cos + y * sin]
        second = [sin, cos, y - x * sin - y * cos]
    else:
        first, second = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]
        row, column = {
            "ShearX": (first, 1),
            "ShearY": (second, 0),
            "TranslateX": (first, 2),
            "TranslateY": (second, 2),
        }[name]
        row[column] = amount
    return tf.stack([tf.stack(first), tf.stack(second), [0.0, 0.0, 1.0]])


class Distortion:
    """Random operations on an image; boxes or a mask move with it.

    `rand_augment` and `auto_augment` make it. What it does follows from `seed`
    alone, an int64 tensor `(2,)`. Distances are TF Model Garden's at 224
    pixels, and in proportion to the shorter side.

    What comes from beyond the border is the mirror image, as in TF Model
    Garden, but gray where boxes or a mask move along: it has none.

    Args:
        policies: lists of `(operation, probability, level)`, of which one is
            drawn for an image; the level is from 0 to 10.
        rounds: how many are drawn, one after the other.
        cutout, translate: pixels of these operations at level 10.
    """

    def __init__(
        self,
        policies: Iterable[Iterable[tuple[str, float, float]]],
        rounds: int = 1,
        *,
        cutout: float,
        translate: float,
    ) -> None:
        self._library = _model_garden()
        self._rounds = rounds
        self._cutout, self._translate = float(cutout), float(translate)
        # Names of operations that move boxes end so, and all of ours do.
        table: list[list[Any]] = [
            [(name.removesuffix("_BBox"), *about) for name, *about in policy]
            for policy in policies
        ]
        length = max(map(len, table))
        for policy in table:
            policy += [("Nothing", 0.0, 0.0)] * (length - len(policy))
        steps = {(name, level) for p in table for name, _, level in p}
        self._operations = [_NOTHING, *sorted(steps - {_NOTHING})]
        self._amounts = self._without_signs()
        number = self._operations.index
        self._numbers = np.array(
            [[number((name, level)) for name, _, level in p] for p in table],
            "int32",
        )
        self._chances = np.array(
            [[chance for _, chance, _ in p] for p in table], "float32"
        )
        # Traced once, and not for each step of each function that reads.
        self._step = tf.function(self._one_step, autograph=False)

    def _without_signs(self):
        """What TF Model Garden makes of the levels, as numbers of Python."""
        known = self._library.level_to_arg(self._cutout, self._translate)

        # It draws signs. In a function these do not touch the user's state.
        @tf.function(autograph=False)
        def drawn():
            return [
                [tf.abs(x) for x in known[name](level)] if name in known else []
                for name, level in self._operations
            ]

        with tf.init_scope():
            return [[x.numpy().item() for x in found] for found in drawn()]

    def __call__(self, picture: Tensor, seed: Tensor) -> Tensor:
        """An image in [0, 255], of static shape `(height, width, 3)`."""
        picture = _of_static_shape(picture)
        return self._distorted(seed, picture=picture)["picture"]

    def with_boxes(
        self, picture: Tensor, boxes: Tensor, labels: Tensor, seed: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The same, with the boxes and labels of what is left in the image.

        Boxes are float32 `(objects, 4)` ymin, xmin, ymax, xmax as fractions of
        the image. An object is gone when its centre leaves the image.
        """
        picture = _of_static_shape(picture)
        places = [[1, 0], [1, 2], [3, 0], [3, 2]]
        sides = _width_and_height(picture)
        found = self._distorted(
            seed,
            picture=picture,
            corners=tf.gather(boxes, places, axis=1) * sides - 0.5,
            kept=tf.ones_like(boxes[:, 0], tf.bool),
        )
        boxes = _boxes_around(found["corners"], sides)
        boxes, labels = (
            tf.boolean_mask(x, found["kept"]) for x in (boxes, labels)
        )
        return found["picture"], boxes, labels

    def with_mask(
        self, picture: Tensor, mask: Tensor, seed: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The same, with a uint8 mask `(height, width)`.

        Beyond the border it is 255, which is ignored.
        """
        picture = _of_static_shape(picture)
        found = self._distorted(seed, picture=picture, mask=mask[..., None])
        return found["picture"], tf.ensure_shape(
            found["mask"][..., 0], picture.shape[:2]
        )

    def describe(self, seed: Tensor) -> tuple[str, ...]:
        """What is done under a seed, such as `("Rotate -30", "Equalize")`."""
        said = []
        for number, seeds in zip(*self._chosen(seed)):
            name, _ = self._operations[int(number)]
            amounts = self._amounts[int(number)]
            if name in _MOVES:
                amounts = [float(_sign(seeds)) * amount for amount in amounts]
            if name != "Nothing":
                said.append(" ".join([name, *(f"{x:.3g}" for x in amounts)]))
        return tuple(said)

    def _chosen(self, seed):
        """The numbers of the operations, and a seed for each, `(steps, 2)`."""
        policies = tf.random.stateless_uniform(
            [self._rounds],
            apart(seed, _POLICY),
            0,
            len(self._numbers),
            tf.int32,
        )
        numbers, chances = (
            tf.reshape(tf.gather(table, policies), [-1])
            for table in (self._numbers, self._chances)
        )
        seeds = [apart(apart(seed, _STEPS), n) for n in range(numbers.shape[0])]
        draws = [
            tf.random.stateless_uniform([], apart(one, _APPLY)) for one in seeds
        ]
        return tf.where(tf.stack(draws) < chances, numbers, 0), tf.stack(seeds)

    def _distorted(self, seed, **state):
        dtype, shape = state["picture"].dtype, state["picture"].shape
        if dtype != tf.uint8:
            whole = tf.round(state["picture"])
            state["picture"] = tf.saturate_cast(whole, tf.uint8)
        numbers, seeds = self._chosen(seed)
        for step in range(numbers.shape[0]):
            state = self._step(numbers[step], seeds[step], state)
        picture = tf.ensure_shape(tf.cast(state["picture"], dtype), shape)
        return {**state, "picture": picture}

    def _one_step(self, number, seed, state):
        branches = [
            functools.partial(self._applied, name, amounts, seed, state)
            for (name, _), amounts in zip(self._operations, self._amounts)
        ]
        return tf.switch_case(number, branches)

    def _applied(self, name, amounts, seed, state):
        """One operation; amounts of distances are those at `SIDE`."""
        library, picture = self._library, state["picture"]
        sides = picture.shape.as_list()[:2]
        if name in _IN_PIXELS:
            amounts = [amount * min(sides) / SIDE for amount in amounts]
        if name in _MOVES:
            return self._moved(name, _sign(seed) * amounts[0], state)
        if name == "Cutout":
            draws = tf.random.stateless_uniform([2], apart(seed, _PLACE))
            y, x = tf.unstack(tf.cast(draws * sides, tf.int32))
            picture = library._fill_rectangle(
                picture, x, y, *[int(amounts[0])] * 2, GREY[0]
            )
        elif name == "Gaussian_Noise":
            picture = _blurred(library, picture, amounts, seed)
        elif name == "TranslateY_Only_BBoxes":
            picture = _translated_in_boxes(library, amounts[0], seed, state)
        elif name != "Nothing":
            picture = library.NAME_TO_FUNC[name](picture, *amounts)
        return {**state, "picture": picture}

    def _moved(self, name, amount, state):
        """What is drawn, and its boxes or mask, moved by one matrix."""
        library, picture = self._library, state["picture"]
        if len(state) == 1:
            moved = library.NAME_TO_FUNC[name](picture, amount, GREY)
            return {"picture": moved}
        matrix = _matrix(name, amount, *picture.shape[:2])
        move = functools.partial(
            library.transform,
            transforms=tf.reshape(matrix, [9])[:8],
            fill_mode="constant",
        )
        moved = {"picture": library.unwrap(move(library.wrap(picture)), GREY)}
        if "mask" in state:
            moved["mask"] = move(state["mask"], fill_value=float(IGNORED))
        if "corners" in state:
            # Private functions there move boxes by whole pixels, and keep a
            # strip at the border of what has left the image.
            ones = tf.ones_like(state["corners"][..., :1])
            corners = tf.concat([state["corners"], ones], axis=-1)
            inverse = tf.linalg.inv(matrix)
            corners = tf.einsum("ij,ncj->nci", inverse, corners)[..., :2]
            centres = tf.reduce_mean(corners, axis=1) + 0.5
            limits = _width_and_height(picture)
            inside = (centres > 0) & (centres < limits)
            moved["corners"] = corners
            moved["kept"] = state["kept"] & tf.reduce_all(inside, axis=1)
        return moved


def distorting(distort):
    """A `Distortion` or None, as an argument `distort`."""
    if distort is not None:
        rule = "a Distortion, such as `rand_augment()`, or None"
        arguments.instance("distort", distort, Distortion, rule)
    return distort


def _of_static_shape(picture):
    picture = tf.convert_to_tensor(picture)
    known = picture.shape.rank is not None
    shape = tuple(picture.shape) if known else None
    good = known and len(shape) == 3 and None not in shape and shape[2] == 3
    rule = "an image of static shape (height, width, 3)"
    arguments.check("picture", shape, good, rule)
    return picture


def _width_and_height(picture):
    return tf.constant(picture.shape.as_list()[1::-1], tf.float32)


def _sign(seed):
    draw = tf.random.stateless_uniform([], apart(seed, _SIGN))
    return tf.where(draw < 0.5, -1.0, 1.0)


def _boxes_around(corners, sides):
    """Of four corners each, as pixels, boxes as fractions, clipped."""
    low = tf.reduce_min(corners, axis=1)[:, ::-1]
    high = tf.reduce_max(corners, axis=1)[:, ::-1]
    boxes = tf.concat([low, high], axis=1) + 0.5
    return tf.clip_by_value(boxes / tf.tile(sides[::-1], [2]), 0.0, 1.0)


def _blurred(library, picture, deviations, seed):
    # It takes numbers of Python, and draws one where it is traced.
    blurs = [
        functools.partial(library.gaussian_filter2d, picture, [3, 3], float(x))
        for x in np.linspace(*deviations, BLURS)
    ]
    number = tf.random.stateless_uniform(
        [], apart(seed, _PLACE), 0, BLURS, tf.int32
    )
    return tf.switch_case(number, blurs)


def _translated_in_boxes(library, pixels, seed, state):
    """What boxes show moves up or down in some of them, and these stay."""
    picture = state["picture"]
    if "corners" not in state:
        return picture
    sides = _width_and_height(picture)
    boxes = tf.boolean_mask(
        _boxes_around(state["corners"], sides), state["kept"]
    )
    draws = tf.random.stateless_uniform(
        tf.shape(boxes)[:1], apart(seed, _BOXES)
    )
    amount = _sign(seed) * pixels

    def moved(picture, box):
        return library._apply_bbox_augmentation(
            picture, box, library.translate_y, amount, GREY
        )

    return tf.foldl(
        moved,
        tf.boolean_mask(boxes, draws < BOX_CHANCE),
        initializer=picture,
        parallel_iterations=1,
    )


def rand_augment(
    layers: int = 2,
    magnitude: float = 10.0,
    exclude: Sequence[str] | None = None,
) -> Distortion:
    """RandAugment (Cubuk et al., 2020): a few operations, drawn alike.

    Args:
        layers: how many operations an image sees, one after the other.
        magnitude: of all operations, from 0 to 10.
        exclude: operations to leave out, of its 16, such as `["Invert"]`.

    Returns:
        A `Distortion`, for `distort` of `training_pictures`,
        `training_scenes` and `training_masks`.

    Raises:
        ImportError: tf-models-official, whose operations these are, is not
            installed.
    """
    arguments.integer("layers", layers)
    arguments.number("magnitude", magnitude, 0, 10)
    exclude = () if exclude is None else arguments.texts("exclude", exclude)
    good = set(exclude) < set(OPERATIONS)
    rule = f"some of {', '.join(OPERATIONS)}, not all"
    arguments.check("exclude", exclude, good, rule)
    policies = [
        [(name, 1.0, float(magnitude))]
        for name in OPERATIONS
        if name not in exclude
    ]
    # One choice in all is to leave the image as it is.
    return Distortion([*policies, []], layers, cutout=40, translate=100)


def auto_augment(policy: str = "v0") -> Distortion:
    """AutoAugment (Cubuk et al., 2019): one of the pairs of a found policy.

    Args:
        policy: one of `augmentation.POLICIES`: "v0" and "reduced_imagenet"
            were found on ImageNet, "detection_v0" on COCO.

    Returns:
        A `Distortion`, as `rand_augment` does.

    Raises:
        ImportError: as there.
    """
    arguments.one_of("policy", policy, POLICIES)
    known = _model_garden().AutoAugment().available_policies
    return Distortion(known[policy], cutout=100, translate=250)


def random_erasing(
    probability: float = 0.25, area: tuple[float, float] = (0.02, 1 / 3)
) -> Callable[[Tensor, Tensor], Tensor]:
    """RandomErasing (Zhong et al., 2020): noise in a box of some images.

    Args:
        probability: of erasing in an image.
        area: least and greatest share of an image's area that is erased.

    Returns:
        A function (image, seed) to an image, for `erase` of
        `training_pictures`, which calls it on normalized images: the noise is
        normal, with deviation 1.

    Raises:
        ImportError: as in `rand_augment`.
    """
    arguments.number("probability", probability, 0, 1)
    arguments.interval("area", area)
    library = _model_garden()

    def erased(picture, seed):
        sides = tf.unstack(tf.shape(picture)[:2])
        box = random_crop_box(*sides, apart(seed, 0), area, ASPECT)
        half = box[2:] // 2
        y, x = tf.unstack(box[:2] + half)
        noise = tf.random.stateless_normal(tf.shape(picture), apart(seed, 1))
        return library._fill_rectangle(
            picture, x, y, half[1], half[0], replace=noise
        )

    def erase(picture, seed):
        chance = tf.random.stateless_uniform([], apart(seed, 2))
        found = tf.cond(
            chance < probability, lambda: erased(picture, seed), lambda: picture
        )
        return tf.ensure_shape(found, picture.shape)

    return erase
