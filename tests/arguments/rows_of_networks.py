"""Rows of layers, records, counts, networks, weights and tables."""

import fractions
import shutil

import keras
import numpy as np

import keras_pyconv
from keras_pyconv import architectures
from keras_pyconv.architectures import (
    INCEPTIONS,
    Conv,
    Level,
)
from keras_pyconv.ops import WAYS
from tests.arguments import things
from tests.arguments.kinds import (
    COUNT,
    FLAG,
    FORMAT,
    NAME,
    RATE,
    Value,
    array,
    choice,
    is_count,
    is_flag,
    is_path,
    is_real,
    is_text,
    is_whole,
    kind,
    or_none,
)
from tests.arguments.rows import leave_out, row
from tests.conformance.cases import DETECTOR, SEGMENTER, VIDEO


def _is_counts(found, length=None, odd=False):
    """Whether all entries are counts; arrays and lists are both fine."""
    if isinstance(found, np.ndarray):
        found = found.tolist()
    if not isinstance(found, (list, tuple, range)):
        return False
    good = all(is_count(n) and (n % 2 or not odd) for n in found)
    return good and (length is None or len(found) == length)


def _axes(rank, odd=False):
    """One size, or one an axis."""
    extra = (3, 1) if odd else (1, 2)
    wrong = (0, [1] * (rank + 1), "33", 2**20 + 1) + (2,) * odd
    return kind(
        *extra,
        (3,) * rank,
        [1] * rank,
        accepts=lambda v: (
            (is_count(v) or _is_whole_array(v)) and (v % 2 or not odd)
        )
        or _is_counts(v, rank, odd),
        wrong=wrong,
    )


def _is_whole_array(found):
    """NumPy's numbers of no axes are numbers too."""
    return (
        isinstance(found, np.ndarray)
        and found.ndim == 0
        and found.dtype.kind == "i"
    )


def _is_odd(found):
    return (is_count(found) or _is_whole_array(found)) and found % 2 == 1


def _initializer(found):
    return found is None or callable(found) and not isinstance(found, type)


INITIALIZER = kind(
    "zeros",
    "he_normal",
    accepts=lambda v: v is None or callable(v) or hasattr(v, "dtype"),
)
REGULARIZER = kind("l2", optional=True, accepts=callable)
CONSTRAINT = kind("non_neg", optional=True, accepts=callable)
ACTIVATION = kind(None, "relu", accepts=lambda v: v is None or callable(v))
BASE = {
    "name": NAME,
    # Keras takes the type of Python integers for one of its own.
    "dtype": kind(
        "float32",
        "mixed_bfloat16",
        optional=True,
        accepts=lambda v: v is int,
    ),
    "trainable": FLAG,
}


def _pyconv(name, rank):
    sizes = (8, 8, 8)[:rank]
    row(
        name,
        filters=kind(
            4,
            8,
            (2, 4),
            wrong=(10**10, 3, (1, 2, 3), 2**20 + 2),
            accepts=lambda v: is_count(v) and v % 2 == 0 or _is_counts(v, 2),
        ),
        kernel_size=kind(
            (1, 3),
            [3, 5],
            ((1,) * rank, (3,) * rank),
            accepts=lambda v: _is_counts(v, 2, odd=True),
            wrong=((3, 4), (3, -1), (3, 1e308), 1e308, (2**31 + 1, 3)),
        ),
        groups=kind(
            "auto",
            1,
            2,
            (1, 2),
            accepts=lambda v: is_count(v)
            and v < 3
            or _is_whole_array(v)
            and v < 3
            or is_whole(v)
            and v == 1,
            wrong=("all", (1, 2, 3), 10**10),
        ),
        strides=_axes(rank),
        padding=choice("same", "valid"),
        data_format=FORMAT,
        dilation_rate=_axes(rank),
        activation=ACTIVATION,
        use_bias=FLAG,
        kernel_initializer=INITIALIZER,
        bias_initializer=INITIALIZER,
        kernel_regularizer=REGULARIZER,
        bias_regularizer=REGULARIZER,
        activity_regularizer=REGULARIZER,
        kernel_constraint=CONSTRAINT,
        bias_constraint=CONSTRAINT,
        way=choice(*WAYS, optional=True),
        more=BASE,
        needs=("kernel_size",),
    )
    del sizes


_pyconv("PyConv1D", 1)
_pyconv("PyConv", 2)
_pyconv("PyConv3D", 3)
for _name, _rank in (
    ("SymmetricMaxPooling2D", 2),
    ("SymmetricMaxPooling3D", 3),
):
    row(
        _name,
        pool_size=_axes(_rank, odd=True),
        strides=or_none(_axes(_rank)),
        data_format=FORMAT,
        more=BASE,
    )
_BINS = kind(
    1,
    2,
    (2, 3),
    accepts=lambda v: is_count(v) or _is_counts(v, 2),
    wrong=(0, (1, 2, 3), 2**20 + 1),
)
row("AdaptiveAveragePooling", bins=_BINS, data_format=FORMAT, more=BASE)
row(
    "AlignedResizing",
    size=kind(
        (4, 5),
        [3, 3],
        optional=True,
        accepts=lambda v: _is_counts(v, 2),
        wrong=(3, (0, 1), (1.5, 2)),
    ),
    data_format=FORMAT,
    more=BASE,
)
row(
    "FusedBatchNormalization",
    axis=kind(-1, 1, accepts=lambda v: is_whole(v) and -9 <= v <= 9),
    momentum=kind(0.9, 0.99, accepts=lambda v: is_real(v) and 0 <= v <= 1),
    epsilon=kind(1e-5, 1e-3, accepts=lambda v: is_real(v) and v >= 0),
    center=FLAG,
    scale=FLAG,
    more={
        **BASE,
        "gamma_initializer": INITIALIZER,
        "beta_regularizer": REGULARIZER,
        "beta_constraint": CONSTRAINT,
        "synchronized": FLAG,
        "nonsense": kind(wrong=(1,)),
    },
)
row(
    "layers.MaxPooling2D",
    pool_size=kind(
        1, 2, (2, 1), accepts=lambda v: is_count(v) or _is_counts(v, 2)
    ),
    strides=or_none(_axes(2)),
    padding=choice("same", "valid"),
    data_format=FORMAT,
    more=BASE,
)
row(
    "layers.MaxPooling3D",
    pool_size=kind(
        1, 2, (2, 1, 1), accepts=lambda v: is_count(v) or _is_counts(v, 3)
    ),
    strides=or_none(_axes(3)),
    padding=choice("same", "valid"),
    data_format=FORMAT,
    more=BASE,
)
row(
    "layers.PointwiseConv2D",
    filters=COUNT,
    strides=_axes(2),
    more={
        **BASE,
        "use_bias": FLAG,
        "data_format": FORMAT,
        "activation": ACTIVATION,
    },
)
row(
    "layers.ReLU",
    max_value=kind(
        6, 1.5, optional=True, accepts=lambda v: is_real(v) and v >= 0
    ),
    negative_slope=kind(0.0, 0.1, accepts=lambda v: is_real(v) and v >= 0),
    threshold=kind(0.0, 0.1, accepts=lambda v: is_real(v) and v >= 0),
    more=BASE,
)
row("layers.ResidualAdd", more=BASE)


# Calls of layers and functions on tensors -------------------------------------


def _images(*shape, dtype="float32"):
    """Tensors of a shape; hostile are all others but lists of numbers."""
    return array(
        *shape,
        dtype=dtype,
        accepts=lambda v: isinstance(v, (list, np.ndarray, bool, int, float))
        or hasattr(v, "shape")
        or isinstance(v, tuple),
        wrong=(np.zeros((2,) * (len(shape) + 1)), ["x"], [[None]]),
    )


def _called(name, make, *shape, **more):
    def call(layer, arguments):
        return layer(*arguments.values())

    row(
        f"{name}.__call__",
        inputs=_images(*shape, **more),
        options={"owner": make, "call": call},
    )


_called("PyConv1D", lambda: keras_pyconv.PyConv1D(4, (1, 3)), 1, 8, 3)
_called("PyConv", lambda: keras_pyconv.PyConv(4, (1, 3)), 1, 8, 8, 3)
_called("PyConv3D", lambda: keras_pyconv.PyConv3D(4, (1, 3)), 1, 4, 8, 8, 3)
_called(
    "SymmetricMaxPooling2D",
    lambda: keras_pyconv.SymmetricMaxPooling2D(3),
    *(1, 8, 8, 3),
)
_called(
    "SymmetricMaxPooling3D",
    lambda: keras_pyconv.SymmetricMaxPooling3D(3),
    *(1, 4, 8, 8, 3),
)
_called(
    "AdaptiveAveragePooling",
    lambda: keras_pyconv.AdaptiveAveragePooling(2),
    *(1, 8, 8, 3),
)
_called(
    "AlignedResizing",
    lambda: keras_pyconv.AlignedResizing((4, 4)),
    *(1, 8, 8, 3),
)
_called(
    "layers.MaxPooling2D",
    lambda: keras_pyconv.layers.MaxPooling2D(),
    1,
    8,
    8,
    3,
)
_called(
    "layers.MaxPooling3D",
    lambda: keras_pyconv.layers.MaxPooling3D(),
    *(1, 4, 8, 8, 3),
)
_called(
    "layers.PointwiseConv2D",
    lambda: keras_pyconv.layers.PointwiseConv2D(2),
    *(1, 8, 8, 3),
)


def _any_rank(name, make, call=None):
    row(
        f"{name}.__call__",
        inputs=kind(
            (
                Value(
                    "two maps", lambda: [np.zeros((1, 4, 4, 2), "float32")] * 2
                )
                if call
                else Value("a map", lambda: np.zeros((1, 4, 4, 2), "float32"))
            ),
            accepts=lambda v: isinstance(v, (list, tuple, bool, int, float))
            or hasattr(v, "shape"),
            wrong=(["x"], [[None]]),
        ),
        options={"owner": make, "call": lambda f, a: f(*a.values())},
    )


_any_rank("FusedBatchNormalization", keras_pyconv.FusedBatchNormalization)
_any_rank("layers.ReLU", keras_pyconv.layers.ReLU)
_any_rank("layers.ResidualAdd", keras_pyconv.layers.ResidualAdd, call=True)

_CONVOLUTION = {
    "strides": _axes(2),
    "padding": choice("same", "valid"),
    "dilation_rate": _axes(2),
    "data_format": choice("channels_last"),
    "way": choice(*WAYS, optional=True),
    "target": choice("here"),
}


def _convolve(name, **kinds):
    parameters = _parameters_of(name)
    own = {n: k for n, k in _CONVOLUTION.items() if n in parameters}
    for other in set(parameters) - {*own, *kinds}:
        own[other] = kind(optional=True, accepts=lambda v: True)
    more = {n: k for n, k in _CONVOLUTION.items() if n not in parameters}
    row(name, **kinds, **own, more=more, needs=("groups",))


def _parameters_of(name):
    from tests.arguments.rows import _parameters

    return _parameters(name)


_convolve(
    "ops.grouped_conv",
    inputs=_images(1, 8, 8, 4),
    kernel=array(3, 3, 2, 4, wrong=(np.zeros((3, 3, 2, 4), "int32"),)),
    groups=kind(2, accepts=lambda v: v is True or is_whole(v) and v == 2),
)
_convolve(
    "ops.pyramid_conv",
    inputs=_images(1, 8, 8, 4),
    kernels=kind(
        Value("two kernels", lambda: [np.zeros((1, 1, 4, 4), "float32")] * 2),
        wrong=([np.zeros((3, 3))],),
    ),
    groups=kind((1, 1), [1, 1], accepts=lambda v: _is_counts(v, 2)),
)
row(
    "level_devices",
    # A process of tests has one device.
    devices=kind(wrong=(["CPU:0"], ["CPU:0", "CPU:9"], ["CPU:0", "cpu:0"])),
    options={"works": False},
)
row(
    "ops.set_way",
    name=choice(*WAYS, optional=True),
    options={"undo": lambda: keras_pyconv.ops.set_way(None)},
)

# Records ----------------------------------------------------------------------

_LEVELS = kind(
    Value("a level", lambda: (Level(3),)),
    Value("PYRAMIDS[2]", lambda: architectures.PYRAMIDS[2]),
)
_TITLE = kind(
    "Tiny", "mine2", accepts=lambda v: is_text(v) and v.isidentifier()
)
_TEXT = kind("a test", accepts=is_text)
_WIDTH = kind(8, 16, accepts=lambda v: is_count(v) and v % 8 == 0)
_STRIDE = choice(1, 2)
_SIDE = kind(1, 3, 5, accepts=_is_odd)
row(
    "architectures.Level",
    kernel=_SIDE,
    groups=COUNT,
    share=kind(
        "1/2",
        fractions.Fraction(1, 4),
        0.5,
        1,
        accepts=lambda v: is_real(v) and 0 < v <= 1,
    ),
)
row(
    "architectures.Stage",
    width=_WIDTH,
    blocks=COUNT,
    levels=_LEVELS,
    stride=_STRIDE,
    shortcut=choice("conv", "pool"),
)


def _records(*items, kinds=()):
    return kind(*items, accepts=lambda v: isinstance(v, kinds))


_ROW = {
    "name": _TITLE,
    "source": _TEXT,
}
row(
    "architectures.Architecture",
    **_ROW,
    stages=kind(Value("stages", lambda: (things.STAGE,))),
    expansion=kind(2, 4, accepts=is_count),
    block=choice("bottleneck", optional=False),
    stem_width=kind(8, 16, accepts=is_count),
    stem_pool=kind(False, accepts=is_flag),
    total_stride=kind(4),
    non_local=FLAG,
    needs=("total_stride",),
)


def _stride_kind(*options):
    return kind(*options, optional=True)


row(
    "architectures.Architecture.strides",
    output_stride=_stride_kind(32, 16, 8),
    options={"owner": lambda: architectures.ARCHITECTURES["ResNet50"]},
)
row(
    "architectures.Architecture.layout",
    output_stride=_stride_kind(32, 16, 8),
    options={"owner": lambda: architectures.ARCHITECTURES["ResNet50"]},
)
row(
    "architectures.ParsingHead",
    width=_WIDTH,
    levels=kind(Value("PYRAMIDS[2]", lambda: architectures.PYRAMIDS[2])),
    bins=COUNT,
    merged_width=COUNT,
)
_COUNTS = kind((1, 2), (3,), accepts=_is_counts)
row("architectures.PoolingHead", width=COUNT, bins=_COUNTS)
row("architectures.AtrousHead", width=COUNT, rates=_COUNTS)
_RECORD = Value("RECORD", lambda: things.RECORD)
_HEAD = kind(
    Value("a head", lambda: architectures.PoolingHead(8)),
    Value("another head", lambda: architectures.AtrousHead(8)),
)
row(
    "architectures.Segmenter",
    **_ROW,
    backbone=kind(
        Value("ResNet50", lambda: architectures.ARCHITECTURES["ResNet50"])
    ),
    head=_HEAD,
    output_stride=choice(8, 16),
    auxiliary_width=COUNT,
    dropout=RATE,
)
row(
    "architectures.BoxMap",
    step=COUNT,
    size=COUNT,
    next_size=kind(45, 50, accepts=lambda v: is_count(v) and v > 1),
    aspect_ratios=kind((2,), (2, 3), accepts=_is_counts),
    spread=FLAG,
)
row(
    "architectures.ExtraLayer",
    bottleneck=_WIDTH,
    filters=_WIDTH,
    levels=kind(Value("PYRAMIDS[2]", lambda: architectures.PYRAMIDS[2])),
    stride=COUNT,
    padding=choice("same", "valid"),
)
row(
    "architectures.Detector",
    **_ROW,
    backbone=kind(Value("a backbone", lambda: DETECTOR.backbone)),
    extra_layers=kind(Value("extra layers", lambda: DETECTOR.extra_layers)),
    box_maps=kind(Value("box maps", lambda: DETECTOR.box_maps)),
    input_size=kind(64, accepts=is_count),
)
_PIXELS = kind(64, 40, accepts=is_count)
for _name in ("map_sizes", "num_boxes"):
    row(
        f"architectures.Detector.{_name}",
        height=_PIXELS,
        width=_PIXELS,
        options={"owner": lambda: DETECTOR},
    )
row(
    "architectures.Conv",
    filters=COUNT,
    kernel=kind((1, 3), (3, 3), accepts=lambda v: _is_counts(v, 2)),
    stride=kind(1, accepts=is_count),
    padding=choice("same", "valid"),
)
row(
    "architectures.Pyramid",
    filters=_WIDTH,
    pyramid=kind(Value("PYRAMIDS[2]", lambda: architectures.PYRAMIDS[2])),
)
row("architectures.Pool", kind=choice("max", "average"))
_BRANCHES = kind(Value("branches", lambda: ((Conv(4),), (Conv(4),))))
row("architectures.Mixed", name=_TEXT, branches=_BRANCHES)
row(
    "architectures.Residuals",
    name=kind("mine", accepts=lambda v: is_text(v) and "/" not in v),
    blocks=COUNT,
    branches=_BRANCHES,
    scale=kind(0.2, 1.0, accepts=lambda v: is_real(v) and 0 < v <= 1),
    normalized=FLAG,
    final_relu=FLAG,
)
row(
    "architectures.Inception",
    **_ROW,
    parts=kind(
        Value("parts", lambda: INCEPTIONS["InceptionResNetV2"].parts),
    ),
    input_size=COUNT,
)
row(
    "architectures.VideoArchitecture",
    **_ROW,
    base=kind(Value("a base", lambda: VIDEO.base)),
    stem_kernel=kind((5, 7, 7), (1, 3, 3), accepts=lambda v: _is_counts(v, 3)),
    frames_by_side=kind(((3, 3), (5, 3), (7, 5), (9, 7))),
    frames_strides=kind((1, 2), (1, 1), accepts=lambda v: _is_counts(v, 2)),
    dropout=RATE,
    needs=("frames_strides",),
)
for _name in ("kernels", "strides", "pool_window"):
    row(
        f"architectures.VideoArchitecture.{_name}",
        number=kind(0, 1, accepts=lambda v: is_whole(v) and 0 <= v < 2),
        options={"owner": lambda: VIDEO},
    )
row(
    "architectures.branch_name",
    part=kind(
        Value("a part", lambda: INCEPTIONS["InceptionResNetV2"].parts[1])
    ),
    block=_TEXT,
    number=COUNT,
)
_NETWORK = kind("ResNet50", "PyConvResNetMini", _RECORD)
_SEGMENTER = kind("PyConvSegNetResNet50", Value("SEGMENTER", lambda: SEGMENTER))
_DETECTOR = kind("SSDResNetMini", Value("DETECTOR", lambda: DETECTOR))
_INCEPTION = kind(*list(INCEPTIONS)[:2])
_VIDEO = kind("ResNet3DMini", Value("VIDEO", lambda: VIDEO))
row("architectures.get_architecture", architecture=_NETWORK)
row("architectures.get_segmenter", segmenter=_SEGMENTER)
row("architectures.get_inception", inception=_INCEPTION)
row("architectures.get_video_architecture", architecture=_VIDEO)
row(
    "architectures.get_detector",
    head=choice("SSD", "PyConvSSD"),
    backbone=kind("ResNet50", "PyConvResNetMini"),
)
_HEADS = kind(*architectures.HEADS, *_HEAD.values)
row("architectures.get_head", head=_HEADS, output_stride=choice(8, 16))
row(
    "architectures.make_segmenter",
    backbone=kind("ResNet50", "PyConvResNetMini"),
    head=_HEADS,
    output_stride=choice(8, 16),
    dropout=RATE,
    source=_TEXT,
    head_width=kind(
        64, 128, optional=True, accepts=lambda v: is_count(v) and v > 1
    ),
)
leave_out("without arguments", "architectures.VideoArchitecture.layout")

# Counts -----------------------------------------------------------------------

_SHAPE = kind((32, 40, 3), (64, 64, 1), accepts=lambda v: _is_counts(v, 3))
_CLASSES = kind(1, 5, 1000, accepts=is_count)
row(
    "complexity.complexity",
    architecture=kind("ResNetMini", _RECORD),
    input_shape=kind(
        (32, 40, 3),
        64,
        optional=True,
        accepts=lambda v: _is_counts(v, 3) or is_count(v),
    ),
    classes=or_none(_CLASSES),
    more={
        "include_top": FLAG,
        "output_stride": kind(optional=True),
    },
)
row(
    "complexity.networks_table",
    names=kind(
        ("ResNet50",),
        ["ResNetMini"],
        optional=True,
        # What it holds is named alone.
        accepts=lambda v: hasattr(v, "__iter__") and not isinstance(v, str),
        wrong=(["VGG"],),
    ),
    input_size=kind(64, 224, optional=True, accepts=is_count),
    style=choice("text", "markdown"),
)
row(
    "complexity.conv_cost",
    channels=kind(4, 8, accepts=lambda v: is_count(v) and v % 2 == 0),
    filters=kind(4, 8, accepts=lambda v: is_count(v) and v % 2 == 0),
    kernel=kind((3, 3), (1,), accepts=_is_counts),
    positions=kind(49, accepts=lambda v: is_whole(v) and v > 0),
    groups=kind(2, accepts=lambda v: is_count(v) and v < 3),
    use_bias=FLAG,
    needs=("groups",),
)
row(
    "complexity.pyconv_cost",
    channels=kind(4, accepts=lambda v: is_count(v) and v % 2 == 0),
    filters=kind((4, 4), accepts=lambda v: _is_counts(v, 2)),
    kernels=kind((3, 5), accepts=lambda v: _is_counts(v, 2)),
    groups=kind((1, 2), (1, 1), accepts=lambda v: _is_counts(v, 2)),
    positions=kind(49, accepts=lambda v: is_whole(v) and v > 0),
    rank=kind(1, 2, 3, accepts=is_count),
)
row(
    "complexity.Complexity.table",
    rows=choice("parts", "layers"),
    style=choice("text", "markdown"),
    levels=FLAG,
    options={"owner": lambda: keras_pyconv.complexity.complexity("ResNetMini")},
)
_DIVIDED = {
    "devices": kind(2, 3, accepts=lambda v: is_count(v) and v > 1),
    "batch_size": COUNT,
    "number_bytes": choice(2, 4, 8),
}
row(
    "complexity.crossing",
    layers=kind(
        Value(
            "layers",
            lambda: keras_pyconv.complexity.complexity("ResNetMini").layers,
        ),
        accepts=lambda v: isinstance(v, (list, tuple)) and not v,
    ),
    **_DIVIDED,
)
row(
    "complexity.crossing_table",
    count=kind(
        Value("count", lambda: keras_pyconv.complexity.complexity("ResNetMini"))
    ),
    style=choice("text", "markdown"),
    more=_DIVIDED,
)
row(
    "complexity.Counter",
    shape=kind((8, 8, 3), (4, 8, 8, 3), accepts=_is_counts),
)
leave_out(
    "what the package answers with; nobody else makes one",
    "architectures.Head",
    "complexity.Complexity",
    "complexity.Cost",
    "complexity.Crossing",
    "complexity.LayerCost",
    "complexity.LevelCost",
    "complexity.PartCost",
    "architectures.StageLayout",
    "models.Feature",
    "tasks.LevelResponse",
    "tasks.VideoErrors",
    "tasks.UnreadableVideo",
)
_READ = "called by the descriptions of networks, with what records checked"
leave_out(
    _READ,
    *(
        f"complexity.Counter.{name}"
        for name in (
            *("part", "channels", "conv", "norm", "relu", "add", "scale"),
            *("concat", "max_pool", "average_pool", "adaptive_pool"),
            *("global_pool", "resize", "dropout", "dense", "gate"),
            *("join_boxes", "axes", "levels", "attend"),
        )
    ),
)

# Tables -----------------------------------------------------------------------

_TABLES = keras_pyconv.tables.TABLES
_TABLE = kind(Value("TABLE_1", lambda: _TABLES["1"]))
row("tables.cells", table=_TABLE, measured=kind({}, optional=True))
row("tables.count", row=kind(Value("a row", lambda: _TABLES["1"].rows[0])))
row(
    "tables.render",
    tables=kind(
        Value("tables", lambda: [_TABLES["1"]]),
        accepts=lambda v: (
            v in ([], ()) if isinstance(v, (list, tuple)) else False
        ),
    ),
    style=choice("text", "markdown", "csv"),
    measured=kind({}, optional=True),
    provenance=kind("", "here", accepts=lambda v: isinstance(v, str)),
)
_PAIR = kind(
    (1.5, 2.5),
    accepts=lambda v: isinstance(v, (tuple, list))
    and len(v) == 2
    and all(map(is_real, v)),
)
_TEXTS = kind(
    (),
    ("1.0",),
    accepts=lambda v: isinstance(v, (tuple, list))
    and all(isinstance(t, str) for t in v),
)
_WORDS = kind("", "words", accepts=lambda v: isinstance(v, str))
row(
    "tables.Row",
    label=_TEXT,
    network=_TEXT,
    printed=_PAIR,
    accuracy=_TEXTS,
    size=COUNT,
    classes=or_none(COUNT),
    code=_TEXTS,
    note=_WORDS,
    in_paper=FLAG,
    here=_WORDS,
)
row(
    "tables.Table",
    key=_TEXT,
    title=_TEXT,
    metrics=kind(Value("metrics", lambda: _TABLES["1"].metrics)),
    rows=kind(
        Value("rows", lambda: _TABLES["1"].rows),
        accepts=lambda v: (
            v in ([], ()) if isinstance(v, (list, tuple)) else False
        ),
    ),
    code_metrics=kind(Value("code metrics", lambda: _TABLES["1"].code_metrics)),
    drawn=FLAG,
    needs=("code_metrics",),
)

# Networks ---------------------------------------------------------------------

_WEIGHTS = kind(
    optional=True,
    wrong=(
        "no/such.weights.h5",
        "imagenet2",
        things.text_file,
        things.in_folder("."),
    ),
)
_TENSOR = kind(optional=True, accepts=lambda v: False)


def _is_shape(rank):
    return lambda v: (
        isinstance(v, (tuple, list, np.ndarray))
        and len(np.shape(v)) == 1
        and len(v) == rank
        and all(n is None or is_count(n) for n in v)
    )


def _builder(name, *, rank, works, first=None, more=None, **changes):
    # Those with non-local blocks take no smaller ones.
    side = 64 if name.startswith("NL") else 16
    shape = kind(
        (side, side, 3) if rank == 3 else (4, 16, 16, 3),
        optional=True,
        accepts=_is_shape(rank),
        wrong=((0,) * rank, (16,) * (rank + 1), (2**31,) * rank, "abc"),
    )
    kinds = {
        "include_top": FLAG,
        "weights": _WEIGHTS,
        "input_tensor": _TENSOR,
        "input_shape": shape,
        "pooling": choice("avg", "max", optional=True),
        # Without a top there may be none.
        "classes": kind(1, 3, accepts=lambda v: v is None or is_count(v)),
        "classifier_activation": kind(
            "softmax", optional=True, accepts=lambda v: v is None or callable(v)
        ),
        "name": NAME,
        "output_stride": kind(optional=True),
        "dropout": RATE,
        "backbone_weights": _WEIGHTS,
        **changes,
    }
    parameters = _parameters_of(name)
    kinds = {n: k for n, k in kinds.items() if n in parameters}
    row(name, **(first or {}), **kinds, options={"works": works})


for _name in architectures.ARCHITECTURES:
    if _name in keras_pyconv.__all__:
        _builder(_name, rank=3, works=False)
for _name in (
    *("PyConvResNet3D50", "PyConvResNet3D101", "PyConvResNet3D152"),
    *("ResNet3D50", "ResNet3D101", "ResNet3D152"),
):
    _builder(_name, rank=4, works=False, dropout=or_none(RATE))
for _name in ("InceptionResNetV2", "PyConvInceptionResNetV2"):
    _builder(
        _name,
        rank=3,
        works=False,
    )
_builder(
    "build_classifier",
    rank=3,
    works=True,
    first={"architecture": kind(_RECORD, "ResNetMini")},
)
_builder(
    "build_video_classifier",
    rank=4,
    works=True,
    first={"architecture": kind(Value("VIDEO", lambda: VIDEO))},
    dropout=or_none(RATE),
)
_builder(
    "build_inception", rank=3, works=False, first={"architecture": _INCEPTION}
)
_builder(
    "build_segmenter",
    rank=3,
    works=False,
    first={"segmenter": kind(Value("SEGMENTER", lambda: SEGMENTER))},
    auxiliary=FLAG,
)
_CLASSES_OF_BOXES = kind(2, 3, accepts=lambda v: is_count(v) and v > 1)
_builder(
    "build_detector",
    rank=3,
    works=False,
    first={"detector": kind(Value("DETECTOR", lambda: DETECTOR))},
    classes=_CLASSES_OF_BOXES,
)
for _name in ("PyConvSSD", "SSD"):
    _builder(
        _name,
        rank=3,
        works=False,
        first={"backbone": kind("ResNet50", "PyConvResNetMini")},
        classes=_CLASSES_OF_BOXES,
    )
_builder(
    "PyConvSegNet",
    rank=3,
    works=False,
    first={"backbone": kind("ResNetMini")},
    output_stride=choice(8, 16),
    head=_HEADS,
    auxiliary=FLAG,
    head_width=kind(64, optional=True, accepts=lambda v: is_count(v) and v > 1),
)
for _name in ("keras_cv_backbone", "keras_hub_backbone"):
    row(
        _name,
        architecture=kind("ResNetMini"),
        weights=_WEIGHTS,
        input_shape=kind((16, 16, 3), accepts=_is_shape(3)),
        include_rescaling=FLAG,
        name=NAME,
        options={"works": False},
    )
row(
    "save_to_preset",
    model=kind(things.classifier),
    folder=kind(
        things.in_folder("preset"), accepts=is_path, wrong=(things.text_file,)
    ),
    options={
        "undo": lambda: shutil.rmtree(
            things.folder() / "preset", ignore_errors=True
        )
    },
)
row(
    "from_preset",
    source=kind(
        things.preset, wrong=(things.text_file, "hf://one", "kaggle://a/b")
    ),
)
row("features", model=kind(things.classifier, wrong=(things.dense_model,)))
row(
    "inflate",
    source=kind(things.video_base, wrong=(things.dense_model,)),
    model=kind(things.video_classifier, wrong=(things.dense_model,)),
    rule=choice("center", "mean"),
    needs=("model",),
)
_CONVERTIBLE = {
    "model": kind(things.convertible, accepts=lambda v: False),
    "levels": kind(
        2,
        4,
        {"conv": 3},
        optional=True,
        accepts=lambda v: (
            is_whole(v) and 1 <= v <= 4 or v in ({},)
            if not hasattr(v, "shape")
            else np.ndim(v) == 0 and is_whole(v.item())
        ),
    ),
    "min_kernel": kind(3, accepts=lambda v: is_whole(v) and v >= 3),
}
row("replacement_report", **_CONVERTIBLE)
row("replace_convolutions", **_CONVERTIBLE, keep_weights=FLAG, verbose=FLAG)
row("native_groups", model=kind(things.convertible, accepts=lambda v: False))
row(
    "models.inference_model",
    model=kind(
        things.segmenter,
        things.classifier,
        accepts=lambda v: isinstance(v, keras.Model),
    ),
)
row(
    "models.AuxiliaryModel",
    inputs=kind(Value("inputs", lambda: things.segmenter.make().inputs)),
    outputs=kind(Value("outputs", lambda: things.segmenter.make().output)),
    name=NAME,
)
# Weights ----------------------------------------------------------------------

_ARRAYS = kind(
    Value("arrays", lambda: {"conv1.weight": np.zeros((64, 3, 7, 7))}),
    accepts=lambda v: isinstance(v, dict) and not v,
)
row(
    "weights.adapt_stem",
    kernel=array(8, 3, 7, 7),
    channels=kind(1, 4, accepts=is_count),
)
row("weights.fetch", published=kind(), options={"works": False})
row(
    "weights.find_variant",
    arrays=_ARRAYS,
    variant=kind("ResNet50", optional=True, accepts=is_text),
    options={"works": False},
)
row(
    "weights.from_torch",
    model=kind(things.classifier, wrong=(things.dense_model,)),
    source=kind(
        things.arrays_file,
        # What is missing and left over in it is named.
        accepts=lambda v: isinstance(v, dict),
        wrong=(things.text_file, "no/such.npz"),
    ),
    part=choice("all"),
    adapt=FLAG,
)
_VARIANT = kind("PyConvResNet50", accepts=is_text)
row("weights.get_published", variant=_VARIANT, set_name=choice("imagenet"))
row("weights.published_sets", variant=or_none(_VARIANT))
row(
    "weights.save_keras_weights",
    model=kind(things.classifier),
    path=kind(
        things.in_folder("new.weights.h5"),
        wrong=(things.in_folder("."), "mine.txt"),
    ),
)
row(
    "weights.read_arrays",
    source=kind(
        things.arrays_file,
        accepts=lambda v: isinstance(v, dict),
        wrong=(things.text_file, "no/such.npz"),
    ),
    check=kind(optional=True, accepts=callable),
)
row(
    "weights.load",
    model=kind(things.classifier),
    source=kind(
        things.weights_file,
        # What is missing and left over in a mapping is named.
        accepts=lambda v: isinstance(v, dict),
        wrong=(things.text_file, "no/such.npz"),
    ),
    part=choice("all"),
    options={"called": {"source": ("",)}},
)
row(
    "weights.torch_names",
    model=kind(things.classifier, wrong=(things.dense_model,)),
)
row(
    "weights.torch_shapes",
    architecture=kind("ResNetMini", "PyConvResNet18"),
    classes=kind(2, 1000, accepts=is_count),
    channels=kind(1, 3, accepts=is_count),
)
row(
    "weights.Published",
    variant=_TEXT,
    set=_TEXT,
    drive_id=_TEXT,
    figures=kind({}, {"top-1": 1.5}),
    source=_TEXT,
    preprocessing=_TEXT,
    licence=_TEXT,
    remark=_WORDS,
)
leave_out("without arguments", "weights.cache_folder")
leave_out("without arguments", "weights.shipped_weights")
