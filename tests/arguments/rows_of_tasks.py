"""Rows of tasks, data sets, training and export."""

import importlib.util

import numpy as np

import keras_pyconv
from keras_pyconv import tasks
from keras_pyconv.tasks import detection, segmentation
from keras_pyconv.tasks.preprocessing import Preprocessing
from tests.arguments import things
from tests.arguments.kinds import (
    COUNT,
    FLAG,
    NOT_NEGATIVE,
    POSITIVE,
    RATE,
    Value,
    array,
    choice,
    is_count,
    is_path,
    is_real,
    is_text,
    is_whole,
    kind,
    or_none,
)
from tests.arguments.rows import PUBLIC, leave_out, row

# Images, boxes, labels --------------------------------------------------------


def _array(*shape, dtype="float32", high=1.0, ranks=None, **more):
    """An array; lists of numbers are taken too where they have the rank."""
    ranks = ranks or (len(shape),)

    def accepts(found):
        if isinstance(found, (list, tuple, bool, int, float, np.generic)):
            return True
        numeric = isinstance(found, np.ndarray) and found.dtype.kind in "fiub"
        return numeric and found.ndim in ranks

    return array(*shape, dtype=dtype, high=high, accepts=accepts, **more)


_MODEL = kind(things.classifier)
_FRACTION = kind(0.05, 0.5, 0, 1, accepts=lambda v: is_real(v) and 0 <= v <= 1)


def _is_gray(found):
    """Whether it is taken for a gray image."""
    numbers = isinstance(found, (list, np.ndarray)) and np.ndim(found) == 2
    return numbers and np.size(found) > 0


_IMAGE = kind(
    things.png_file,
    Value(
        "an image",
        lambda: np.random.default_rng(1).integers(0, 255, (20, 24, 3), "uint8"),
    ),
    wrong=(things.text_file, np.full((4, 4, 3), np.nan), np.zeros((4, 4, 7))),
    accepts=_is_gray,
)
_NEW_FILE = kind(
    things.in_folder("drawn.png"),
    optional=True,
    accepts=lambda v: is_path(v) and str(v) != ".",
    wrong=(things.in_folder("."),),
)
_PREPROCESSING = kind(Value("Preprocessing()", Preprocessing), optional=True)
_PREPROCESSING_OF_16 = kind(
    Value("Preprocessing(16, 16)", lambda: Preprocessing(16, 16)),
    optional=True,
)


def _is_a_name(found):
    """Of what takes any number of names, in a list or an array."""
    listed = isinstance(found, list) or getattr(found, "ndim", 0) == 1
    return listed and list(found) == ["x"]


_CLASS_NAMES = kind(
    ("a", "b", "c"),
    ["a", "b", "c"],
    optional=True,
    wrong=("abc", ["a", "b"], ("a", "b", 3), ["a", "b", "c", "d"]),
)

row(
    "tasks.decode_predictions",
    predictions=_array(2, 3, wrong=(np.zeros((2, 5)),)),
    top=kind(1, 3, accepts=is_count),
    class_names=kind(
        ("a", "b", "c"), ["a", "b", "c"], wrong=("abc", ["a", "b"])
    ),
    needs=("class_names",),
)
row(
    "tasks.preprocess_input",
    x=_array(2, 8, 8, 3, ranks=(3, 4, 5), wrong=(np.zeros((2, 8, 8, 4)),)),
    data_format=choice("channels_last", optional=True),
    weights=choice("imagenet", "imagenet_cutmix"),
)
row("tasks.preprocessing_of", weights=choice("imagenet", "ade20k"))
row(
    "tasks.Crossentropy",
    label_smoothing=RATE,
    name=kind("mine", optional=True, accepts=is_text),
)
row(
    "tasks.TopKError",
    k=kind(1, 5, accepts=is_count),
    name=kind("mine", optional=True, accepts=is_text),
)
_IGNORED = kind(255, 0, -1, accepts=is_whole)
_AXIS = kind(-1, accepts=lambda v: is_whole(v) and -9 <= v <= 9)
_METRIC_NAME = kind("mine", optional=True, accepts=is_text)
row(
    "tasks.ConfusionMatrix",
    classes=kind(2, 5, accepts=lambda v: is_whole(v) and 1 <= v <= 2**15),
    ignored=_IGNORED,
    axis=_AXIS,
    name=_METRIC_NAME,
)
row(
    "tasks.SegmentationLoss",
    ignored=_IGNORED,
    auxiliary_weight=NOT_NEGATIVE,
    axis=_AXIS,
    name=_METRIC_NAME,
)
row(
    "tasks.segmentation.PixelLoss",
    ignored=_IGNORED,
    axis=_AXIS,
    name=_METRIC_NAME,
)
row("tasks.detection.ClassLoss", name=_METRIC_NAME)
row("tasks.detection.OffsetLoss", name=_METRIC_NAME)
row(
    "tasks.effective_receptive_field",
    model=_MODEL,
    stage=kind("stem", "stage1"),
    images=_array(1, 16, 16, 3, wrong=(np.zeros((1, 4, 4, 2)),)),
)
row(
    "tasks.theoretical_receptive_field",
    model=_MODEL,
    stage=kind("stem", "stage1"),
)
row(
    "tasks.share_outside",
    field=_array(5, 7),
    window=kind(1, 3, accepts=lambda v: is_count(v) and v % 2 == 1),
)
_PIXELS = _array(16, 16, 3, wrong=(np.zeros((4, 4, 2)),))
_LAYER = kind("conv2_block1_2_pyconv", optional=True)
row("tasks.level_responses", model=_MODEL, image=_PIXELS, layer=_LAYER)
row(
    "show_pyramid",
    model=_MODEL,
    image=_PIXELS,
    path=_NEW_FILE,
    beside=kind(optional=True),
    layer=_LAYER,
    stage=kind("stem", optional=True),
    images=or_none(_array(1, 16, 16, 3)),
)

row(
    "classify",
    model=kind(things.classifier, wrong=(things.dense_model, things.segmenter)),
    image=_IMAGE,
    class_names=_CLASS_NAMES,
    preprocessing=_PREPROCESSING_OF_16,
    top=kind(1, 3, optional=True, accepts=is_count),
    threshold=or_none(_FRACTION),
    options={"called": {"image": ("",)}},
)
row(
    "describe",
    model=kind(things.classifier, wrong=(things.dense_model,)),
    class_names=_CLASS_NAMES,
    preprocessing=_PREPROCESSING_OF_16,
)
row(
    "tasks.Classification",
    labels=_array(2, dtype="int64", high=3),
    scores=_array(2),
    class_names=kind(("a", "b", "c"), optional=True, wrong=("abc",)),
    image=_array(4, 4, 3, dtype="uint8", high=255),
)


def _classification():
    labels, scores = np.array([1, 0]), np.array([0.7, 0.3])
    image = np.zeros((4, 4, 3), "uint8")
    return tasks.Classification(labels, scores, ("a", "b", "c"), image)


def _result(name, owner, classes):
    """The rows of what every result can."""
    written = kind(
        things.in_folder("saved.png"),
        accepts=lambda v: str(v).endswith(".png"),
        wrong=(things.in_folder("."), things.in_folder("x.unknown")),
    )
    label = kind(0, 1, accepts=lambda v: is_whole(v) and 0 <= v < classes)
    row(f"{name}.draw", path=or_none(written), options={"owner": owner})
    row(f"{name}.save", path=written, options={"owner": owner})
    row(f"{name}.name", label=label, options={"owner": owner})
    leave_out("without arguments", f"{name}.to_dict")


_result("tasks.Classification", _classification, 3)
row(
    "explain",
    model=kind(things.classifier, wrong=(things.dense_model, things.segmenter)),
    image=_IMAGE,
    layer=_LAYER,
    label=kind(
        0, 2, optional=True, accepts=lambda v: is_whole(v) and 0 <= v <= 2
    ),
    class_names=_CLASS_NAMES,
    preprocessing=_PREPROCESSING_OF_16,
    options={"called": {"image": ("",)}},
)
row(
    "tasks.Explanation",
    labels=_array(1, dtype="int64", high=3),
    scores=_array(1),
    class_names=kind(("a", "b", "c"), optional=True, wrong=("abc",)),
    layer=kind("conv2", accepts=is_text),
    levels=kind(("3x3", "5x5"), wrong=("3x3", ("3x3",))),
    maps=_array(2, 4, 4),
    image=_array(8, 8, 3, dtype="uint8", high=255),
)


def _explanation():
    shown = np.zeros((4, 4, 3), "uint8")
    known = np.array([1]), np.array([0.7]), ("a", "b", "c")
    maps = np.ones((2, 4, 4), "float32")
    return tasks.Explanation(*known, "conv2", ("3x3", "5x5"), maps, shown)


_result("tasks.Explanation", _explanation, 3)

# Detection --------------------------------------------------------------------

_DECODING = {
    "score_threshold": _FRACTION,
    "iou_threshold": _FRACTION,
    "max_detections": kind(1, 20, accepts=is_count),
}


@things.made
def sized_detector():
    return keras_pyconv.build_detector(
        things.DETECTOR, classes=3, input_shape=(64, 64, 3)
    )


_DETECTOR = kind(sized_detector, wrong=(things.dense_model, things.classifier))
row(
    "detect",
    model=_DETECTOR,
    image=_IMAGE,
    class_names=kind(
        ("a", "b"), optional=True, wrong=("ab", ["a"], ("a", 3), ("a", ""))
    ),
    preprocessing=_PREPROCESSING,
    more={**_DECODING, "nonsense": kind(wrong=(1,))},
    options={"called": {"image": ("",), "nonsense": ("",)}, "works": False},
)
row("tasks.detection_model", model=_DETECTOR, more=_DECODING)
row("tasks.DecodeDetections.for_model", model=_DETECTOR, more=_DECODING)
_SETTINGS = detection.default_boxes
row(
    "tasks.default_boxes",
    source=kind(sized_detector, "SSDResNetMini", wrong=(things.dense_model,)),
    image_shape=kind(
        (64, 64),
        optional=True,
        accepts=lambda v: isinstance(v, (tuple, list))
        and len(v) == 2
        and all(map(is_count, v)),
    ),
    options={"called": {"source": ("source", "model")}},
)


def _box_settings():
    from keras_pyconv.tasks.detection.default_boxes import box_settings

    return box_settings(sized_detector.make())


row(
    "tasks.DecodeDetections",
    box_maps=kind(Value("box maps", lambda: _box_settings()["box_maps"])),
    cells=kind(Value("cells", lambda: _box_settings()["cells"])),
    image_shape=kind((64, 64), accepts=lambda v: isinstance(v, set)),
    input_size=kind(64, accepts=is_count),
    **_DECODING,
    options={"works": True},
)
leave_out("without arguments", "tasks.detection_losses")


def _found():
    return tasks.Detections(
        np.array([[1, 2, 8, 9]], "float32"),
        np.array([1]),
        np.array([0.5], "float32"),
        ("a", "b"),
        np.zeros((9, 9, 3), "uint8"),
    )


row(
    "tasks.draw_detections",
    image=_IMAGE,
    detections=kind(Value("detections", _found)),
    path=_NEW_FILE,
    options={"called": {"image": ("",)}},
)
row(
    "tasks.Detections",
    boxes=_array(1, 4),
    labels=_array(1, dtype="int32"),
    scores=_array(1),
    class_names=kind(
        ("a", "b"),
        optional=True,
        wrong=("ab",),
        accepts=_is_a_name,
    ),
    image=or_none(_array(9, 9, 3, dtype="uint8", high=255)),
)
_result("tasks.Detections", _found, 2)


def _is_categories(found):
    listed = isinstance(found, (list, tuple, range, np.ndarray))
    return listed or hasattr(found, "__next__")


_BOXES = _array(3, 4, wrong=(np.zeros((3, 5)),))
row("tasks.detection.overlaps", default_boxes=_BOXES, boxes=_BOXES)
row("tasks.detection.encode", default_boxes=_BOXES, boxes=_BOXES)
row("tasks.detection.decode", default_boxes=_BOXES, offsets=_BOXES)
row(
    "tasks.detection.encode_targets",
    default_boxes=_BOXES,
    boxes=_BOXES,
    labels=_array(3, dtype="int32"),
)
row(
    "tasks.detection.match",
    overlaps=_array(4, 2),
    valid=kind(
        Value("valid", lambda: np.array([True, False])),
        accepts=lambda v: hasattr(v, "dtype")
        and v.dtype == bool
        and v.ndim == 1
        or isinstance(v, (list, tuple)),
    ),
)
row(
    "tasks.detection.stretch",
    picture=_array(6, 8, 3, high=255.0),
    height=COUNT,
    width=COUNT,
    preprocessing=_PREPROCESSING,
)
row(
    "tasks.detection.to_pixels",
    boxes=_BOXES,
    height=COUNT,
    width=COUNT,
)
_ID = kind(
    3,
    "a",
    7.0,
    accepts=lambda v: is_whole(v)
    and -(2**63) <= v < 2**63
    or isinstance(v, str)
    or isinstance(v, float)
    and v.is_integer()
    and abs(v) < 2**63,
)
_SCENE = {
    "image_id": _ID,
    "boxes": _array(1, 4, wrong=(np.full((1, 4), np.nan),)),
    "labels": _array(1, dtype="int32", wrong=([7], [-1], [0.5])),
}


def _truth():
    truth = detection.GroundTruth([1, 2])
    truth.add(1, (20, 30), [[1, 2, 8, 9]], [0])
    return truth


def _results():
    results = detection.DetectionResults()
    results.add(1, [[1, 2, 8, 9]], [0], [0.5])
    return results


def _boxes_of():
    return kind(
        Value("a box", lambda: [[1.0, 2.0, 8.0, 9.0]]),
        accepts=lambda v: isinstance(v, (list, tuple, np.ndarray))
        and np.size(v) == 0,
        wrong=([[8, 9, 1, 2]], [[0, 0, np.nan, 1]]),
    )


def _one_each(*values, wrong=()):
    """One number for the one box."""
    return kind(*values, wrong=wrong)


row(
    "tasks.detection.DetectionResults.add",
    image_id=_ID,
    boxes=_boxes_of(),
    labels=_one_each([0], [1], wrong=([[1]], [0, 1], ["a"], [0.5], [-1])),
    scores=kind(
        [0.5],
        accepts=lambda v: isinstance(v, list) and v in ([1], [1e308]),
        wrong=([np.nan], [[0.5]], ["a"]),
    ),
    options={"owner": detection.DetectionResults},
)
row(
    "tasks.detection.DetectionResults.rows",
    truth=kind(Value("a truth", _truth)),
    options={"owner": _results},
)
row(
    "tasks.detection.GroundTruth",
    categories=kind(
        [1, 2],
        ("a", "b"),
        optional=True,
        accepts=_is_categories,
        wrong=([1, 1], [None]),
    ),
)
row(
    "tasks.detection.GroundTruth.add",
    image_id=_ID,
    shape=kind(
        (20, 30),
        accepts=lambda v: isinstance(v, (tuple, list))
        and len(v) == 2
        and all(map(is_count, v)),
    ),
    boxes=_boxes_of(),
    labels=kind(
        [0],
        accepts=lambda v: isinstance(v, list) and v == [1],
        wrong=([[1]], [0, 1], ["a"], [7], [0.5]),
    ),
    # As in COCO's files, where they are 0 or 1.
    crowds=kind(
        [True],
        optional=True,
        accepts=lambda v: isinstance(v, list) and v == [1],
        wrong=([[1]], ["a"]),
    ),
    areas=kind(
        [12.5],
        optional=True,
        accepts=lambda v: isinstance(v, list) and v == [1],
        wrong=([np.nan], [[1]], [-1.0]),
    ),
    options={"owner": lambda: detection.GroundTruth([1, 2])},
)
row(
    "tasks.detection.GroundTruth.category",
    label=kind(0, 1, accepts=lambda v: is_whole(v) and 0 <= v < 2),
    options={"owner": _truth},
)
leave_out("without arguments", "tasks.detection.GroundTruth.coco")
leave_out(
    "called by `coco_numbers`, with what it checked",
    "tasks.detection.GroundTruth.numbered",
    "tasks.detection.GroundTruth.numbers_of",
    "tasks.detection.GroundTruth.of_annotations",
)


@things.made
def coco_file():
    import json

    path = things.folder() / "coco.json"
    content = {
        "images": [{"id": 1, "file_name": "a", "height": 9, "width": 9}],
        "annotations": [],
        "categories": [{"id": 1, "name": "a"}],
    }
    path.write_text(json.dumps(content))
    return path


row(
    "tasks.detection.GroundTruth.of_file",
    annotations=kind(coco_file),
    categories=kind([1], accepts=_is_categories),
)
_TRUTH = kind(Value("a truth", _truth))
_RESULTS = kind(Value("results", _results))
row(
    "tasks.coco_numbers",
    truth=_TRUTH,
    results=_RESULTS,
    image_ids=kind(
        [1],
        optional=True,
        accepts=lambda v: isinstance(v, list) and v == [1],
        wrong=([7], []),
    ),
)
row(
    "tasks.detection.ap_by_area",
    truth=_TRUTH,
    results=_RESULTS,
    edges=kind(
        [100.0],
        (10, 50),
        accepts=lambda v: (
            isinstance(v, (list, tuple, np.ndarray, range))
            and all(map(is_real, v))
            and all(n > 0 for n in v)
            if np.ndim(v) == 1 and not isinstance(v, set)
            else False
        ),
        wrong=([5, 3], ["a"]),
    ),
)
row(
    "tasks.detection.collect_detections",
    model=_DETECTOR,
    batches=kind(
        Value(
            "batches",
            lambda: [
                (
                    np.zeros((1, 64, 64, 3), "float32"),
                    np.array([1]),
                    np.array([[64, 64]]),
                )
            ],
        ),
        accepts=lambda v: hasattr(v, "__iter__")
        and not isinstance(v, (str, bytes)),
    ),
    more=_DECODING,
    options={"works": False},
)

# Segmentation -----------------------------------------------------------------

_PROTOCOL = kind(
    Value("a protocol", lambda: segmentation.Protocol(window=32, base_size=32))
)
_SEGMENTER = kind(
    things.segmenter, wrong=(things.dense_model, things.classifier)
)
_COLORS = kind(Value("colors", lambda: segmentation.palette(3)), optional=True)
row(
    "segment",
    model=_SEGMENTER,
    image=_IMAGE,
    protocol=or_none(_PROTOCOL),
    class_names=_CLASS_NAMES,
    colors=_COLORS,
    exif=FLAG,
    needs=("protocol",),
    options={"called": {"image": ("",)}, "works": False},
)
_FLOATS = kind(
    (0.5, 0.5, 0.5),
    accepts=lambda v: isinstance(v, (tuple, list))
    and len(v) in (1, 3)
    and all(is_real(n) for n in v),
)
_DEVIATION = kind(
    (0.5, 0.5, 0.5),
    accepts=lambda v: isinstance(v, tuple)
    and len(v) == 3
    and all(is_real(n) and n > 0 for n in v),
)
row(
    "tasks.segmentation.Protocol",
    scales=kind(
        (1.0,),
        (0.5, 1.0),
        accepts=lambda v: isinstance(v, tuple)
        and len(v) > 0
        and all(is_real(n) and n > 0 for n in v),
    ),
    window=COUNT,
    base_size=or_none(COUNT),
    flip=FLAG,
    batch=COUNT,
    mean=_FLOATS,
    deviation=_DEVIATION,
)
row(
    "tasks.segmentation.SlidingWindows",
    model=_SEGMENTER,
    protocol=_PROTOCOL,
    needs=("protocol",),
)


def _windows():
    return segmentation.SlidingWindows(
        things.segmenter.make(), _PROTOCOL.values[0].make()
    )


_windows = Value("windows", _windows)
_ONE_IMAGE = _array(
    20, 24, 3, high=255.0, wrong=(np.zeros((0, 4, 3)), np.zeros((4, 4, 7)))
)
for _name in ("strips", "probabilities", "labels"):
    _watched = {"on_strip": kind(optional=True, accepts=callable)}
    row(
        f"tasks.segmentation.SlidingWindows.{_name}",
        image=_ONE_IMAGE,
        **(_watched if _name == "labels" else {}),
        options={
            "owner": things.made(_windows.make).make,
            "works": _name == "strips",
            "call": lambda f, a: [*map(str, [f(**a)])],
        },
    )
_LABELS = _array(6, 8, dtype="int32", high=3)
row(
    "tasks.segmentation.color_labels",
    labels=_LABELS,
    colors=_COLORS,
    ignored=_IGNORED,
)
row(
    "tasks.segmentation.overlay",
    image=_array(6, 8, 3, dtype="uint8", high=255),
    labels=_LABELS,
    colors=_COLORS,
    opacity=_FRACTION,
    ignored=_IGNORED,
)
row("tasks.segmentation.palette", classes=COUNT)
row(
    "tasks.Segmentation",
    image=_array(6, 8, 3, dtype="uint8", high=255),
    labels=_LABELS,
    colors=_COLORS,
    class_names=kind(("a", "b", "c"), wrong=("abc", ["a"])),
)


def _segmentation():
    labels = np.zeros((6, 8), int)
    image = np.zeros((6, 8, 3), "uint8")
    return segmentation.Segmentation(image, labels, None, ("a", "b"))


_result("tasks.Segmentation", _segmentation, 2)
_MATRIX = _array(3, 3, dtype="int64", high=9, wrong=(np.zeros((2, 3)),))
row("tasks.segmentation.class_iou", matrix=_MATRIX)
row(
    "tasks.segmentation.mean_iou",
    matrix=_MATRIX,
    absent=choice("skip", "zero"),
)
row("tasks.segmentation.pixel_accuracy", matrix=_MATRIX)
row(
    "tasks.segmentation.confusion_counts",
    truth=_LABELS,
    answers=_LABELS,
    classes=kind(3, 5, accepts=lambda v: is_whole(v) and 1 <= v <= 2**15),
    ignored=_IGNORED,
    axis=_AXIS,
)
row(
    "tasks.segmentation.Evaluation",
    matrix=_MATRIX,
    class_names=kind(("a", "b", "c"), wrong=("abc", ["a"])),
    pictures=kind(0, 5, accepts=lambda v: is_whole(v) and v >= 0),
)
leave_out("without arguments", "tasks.segmentation.Evaluation.rows")
row(
    "tasks.segmentation.write_submission",
    folder=kind(things.in_folder("submission"), accepts=is_path),
    name=kind("a.jpg", 7, accepts=lambda v: is_text(v) or is_whole(v)),
    labels=_array(
        6,
        8,
        dtype="int32",
        high=3,
        wrong=(np.full((2, 2), 300), np.full((2, 2), -1), np.full((2, 2), 0.5)),
    ),
)
row(
    "tasks.evaluate_segmentation",
    model=_SEGMENTER,
    examples=kind(
        Value(
            "examples",
            lambda: [
                {
                    "image": np.zeros((8, 9, 3), "uint8"),
                    "labels": np.zeros((8, 9), "uint8"),
                }
            ],
        ),
        accepts=lambda v: hasattr(v, "__iter__")
        and not isinstance(v, (str, bytes)),
    ),
    protocol=_PROTOCOL,
    class_names=_CLASS_NAMES,
    total=or_none(COUNT),
    submission=kind(
        things.in_folder("submission"), optional=True, accepts=is_path
    ),
    on_picture=kind(optional=True, accepts=callable),
    on_scores=kind(optional=True, accepts=callable),
    verbose=choice(0),
    needs=("protocol", "verbose"),
    options={"works": False},
)

# Videos -----------------------------------------------------------------------

_SIDES = kind(
    (8, 10),
    accepts=lambda v: isinstance(v, tuple)
    and len(v) == 2
    and all(map(is_count, v)),
)
row(
    "tasks.Clips",
    frames=COUNT,
    stride=COUNT,
    size=kind(1, 4, accepts=lambda v: is_count(v)),
    short_sides=_SIDES,
    resize=COUNT,
    flip=FLAG,
    mean=_FLOATS,
    deviation=_DEVIATION,
    needs=("size", "short_sides"),
)


def _clips():
    return tasks.Clips(
        frames=4, stride=1, size=16, short_sides=(16, 16), resize=16
    )


_CLIPS = kind(Value("clips", _clips), accepts=lambda v: False)
_VIDEO_MODEL = kind(
    things.video_classifier, wrong=(things.dense_model, things.classifier)
)


@things.made
def video_file():
    from tests.tasks.video import films

    path = things.folder() / "video.mp4"
    films.film(path)
    return path


row(
    "recognize",
    model=_VIDEO_MODEL,
    path=kind(video_file, wrong=(things.text_file,)),
    class_names=_CLASS_NAMES,
    clips=or_none(_CLIPS),
    top=kind(1, 3, accepts=is_count),
    most_clips=kind(1, 2, accepts=lambda v: is_count(v) and v <= 1000),
    crops=kind(1, 3, accepts=lambda v: is_count(v) and v <= 1000),
    batch_size=kind(1, 2, accepts=lambda v: is_count(v) and v <= 2**16),
    decoders=kind(optional=True),
    needs=("clips", "crops", "most_clips"),
    # The file itself is named.
    options={"called": {"path": ("",)}, "works": False},
)
row(
    "tasks.Decoders",
    processes=kind(
        1, 2, optional=True, accepts=lambda v: is_whole(v) and 1 <= v <= 1024
    ),
    timeout=POSITIVE,
)
row(
    "tasks.Decoders.__call__",
    task=choice("view_clips"),
    path=kind(video_file, accepts=is_path),
    options={"owner": lambda: tasks.Decoders(1), "works": False},
)
leave_out("without arguments", "tasks.Decoders.close")
row(
    "tasks.Recognition",
    labels=_array(2, dtype="int64", high=3),
    scores=_array(2),
    class_names=kind(
        ("a", "b", "c"),
        optional=True,
        wrong=("abc",),
        accepts=_is_a_name,
    ),
    frames=_array(2, 4, 4, 3, dtype="uint8", high=255),
    views=COUNT,
    notes=kind((), ("a note",)),
    file=kind("", "a.mp4"),
)


def _recognition():
    return tasks.Recognition(
        np.array([1, 0]),
        np.array([0.7, 0.3]),
        ("a", "b", "c"),
        np.zeros((2, 4, 4, 3), "uint8"),
        1,
    )


_result("tasks.Recognition", _recognition, 3)
row(
    "tasks.draw_recognition",
    found=kind(Value("a recognition", _recognition)),
    path=_NEW_FILE,
)
_BATCH = kind(1, 2, accepts=lambda v: is_count(v) and v <= 2**16)
row("tasks.ViewScores", model=_VIDEO_MODEL, clips=_CLIPS, batch_size=_BATCH)


@things.made
def view_scores():
    return tasks.ViewScores(things.video_classifier.make(), _clips(), 1)


row(
    "tasks.ViewScores.__call__",
    views=array(
        1,
        4,
        16,
        16,
        3,
        dtype="uint8",
        high=255,
        wrong=(np.zeros((1, 4, 9, 9, 3)), np.zeros((0, 4, 16, 16, 3))),
    ),
    options={"owner": view_scores.make},
)
row(
    "tasks.video_errors",
    model=_VIDEO_MODEL,
    views=kind(
        Value(
            "views",
            lambda: [("a", np.zeros((1, 4, 16, 16, 3), "uint8"), 1)],
        ),
        accepts=lambda v: hasattr(v, "__iter__")
        and not isinstance(v, (str, bytes)),
    ),
    clips=_CLIPS,
    count=or_none(COUNT),
    batch_size=_BATCH,
    on_video=kind(optional=True, accepts=callable),
)

# Reports ----------------------------------------------------------------------

_TITLE = kind("pets", accepts=is_text)
_IMAGES = kind(optional=True, accepts=callable)


def _texts(count):
    return lambda v: (
        isinstance(v, (list, tuple))
        and len(v) == count
        and all(map(is_text, v))
    )


_SCORES_OF_TWO = Value(
    "scores", lambda: np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
)
row(
    "reports.multi_label_report",
    labels=kind(
        np.array([[0, 1], [1, 1], [0, 0]]),
        [[0, 1], [1, 0], [0, 0]],
        accepts=lambda v: isinstance(v, (list, tuple, np.ndarray))
        and np.shape(v) == (3, 2)
        and all(x in (0, 1) for row in v for x in row),
        wrong=([0, 1, 1], [[0, 1], [1, 2], [0, 0]]),
    ),
    scores=kind(
        _SCORES_OF_TWO,
        wrong=(np.array([[1.5, 0]] * 3), np.full((3, 2), np.nan)),
    ),
    class_names=kind(["a", "b"], optional=True, accepts=_texts(2)),
    threshold=_FRACTION,
    names=kind(["x", "y", "z"], optional=True, accepts=_texts(3)),
    images=kind(optional=True, accepts=callable),
    title=kind("Several", accepts=is_text),
)
row(
    "reports.classification_report",
    labels=kind(
        np.array([0, 1, 1]),
        [0, 1, 0],
        accepts=lambda v: isinstance(v, (list, tuple, np.ndarray))
        and np.shape(v) == (3,)
        and all(is_whole(x) and 0 <= x < 2 for x in v),
        wrong=([0, 1], [0, 1, 2], [0, 1, -1], [0.0, 1.0, 1.0]),
    ),
    scores=kind(
        _SCORES_OF_TWO,
        wrong=(np.array([[1.5, 0]] * 3), np.full((3, 2), np.nan)),
    ),
    class_names=kind(["a", "b"], optional=True, accepts=_texts(2)),
    names=kind(["x", "y", "z"], optional=True, accepts=_texts(3)),
    sizes=kind(
        [8, 9.5, 20],
        optional=True,
        accepts=lambda v: isinstance(v, (list, tuple, np.ndarray, range))
        and np.shape(v) == (3,)
        and all(map(is_real, v)),
        wrong=([1, 2], [1, 2, np.inf]),
    ),
    images=_IMAGES,
    title=_TITLE,
)
row(
    "reports.detection_report",
    truth=_TRUTH,
    results=_RESULTS,
    class_names=kind(optional=True),
    score=kind(0.5, 0, 1, accepts=lambda v: is_real(v) and 0 <= v <= 1),
    images=_IMAGES,
    title=_TITLE,
)
row(
    "reports.Regions",
    class_names=kind(
        ["a", "b"],
        accepts=lambda v: isinstance(v, (list, tuple, np.ndarray))
        and np.ndim(v) == 1
        and len(v) > 0
        and all(map(is_text, v)),
    ),
)
leave_out(
    "called by `evaluate_segmentation`, with what it checked",
    "reports.Regions.add",
    "reports.Regions.add_scores",
)
leave_out("made by the reports of the tasks", "reports.Report")
row(
    "reports.Report.write",
    folder=kind(
        things.in_folder("report"),
        accepts=is_path,
        wrong=(things.png_file,),
    ),
    options={"owner": lambda: _regions().report(), "works": False},
)
row(
    "reports.Regions.report",
    title=_TITLE,
    options={"owner": lambda: _regions(), "works": False},
)


def _regions():
    regions = keras_pyconv.reports.Regions(["a", "b"])
    image = np.zeros((2, 2, 3), "uint8")
    labels = np.eye(2, dtype=int)
    regions.add({"image": image, "labels": labels}, 1 - labels)
    return regions


# Training ---------------------------------------------------------------------

from keras_pyconv import training  # noqa: E402

_EPOCHS = kind(
    (1, 2),
    [3],
    (),
    accepts=lambda v: isinstance(v, (list, tuple, range, np.ndarray))
    and np.ndim(v) == 1
    and all(is_real(n) and n >= 0 for n in v)
    and list(v) == sorted(set(v)),
    wrong=([2, 1], [-1], ["a"]),
)
_STEPS = kind(10, 100, accepts=lambda v: is_whole(v) and v >= 1)
_NO_STEPS = kind(0, 2, accepts=lambda v: is_whole(v) and v >= 0)
_LEARNING_RATE = kind(0.1, 1, 0.0, accepts=lambda v: is_real(v) and v >= 0)
row(
    "training.StepDecay",
    rate=_LEARNING_RATE,
    boundaries=_EPOCHS,
    factor=POSITIVE,
    warmup_steps=_NO_STEPS,
)
row(
    "training.StepDecay.__call__",
    step=kind(
        0,
        5,
        accepts=lambda v: is_real(v)
        or hasattr(v, "dtype")
        or isinstance(v, bool),
    ),
    options={"owner": lambda: training.StepDecay(0.1, [5])},
)
row(
    "training.step_decay",
    rate=_LEARNING_RATE,
    boundaries=_EPOCHS,
    steps_per_epoch=_STEPS,
    factor=POSITIVE,
    warmup_epochs=NOT_NEGATIVE,
)
row("training.poly_decay", rate=_LEARNING_RATE, steps=_STEPS, power=POSITIVE)
row(
    "training.cosine_decay",
    rate=_LEARNING_RATE,
    steps=_STEPS,
    warmup_steps=kind(0, 2, accepts=lambda v: is_whole(v) and 0 <= v < 10),
)
row(
    "training.SGD",
    learning_rate=kind(
        0.1, accepts=lambda v: is_real(v) and v >= 0 or callable(v)
    ),
    momentum=_FRACTION,
    nesterov=FLAG,
    l2=NOT_NEGATIVE,
    l2_excludes=kind("gamma|beta", optional=True, accepts=is_text),
    name=kind("mine", optional=True, accepts=is_text),
)
row(
    "training.WeightAverage",
    decay=kind(0.5, 0.99, accepts=lambda v: is_real(v) and 0 < v < 1),
)
row(
    "training.Evaluation",
    function=kind(
        Value("a function", lambda: lambda model: {}), accepts=callable
    ),
    every=COUNT,
)


def _evaluation():
    found = training.Evaluation(lambda model: {}, 2)
    found.params = {"epochs": 3}
    return found


row(
    "training.Evaluation.is_due",
    epoch=_NO_STEPS,
    options={"owner": _evaluation},
)


@things.made
def compiled():
    import keras

    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    return model


row(
    "training.accumulate_gradients",
    model=kind(compiled, wrong=(things.dense_model,)),
    parts=kind(1, accepts=is_count),
)
row(
    "training.make_strategy",
    name=choice("auto", "one"),
    num_devices=kind(
        1, optional=True, accepts=lambda v: is_whole(v) and 1 <= v <= 1024
    ),
)


def _strategy():
    import tensorflow as tf

    return tf.distribute.get_strategy()


_STRATEGY = kind(Value("a strategy", _strategy))
row("training.shard", strategy=_STRATEGY)
row(
    "training.provenance",
    packages=kind(
        ("keras",),
        accepts=lambda v: isinstance(v, (list, tuple, np.ndarray))
        and np.size(v)
        and all(isinstance(n, str) and n.strip() for n in np.ravel(v)),
        wrong=("keras",),
    ),
)


def _batches(batch_size, shard):
    import tensorflow as tf

    inputs = np.zeros((4, 5), "float32"), np.zeros((4, 2), "float32")
    return tf.data.Dataset.from_tensor_slices(inputs).batch(batch_size)


row(
    "training.validation_data",
    batches=kind(Value("batches", lambda: _batches), accepts=callable),
    batch_size=_BATCH,
    strategy=_STRATEGY,
)


def _from_step(step):
    return _batches(2, None).repeat()


row(
    "training.Run",
    folder=kind(
        things.in_folder("run"),
        accepts=lambda v: is_path(v),
        wrong=(things.text_file,),
    ),
    model=kind(compiled, wrong=(things.dense_model,)),
    batches=kind(Value("batches", lambda: _from_step), accepts=callable),
    epochs=kind(1, 2, accepts=lambda v: is_whole(v) and v > 0),
    steps_per_epoch=kind(2, accepts=lambda v: is_whole(v) and v > 0),
    constants=kind(
        {"rate": 0.1}, optional=True, accepts=lambda v: isinstance(v, dict)
    ),
    seed=kind(1, accepts=lambda v: is_whole(v) and 0 <= v < 2**32),
    save_every_steps=or_none(_STEPS),
    stop_after_steps=or_none(_STEPS),
    keep=COUNT,
    needs=("steps_per_epoch",),
)


def _run():
    return training.Run(
        things.folder() / "run",
        compiled.make(),
        _from_step,
        epochs=1,
        steps_per_epoch=2,
    )


row(
    "training.Run.callbacks",
    callbacks=kind(
        (),
        [],
        wrong=([len],),
        accepts=lambda v: isinstance(v, (list, tuple, range, np.ndarray))
        and np.shape(v) == (0,),
    ),
    verbose=choice("auto", 0, 1, 2),
    options={"owner": _run},
)
leave_out(
    "called by its own callbacks within `fit`",
    *(
        name
        for name in PUBLIC
        if name.startswith("training.Run.") and name != "training.Run.callbacks"
    ),
)
leave_out("without arguments", "tasks.detection.DetectionResults")

# Data sets --------------------------------------------------------------------

from keras_pyconv import datasets  # noqa: E402
from tests.arguments.kinds import Kind  # noqa: E402

_ANY = Kind((Value("left out", lambda: None),), lambda found: True)


@things.made
def class_folder():
    from PIL import Image

    root = things.folder() / "classes"
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
        for number in range(2):
            pixels = np.full((9, 9, 3), 50 * number, "uint8")
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


@things.made
def pictures():
    return datasets.split_class_folder(class_folder.make())[0]


_PICTURES = kind(pictures)
row("datasets.joined", first=kind(pictures))
_SHARD = kind((0, 1), [0, 1], accepts=lambda v: False, wrong=((1, 1), (0, 0)))
_SEED = kind(1, 0, accepts=lambda v: is_whole(v) and 0 <= v < 2**63)
_BUFFER = kind(2, accepts=lambda v: is_whole(v) and 0 < v < 2**63)
_MULTI_LABEL = or_none(FLAG)
_PREPARED = kind(
    Value("Preprocessing(8, 8)", lambda: Preprocessing(8, 8)),
)
row(
    "datasets.split_class_folder",
    root=kind(
        class_folder,
        wrong=(things.png_file,),
        accepts=lambda v: is_path(v) and str(v) == ".",
    ),
    share=kind(0.2, 0.5, accepts=lambda v: is_real(v) and 0 < v < 1),
    multi_label=_MULTI_LABEL,
)
row(
    "datasets.cutmix",
    alpha=POSITIVE,
    probability=_FRACTION,
)
row(
    "datasets.mixup",
    alpha=POSITIVE,
    probability=_FRACTION,
)
row(
    "datasets.either",
    first=kind(Value("cutmix()", datasets.cutmix), accepts=callable),
    second=kind(Value("cutmix()", datasets.cutmix), accepts=callable),
)
# It stands in an environment of its own.
_WITH_OFFICIAL = {"works": importlib.util.find_spec("official") is not None}
row(
    "datasets.rand_augment",
    layers=COUNT,
    magnitude=kind(
        5, 10.0, accepts=lambda v: is_real(v) and 0 <= v <= 10, wrong=(11,)
    ),
    exclude=kind(
        ["Invert"], ("Rotate", "Cutout"), wrong=(["Blur"],), optional=True
    ),
    options=_WITH_OFFICIAL,
)
row(
    "datasets.auto_augment",
    policy=choice("v0", "simple"),
    options=_WITH_OFFICIAL,
)
row(
    "datasets.random_erasing",
    probability=_FRACTION,
    area=kind((0.1, 0.2), wrong=((0.2, 0.1), (0, 1), (0.5, 2))),
    options=_WITH_OFFICIAL,
)
leave_out(
    "made by `rand_augment` and `auto_augment`, on tensors of a graph",
    "datasets.Distortion",
    "datasets.Distortion.__call__",
    "datasets.Distortion.describe",
    "datasets.Distortion.with_boxes",
    "datasets.Distortion.with_mask",
)
row(
    "datasets.size_class",
    size=kind(
        3,
        10.5,
        accepts=lambda v: is_real(v)
        or isinstance(v, (bool, np.generic, float))
        or isinstance(v, (list, tuple, np.ndarray)),
    ),
    image_size=COUNT,
)
row(
    "datasets.training_pictures",
    pictures=_PICTURES,
    preprocessing=_PREPARED,
    batch_size=kind(1, 2, accepts=lambda v: is_whole(v) and 1 <= v <= 2),
    seed=_SEED,
    one_hot=FLAG,
    batch_map=kind(optional=True, accepts=callable),
    broken=_ANY,
    shuffle_buffer=or_none(_BUFFER),
    shard=_SHARD,
    area=kind((0.5, 1.0), wrong=((1.0, 0.5), (0, 1), (0.5, 2))),
    flip=FLAG,
    distort=kind(optional=True, accepts=callable),
    erase=kind(optional=True, accepts=callable),
)
row(
    "datasets.evaluation_pictures",
    pictures=_PICTURES,
    preprocessing=_PREPARED,
    batch_size=COUNT,
    shard=_SHARD,
    broken=_ANY,
)
row(
    "datasets.training_stream",
    examples=kind(
        Value("examples", lambda: pictures.make().examples), accepts=callable
    ),
    count=kind(4, accepts=lambda v: is_whole(v) and 0 < v < 2**63),
    prepare=kind(Value("a function", lambda: lambda e, s: e), accepts=callable),
    batch_size=kind(1, 2, accepts=lambda v: is_whole(v) and 1 <= v <= 4),
    seed=_SEED,
    shuffle_buffer=or_none(_BUFFER),
    shard=_SHARD,
    batch_map=kind(optional=True, accepts=callable),
    substitute=kind(optional=True, accepts=callable),
    digest=kind("abc", optional=True, accepts=is_text),
    recorded=kind(
        {"exif": True},
        optional=True,
        accepts=lambda v: isinstance(v, dict),
    ),
)
_SPLIT = kind("train", accepts=is_text)
_NOWHERE = kind("/no/such/folder", accepts=is_path)
_DATA_DIR = kind(optional=True, accepts=is_path)
for _name in ("picture_set", "mask_set", "video_set", "detection_set"):
    _more = {
        "picture_set": {"multi_label": _MULTI_LABEL},
        "mask_set": {
            "classes": kind(
                optional=True,
                accepts=lambda v: is_count(v)
                or isinstance(v, (list, tuple, np.ndarray))
                and np.ndim(v) == 1
                and all(map(is_text, v))
                and len(v) > 0,
            ),
            "rule": kind(optional=True),
        },
        "video_set": {
            "root": kind(
                optional=True, accepts=lambda v: is_path(v) and str(v) == "."
            )
        },
        "detection_set": {"categories": _ANY, "with_objects_only": FLAG},
    }.get(_name, {})
    row(
        f"datasets.{_name}",
        name=_NOWHERE,
        split=_SPLIT,
        data_dir=_DATA_DIR,
        **_more,
        options={"works": False},
    )
row(
    "datasets.write_tfrecord",
    examples=_PICTURES,
    path=kind(
        things.in_folder("train-*.tfrecord"),
        accepts=lambda v: False,
        wrong=("train.tfrecord",),
    ),
    shards=kind(1, 2, accepts=is_count),
    # It needs what is not installed beside the newest TensorFlow.
    options={"works": False},
)
row(
    "datasets.coco_files",
    annotations=kind(coco_file, wrong=("no/such/file.json",)),
    folder=kind(
        Value("folder", things.folder),
        accepts=lambda v: is_path(v) and str(v) == ".",
    ),
    categories=_ANY,
    with_objects_only=FLAG,
    options={"works": False},
)
_LIMIT = kind(0, 3, accepts=lambda v: is_whole(v) and 0 <= v <= 2**20)
row("datasets.BrokenPictures", limit=_LIMIT)
row("datasets.BrokenPictures.among", pictures=_PICTURES)
row(
    "datasets.BrokenVideos",
    limit=_LIMIT,
    report=kind(
        things.in_folder("report.csv"),
        optional=True,
        accepts=lambda v: is_path(v) and str(v) != ".",
    ),
)
row("datasets.BrokenVideos.among", videos=_PICTURES, report=_ANY)
row(
    "datasets.BrokenVideos.write",
    path=kind(
        things.in_folder("r.csv"),
        accepts=lambda v: is_path(v) and str(v) != ".",
    ),
    options={"owner": lambda: datasets.BrokenVideos(1)},
)
# The set, of which there is no small one here; what else they take goes to
# the stream, whose row is above.
for _name, _set in {
    "training_masks": "masks",
    "central_crops": "masks",
    "whole_pictures": "masks",
    "training_clips": "videos",
    "evaluation_clips": "videos",
    "video_views": "videos",
    "training_scenes": "scenes",
    "evaluation_scenes": "scenes",
}.items():
    from tests.arguments.rows import _parameters

    _kinds = {name: _ANY for name in _parameters(f"datasets.{_name}")}
    _kinds[_set] = kind(pictures)
    row(
        f"datasets.{_name}",
        **_kinds,
        options={
            "works": False,
            "call": lambda f, a: list(
                f(
                    **{
                        n: v
                        for n, v in a.items()
                        if v is not None or n in ("masks", "videos", "scenes")
                    }
                    | {k: 1 for k in _needed(f) if a.get(k) is None}
                )
            ),
        },
    )


def _needed(function):
    import inspect

    return [
        name
        for name, one in inspect.signature(function).parameters.items()
        if one.default is one.empty
        and one.kind is not one.VAR_KEYWORD
        and name not in ("masks", "videos", "scenes")
    ]


leave_out(
    "called by the functions that make batches, with what they checked",
    "datasets.BrokenPictures.decode",
    "datasets.BrokenPictures.count",
    "datasets.BrokenVideos.count",
    "datasets.BrokenVideos.retry",
    "datasets.BrokenVideos.skip",
    "datasets.DetectionSet.encoded",
    "datasets.DetectionSet.source",
    "datasets.DetectionSet.turned",
    "datasets.DetectionSet.decoded",
    "datasets.DetectionSet.truth",
)
leave_out("made by the functions that open data sets", "datasets.DetectionSet")
for _name in ("load_digits_in_photos", "prepare_digits_in_photos"):
    row(
        f"datasets.{_name}",
        **{
            name: _ANY if name != "config" else kind("classification")
            for name in _parameters(f"datasets.{_name}")
        },
        options={"works": False, "call": lambda f, a: f(a["config"])},
    )

# Exports ----------------------------------------------------------------------


_EXPORTED = kind(things.classifier)
_LABELS_OF = kind(
    optional=True,
    wrong=("abc", ["a"], ["a", "b", 3]),
    accepts=lambda v: isinstance(v, np.ndarray)
    and v.dtype.kind == "U"
    and len(v) == 3,
)
row(
    "export.saved_model",
    model=_EXPORTED,
    root=kind(things.in_folder("exports"), accepts=is_path),
    version=kind(
        optional=True, accepts=lambda v: is_whole(v) and 1 <= v < 2**63
    ),
    labels=_LABELS_OF,
    top_k=or_none(COUNT),
    task=choice("classification", "raw", optional=True),
    fold=FLAG,
    freeze=FLAG,
    preprocessing=kind("auto", optional=True),
    signatures=kind(optional=True),
    batch_sizes=kind(
        (1, 2),
        accepts=lambda v: isinstance(v, (tuple, list))
        and len(v)
        and all(map(is_count, v)),
    ),
    source=kind(optional=True, accepts=lambda v: is_text(v) or is_path(v)),
    server_files=FLAG,
    options={"works": False},
)
_FILE = kind(
    things.in_folder("x.tflite"),
    accepts=lambda v: is_path(v) and str(v) != ".",
    wrong=(things.in_folder("."),),
)
row(
    "export.litert",
    model=_EXPORTED,
    path=_FILE,
    # int8 needs `calibration`, of which there is none here.
    precision=choice("float32", "float16"),
    calibration=_ANY,
    evaluation=_ANY,
    batch=or_none(COUNT),
    size=kind(optional=True),
    fold=FLAG,
    labels=_LABELS_OF,
    preprocessing=kind("auto", optional=True),
    options={"works": False},
)
row(
    "export.onnx",
    model=_EXPORTED,
    path=_FILE,
    opset=kind(18, accepts=lambda v: is_whole(v) and 7 <= v <= 23),
    fold=FLAG,
    labels=_LABELS_OF,
    preprocessing=kind("auto", optional=True),
    options={"works": False},
)
row(
    "export.openvino",
    model=_EXPORTED,
    path=kind(things.in_folder("net.xml"), accepts=is_path),
    fold=FLAG,
    labels=_LABELS_OF,
    preprocessing=kind("auto", optional=True),
    options={"works": False},
)
row(
    "export.serving_form",
    model=_EXPORTED,
    fold=FLAG,
    target=choice("served", "portable"),
    way=_ANY,
    options={"works": False},
)
_NO_EXPORT = {"called": {"path": ("",)}, "works": False}
row("export.audit", path=kind(class_folder), options=_NO_EXPORT)
row(
    "export.check",
    path=kind(class_folder),
    model=_ANY,
    signatures=_ANY,
    options=_NO_EXPORT,
)
row(
    "export.answer_in_clean_process",
    path=kind(class_folder),
    inputs=_ANY,
    signature=kind("serving_default", accepts=lambda v: True),
    options=_NO_EXPORT,
)
row(
    "export.detection_signatures",
    model=_DETECTOR,
    labels=_ANY,
    preprocessing=_ANY,
    more=_DECODING,
    options={"works": False},
)
row(
    "export.segmentation_signatures",
    model=kind(things.segmenter),
    preprocessing=_ANY,
    labels=_ANY,
    options={"works": False},
)
row(
    "export.video_signatures",
    model=kind(things.video_classifier),
    labels=_ANY,
    top_k=_ANY,
    preprocessing=_ANY,
    options={"works": False},
)
leave_out(
    "records of an export, checked by `saved_model`",
    "export.Signature",
    "export.Signature.example_inputs",
    "export.Signature.traced",
)
