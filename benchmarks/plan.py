"""What is measured: contenders, measures, sizes, caps and targets, as data.

Nothing here imports a framework: each contender lives in a process of its own,
so that thread pools, oneDNN's settings and memory do not mix.

TensorFlow switches oneDNN on by itself only
on CPUs with AVX512-VNNI or better. All Keras contenders here run with it on,
except the row that says so.
"""

import dataclasses
from dataclasses import dataclass

ONEDNN_ON = {"TF_ENABLE_ONEDNN_OPTS": "1"}
ONEDNN_OFF = {"TF_ENABLE_ONEDNN_OPTS": "0"}


@dataclass(frozen=True)
class Contender:
    """Who is measured; `modules` has, by part, who builds it."""

    title: str
    modules: dict[str, str]
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    requires: str = "tensorflow"
    devices: tuple[str, ...] = ("cpu", "gpu")


_KERAS = {
    "network": "benchmarks.keras_networks",
    "video": "benchmarks.keras_video",
    "video_network": "benchmarks.keras_networks",
}
_TORCH = {
    "network": "benchmarks.torch_networks",
    "video": "benchmarks.torch_video",
    "video_network": "benchmarks.torch_networks",
}
_ONLY_NETWORKS = {"network": _KERAS["network"]}
# Files that `benchmarks.serving` has written, in the runtimes they are for.
_SERVING = {"serving": "benchmarks.serving_runtimes"}

CONTENDERS = {
    "ours": Contender("ours", _KERAS, ONEDNN_ON),
    "ours_no_onednn": Contender(
        "ours, oneDNN off", _KERAS, ONEDNN_OFF, devices=("cpu",)
    ),
    "stock": Contender("stock Keras layers", _ONLY_NETWORKS, ONEDNN_ON),
    "torch": Contender("PyTorch, channels last", _TORCH, requires="torch"),
    "resnet50": Contender(
        "ResNet-50 of keras.applications", _ONLY_NETWORKS, ONEDNN_ON
    ),
    "served": Contender("our export", _SERVING, ONEDNN_ON),
    "served_frozen": Contender("our export, frozen", _SERVING, ONEDNN_ON),
    "served_stock": Contender(
        "stock Keras layers, model.export", _SERVING, ONEDNN_ON
    ),
    "openvino": Contender(
        "OpenVINO, our ONNX file", _SERVING, requires="openvino"
    ),
    "onnxruntime": Contender(
        "ONNX Runtime, our ONNX file", _SERVING, requires="onnxruntime"
    ),
    "torch_compiled": Contender(
        "torch.compile, frozen", _SERVING, requires="torch"
    ),
}

MEASURES = {
    "network": ("inference", "training"),
    "video": ("forward", "gradients"),
    "video_network": ("inference", "training"),
    "serving": ("inference",),
}
PRECISIONS = ("fp32", "bf16")

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


@dataclass(frozen=True)
class Case:
    """One contender, one network or layer, one precision, one device.

    `batch` counts images or clips, `side` is the height and width in pixels
    of what enters, and `frames` is 1 where there is no time axis.
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

    def environment(self) -> dict[str, str]:
        """Variables of this case's process, beside those of this one."""
        threads = str(self.threads)
        return {
            "KERAS_BACKEND": "jax" if self.device == "gpu" else "tensorflow",
            "OMP_NUM_THREADS": threads,
            "TF_NUM_INTRAOP_THREADS": threads,
            "TF_CPP_MIN_LOG_LEVEL": "2",
            # JAX takes three quarters of the GPU otherwise, and PyTorch's
            # process waits beside it.
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
            **({} if self.device == "gpu" else {"CUDA_VISIBLE_DEVICES": ""}),
            **CONTENDERS[self.contender].environment,
        }


@dataclass(frozen=True)
class Settings:
    """Sizes and patience; seconds are wall clock.

    `turn` is how long a contender repeats its step before the next one has
    its turn; `caps` is how long a first call may take, by precision.
    """

    networks: tuple[str, ...] = ("PyConvResNet50", "PyConvHGResNet50")
    layers: tuple[str, ...] = ("stage1", "level7x9x9")
    batch: int = 16
    side: int = 224
    video_side: int = 56
    frames: int = 16
    rounds: int = 5
    turn: float = 2.0
    start_cap: float = 300.0
    caps: dict[str, float] = dataclasses.field(
        default_factory=lambda: {"fp32": 200.0, "bf16": 60.0}
    )


FULL = Settings()
SMOKE = Settings(
    networks=("PyConvResNetMini",),
    batch=2,
    side=64,
    video_side=8,
    frames=4,
    rounds=1,
    turn=0.0,
)


@dataclass(frozen=True)
class Group:
    """Cases that take turns, because their ratios are published."""

    cases: tuple[Case, ...]

    @property
    def title(self) -> str:
        case = self.cases[0]
        named = f"{case.device.upper()} {case.subject} {case.precision}"
        return f"{named}, batch {case.batch}"

    @property
    def weight(self) -> int:
        """A guess of how long it takes, in calls of the video layer."""
        return len(self.cases) * (1 if self.cases[0].part == "video" else 5)


def group(contenders, **shared) -> Group:
    """The cases of some contenders, alike in all else."""
    return Group(tuple(Case(contender=one, **shared) for one in contenders))


def _subjects(settings):
    """What all of a group's cases share, group by group, as mappings."""
    for layer in settings.layers:
        yield {
            "part": "video",
            "subject": layer,
            "precision": "fp32",
            "batch": 1,
            "side": settings.video_side,
            "frames": settings.frames,
        }
    for precision in PRECISIONS:
        for network in settings.networks:
            yield {
                "part": "network",
                "subject": network,
                "precision": precision,
                "batch": settings.batch,
                "side": settings.side,
            }


def groups(settings, threads, chosen) -> list[Group]:
    """The groups of a run in their order.

    `chosen` maps fields of a `Case` to the values to keep; a missing field
    keeps all. The devices must be there.
    """
    found = []
    for device in chosen["device"]:
        for shared in _subjects(settings):
            part = shared["part"]
            cases = tuple(
                Case(contender=name, device=device, threads=threads, **shared)
                for name, contender in CONTENDERS.items()
                if part in contender.modules and device in contender.devices
            )
            kept = tuple(case for case in cases if _keeps(chosen, case))
            if kept:
                found.append(Group(kept))
    return found


def _keeps(chosen, case):
    return all(
        not values or getattr(case, field) in values
        for field, values in chosen.items()
    )


@dataclass(frozen=True)
class Target:
    """A promise about one ratio, or about one duration in seconds.

    With `against`, ours must be at least `bound` times as fast as that
    contender in `measure`; without, the first call of `measure` must end
    within `bound` seconds. No `subjects` means all of the part.
    """

    claim: str
    part: str
    measure: str
    bound: float
    against: str | None = None
    subjects: tuple[str, ...] = ()


_STAGE1 = ("stage1",)
TARGETS = (
    Target("inference against stock Keras", "network", "inference", 3, "stock"),
    Target("first training step", "network", "training", 30),
    Target("training against PyTorch", "network", "training", 1, "torch"),
    Target(
        "forward against PyTorch", "video", "forward", 2.5, "torch", _STAGE1
    ),
    Target(
        "gradients against PyTorch", "video", "gradients", 2.5, "torch", _STAGE1
    ),
)
