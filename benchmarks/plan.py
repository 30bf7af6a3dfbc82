"""What is measured: contenders, cases, patience and targets, as data.

Nothing here imports a framework: each contender lives in a process of its own,
so that thread pools, oneDNN's settings and memory do not mix.
"""

import dataclasses
import itertools
from dataclasses import dataclass

# What grows from case to case in the parts of `benchmarks.growth`.
CURVES = ("batch", "side", "depth", "threads", "levels")
# By part, the unit in which each of its measures is shown.
MEASURES = {
    "network": {"inference": "images/s", "training": "images/s"},
    "video": {"forward": "ms a call", "gradients": "ms a call"},
    "video_network": {"inference": "s a batch", "training": "s a batch"},
    "detection": {"inference": "images/s", "decoding": "ms a batch"},
    "crop": {"inference": "s a crop"},
    "image": {"protocol": "s an image"},
    "serving": {"inference": "images/s"},
    "checkout": {"inference": "ms a batch", "training": "ms a batch"},
    "steps": {"turn": "ms a turn"},
    "groups": {"inference": "images/s", "training": "images/s"},
    **{curve: {"inference": "ms a batch"} for curve in CURVES},
    "product": {"product": "ms a call"},
    "mirrored": {"inference": "images/s", "training": "images/s"},
}
# Where the first call has a column: its measure and title.
FIRST = {
    "network": ("training", "first training step, s"),
    "serving": ("inference", "first call, s"),
    "groups": ("training", "first training step, s"),
}
PRECISIONS = ("fp32", "bf16")
# What oneDNN is limited to, as `ONEDNN_MAX_CPU_ISA`, and what the processor
# must have for it. "AVX512" is without what came later, such as bf16.
ISAS = {
    "all": (None, None),
    "AVX2": ("AVX2", "avx2"),
    "AVX512": ("AVX512_CORE", "avx512f"),
}
GPU_PRECISIONS = ("fp32", "tf32", "bf16")  # TF32: fp32 in fewer bits inside
CLASSES = {"network": 1000, "video_network": 400, "detection": 81, "crop": 150}
IMAGE = (512, 683)  # height and width of that of the part of its name
# What contenders read in their environment; folders first.
SERVING_FILES = "KERAS_PYCONV_SERVING_FILES"
OTHER_CHECKOUT = "KERAS_PYCONV_OTHER_CHECKOUT"
WHOLE = "KERAS_PYCONV_WHOLE"  # set where networks of checkouts have all blocks

# Of the video network's first stage (paper, supplementary material 3): levels
# as kernel, groups and filters; inputs are 16 frames of 56 x 56.
LAYER_CHANNELS = 64
LAYERS = {
    "stage1": (
        ((3, 3, 3), 1, 16),
        ((3, 5, 5), 4, 16),
        ((5, 7, 7), 8, 16),
        ((7, 9, 9), 16, 16),
    ),
    "level7x9x9": (((7, 9, 9), 16, 16),),
}


# Of parts that are not measured by `keras_networks` and `torch_networks`.
_MODULES = {
    "serving": "serving_runtimes",
    "steps": "training_steps",
    "checkout": "checkout_networks",
    "groups": "native_groups",
}


@dataclass(frozen=True)
class Contender:
    """Who is measured, in which parts, and the package that it requires."""

    title: str
    parts: tuple[str, ...]
    requires: str = "tensorflow"
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    devices: tuple[str, ...] = ("cpu", "gpu")

    def module(self, part) -> str:
        """The module whose `steps` build a part."""
        own = "torch" if self.requires.startswith("torch") else "keras"
        return f"benchmarks.{_MODULES.get(part, f'{own}_networks')}"


_NETWORKS = ("network", "video", "video_network", "detection", "crop")
_OURS = ("serving", "groups", "product", "mirrored")
CONTENDERS = {
    "ours": Contender("ours", (*_NETWORKS, *CURVES, "image", *_OURS)),
    "ours_jax": Contender(
        "ours, Keras on JAX",
        ("network", "video_network"),
        "jax",
        {"KERAS_BACKEND": "jax"},
        devices=("gpu",),
    ),
    "ours_no_onednn": Contender(
        "ours, oneDNN off",
        ("network", "video"),
        environment={"TF_ENABLE_ONEDNN_OPTS": "0"},
        devices=("cpu",),
    ),
    "ours_frozen": Contender("ours, frozen", ("serving",)),
    "stock": Contender("stock Keras layers", ("network", "serving", "groups")),
    "torch": Contender(
        "PyTorch, channels last", (*_NETWORKS, "product"), "torch"
    ),
    "torch_compile": Contender(
        "PyTorch, channels last, torch.compile",
        ("network", "video_network"),
        "torch",
        devices=("gpu",),
    ),
    "torchvision": Contender("torchvision", ("detection",), "torchvision"),
    "resnet50": Contender("ResNet-50 of keras.applications", ("network",)),
    "openvino": Contender("OpenVINO, our ONNX file", ("serving",), "openvino"),
    "onnxruntime": Contender(
        "ONNX Runtime, our ONNX file", ("serving",), "onnxruntime"
    ),
    "torch_compiled": Contender("torch.compile, frozen", ("serving",), "torch"),
    "run": Contender("in a run", ("steps",)),
    "run_again": Contender("in a run, again", ("steps",)),
    "alone": Contender("fit alone", ("steps",)),
    "this": Contender("this checkout", ("checkout",)),
    "other": Contender("the other", ("checkout",)),
    "again": Contender("this again", ("checkout",)),
}


@dataclass(frozen=True)
class Case:
    """One contender, one network or layer, one precision, one device.

    `batch` counts images or clips, `side` is the height and width in pixels
    of what enters, and `frames` is 1 where there is no time axis. oneDNN has
    the fast kernels for groups, and is off by default on CPUs without
    AVX512-VNNI; it is on here, where a contender does not say otherwise, and
    has all instructions of the processor unless `isa` limits it.
    """

    part: str
    subject: str
    contender: str
    precision: str = "fp32"
    device: str = "cpu"
    batch: int = 16
    side: int = 224
    frames: int = 1
    threads: int = 1
    onednn: str = "1"
    isa: str = "all"

    def environment(self) -> dict[str, str | None]:
        """Variables of this case's process; None for one that is not set."""
        threads = str(self.threads)
        return {
            "KERAS_BACKEND": "tensorflow",
            "OMP_NUM_THREADS": threads,
            "TF_NUM_INTRAOP_THREADS": threads,
            # Levels of a pyramid run side by side otherwise.
            "TF_NUM_INTEROP_THREADS": threads,
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "TF_ENABLE_ONEDNN_OPTS": self.onednn,
            "ONEDNN_MAX_CPU_ISA": ISAS[self.isa][0],
            # Either takes most of the GPU otherwise, where others wait.
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
            **({} if self.device == "gpu" else {"CUDA_VISIBLE_DEVICES": ""}),
            **CONTENDERS[self.contender].environment,
        }


@dataclass(frozen=True)
class Patience:
    """How often and how long all may run; seconds are wall clock.

    `turn` is how long a contender repeats its step before the next one has
    its turn; `caps` is how long a first call may take, by precision.
    """

    rounds: int = 5
    turn: float = 2.0
    start_cap: float = 300.0
    caps: dict[str, float] = dataclasses.field(
        default_factory=lambda: {"fp32": 200.0, "tf32": 200.0, "bf16": 60.0}
    )


SMOKE = Patience(rounds=1, turn=0.0)


@dataclass(frozen=True)
class Suite:
    """All that one command measures.

    `full` and, for a trial, `smoke` have mappings to fields of `Case`. Of what
    stands in a list each makes a group of its own; in a tuple stands what cases
    of a group do not share. Contenders are all of the part, or those named.
    """

    name: str
    doc: str
    full: tuple[dict, ...]
    smoke: tuple[dict, ...]
    patience: Patience = Patience()
    minutes: float = 20
    devices: tuple[str, ...] = ("cpu",)


@dataclass(frozen=True)
class Group:
    """Cases that take turns, because their ratios are published."""

    cases: tuple[Case, ...]

    @property
    def title(self) -> str:
        case = self.cases[0]
        subjects, batches = (
            ", ".join(dict.fromkeys(str(getattr(c, name)) for c in self.cases))
            for name in ("subject", "batch")
        )
        named = f"{case.device.upper()} {subjects} {case.precision}"
        return f"{named}, batch {batches}{said_of(case.onednn, case.isa)}"

    @property
    def weight(self) -> int:
        """A guess of how long it takes, in calls of the video layer."""
        return len(self.cases) * (1 if self.cases[0].part == "video" else 5)


def said_of(onednn, isa) -> str:
    """What differs where oneDNN has not all the instructions."""
    if onednn == "0":
        return ", oneDNN off"
    return "" if isa == "all" else f", oneDNN limited to {isa}"


def groups(mappings, threads, chosen) -> list[Group]:
    """The groups of a run in their order.

    `mappings` are those of a `Suite`. `chosen` maps fields of a `Case` to the
    values to keep; a missing field keeps all. The devices must be there. Each
    value of `onednn` and `isa` makes a group of its own.
    """
    found = []
    for device, mapping in itertools.product(chosen["device"], mappings):
        shared = {"device": device, "threads": threads, **mapping}
        for one in _each(shared, list):
            for kernels in _kernels(one, chosen):
                cases = _cases({**one, **kernels})
                cases = tuple(case for case in cases if _keeps(chosen, case))
                found += [Group(cases)] if cases else []
    return found


def _each(mapping, kind):
    """The mapping with each combination of what stands in such sequences."""
    values = (v if isinstance(v, kind) else (v,) for v in mapping.values())
    return [dict(zip(mapping, found)) for found in itertools.product(*values)]


def _kernels(mapping, chosen):
    """What is asked of oneDNN; off, its instructions say nothing."""
    for onednn in mapping.get("onednn") or chosen.get("onednn") or "1":
        isas = chosen.get("isa") if onednn == "1" else None
        yield from ({"onednn": onednn, "isa": isa} for isa in isas or ["all"])


def _cases(mapping):
    """The cases of a group, by all who can be measured so."""
    named = mapping.pop("contender", CONTENDERS)
    mapping["contender"] = tuple(
        name
        for name in named
        if mapping["part"] in CONTENDERS[name].parts
        and mapping["device"] in CONTENDERS[name].devices
        # Without oneDNN, everyone is as who goes without it.
        and (mapping["onednn"] == "1" or name != "ours_no_onednn")
    )
    return [Case(**one) for one in _each(mapping, tuple)]


def _keeps(chosen, case):
    return all(
        not values or field == "isa" or getattr(case, field) in values
        for field, values in chosen.items()
    )


@dataclass(frozen=True)
class Target:
    """A promise about one ratio, or about one duration in seconds.

    With `against`, ours must be at least `bound` times as fast as that
    contender in `measure`; without, the first call of `measure` must end
    within `bound` seconds. `only` has the fields of the cases it is about.
    """

    part: str
    measure: str
    bound: float
    against: str | None = None
    only: dict = dataclasses.field(default_factory=dict)

    @property
    def claim(self) -> str:
        if self.against:
            rival, *_ = CONTENDERS[self.against].title.split(",")
            return f"{self.measure} against {rival}"
        ours = CONTENDERS[self.only.get("contender", "ours")].title
        title = FIRST[self.part][1].removesuffix(", s")
        return title + ours.removeprefix("ours")

    @property
    def needed(self) -> str:
        return f"{self.bound:g} ×" if self.against else f"≤ {self.bound:g} s"


_R50 = {"subject": "PyConvResNet50", "precision": "fp32"}
_HG = {"subject": "PyConvHGResNet50", "precision": "fp32"}
_NO_ONEDNN = {"contender": "ours_no_onednn"}
_BF16, _STAGE1 = {"precision": "bf16"}, {"subject": "stage1"}
_ONE, _FOUR, _BATCH = {"batch": 1}, {"batch": 4}, {"batch": 16}
# Without oneDNN only what its row says; else the same on all processors.
TARGETS = (
    Target("network", "inference", 3, "stock"),
    Target("network", "inference", 1.4, "torch"),
    Target("network", "training", 30),
    Target("network", "training", 20, only={**_HG, **_NO_ONEDNN}),
    Target("network", "training", 1.6, "torch", _R50),
    Target("network", "training", 1.38, "torch", _HG),
    Target("network", "training", 1.4, "torch", _BF16),
    Target("network", "training", 1, "torch", {"subject": "ResNeXt50"}),
    Target("video", "forward", 2.5, "torch", _STAGE1),
    Target("video", "gradients", 2.5, "torch", _STAGE1),
    Target("video_network", "inference", 2.5, "torch", _ONE),
    Target("video_network", "inference", 2, "torch", _FOUR),
    Target("video_network", "training", 2.25, "torch", _ONE),
    Target("video_network", "training", 1.5, "torch", _FOUR),
    Target("crop", "inference", 1.1, "torch"),
    Target("detection", "inference", 1.1, "torch"),
    Target("serving", "inference", 3, "stock", {**_BATCH, "precision": "fp32"}),
    Target("serving", "inference", 1.15, "openvino", _BATCH),
    Target("serving", "inference", 1.15, "torch_compiled", _BATCH),
    Target("serving", "inference", 1.1, "openvino", _ONE),
    Target("serving", "inference", 1.1, "torch_compiled", _ONE),
)
