"""The same networks in PyTorch, channels last, eager, in-place activations.

They are read from the descriptions that ours are read from, by
`keras_pyconv.parity`. bf16 is `torch.autocast` over float32 parameters, which
is what Keras's "mixed_bfloat16" does; a network cast to bfloat16 as a whole
would be another one.
"""

import contextlib
import importlib
import pathlib
import sys
import types

import torch
from torch import nn

from benchmarks.plan import CLASSES, LAYER_CHANNELS, LAYERS

_FORMATS = {2: torch.channels_last, 3: torch.channels_last_3d}


def without_keras(name):
    """A module of the package, such as `"parity.modules"`, without Keras."""
    if "keras_pyconv" not in sys.modules:
        package = types.ModuleType("keras_pyconv")
        root = pathlib.Path(__file__).parent.parent
        package.__path__ = [str(root / "keras_pyconv")]
        sys.modules["keras_pyconv"] = package
    return importlib.import_module(f"keras_pyconv.{name}")


networks = without_keras("networks")
records = without_keras("architectures")
torch_module = without_keras("parity.modules").torch_module


def torch_network(name, classes=CLASSES["network"]):
    """A classifier of images or of clips."""
    if name in records.ARCHITECTURES:
        record, options = records.ARCHITECTURES[name], {}
    else:
        record = records.get_video_architecture(name)
        options = {"rank": 3, "dropout": record.dropout}
    return torch_module(networks.classifier, record, classes, **options)


def torch_detector(name):
    """A detector of `DETECTORS`, to raw offsets and logits by their names."""
    record = records.DETECTORS[name]
    return torch_module(networks.detector, record, CLASSES["detection"])


def torch_segmenter(backbone, head):
    """The network of `PyConvSegNet(backbone, head=head)` for inference."""
    record = records.make_segmenter(backbone, head, dropout=0.0)
    options = {"auxiliary": False}
    return torch_module(networks.segmenter, record, CLASSES["crop"], **options)


def channels_last(tensor_or_module, rank=2):
    """The same, its numbers laid out with the channels last.

    Parameters and inputs both have to be moved.
    """
    return tensor_or_module.to(memory_format=_FORMATS[rank])


def precision_of(case, device):
    """A context of the case's precision."""
    if case.precision == "bf16":
        return torch.autocast(device, torch.bfloat16)
    return contextlib.nullcontext()


def _classifier_steps(case, device):
    rank = 3 if case.part == "video_network" else 2
    sizes = (case.frames, case.side, case.side)[-rank:]
    if case.part == "crop":
        model = torch_segmenter(*case.subject.split(" with "))
    else:
        model = torch_network(case.subject, CLASSES[case.part])
    model = channels_last(model.to(device), rank)
    if case.contender == "torch_compile":
        model.compile()
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    inputs = torch.randn(case.batch, 3, *sizes, device=device)
    inputs = channels_last(inputs, rank)
    labels = torch.randint(CLASSES[case.part], (case.batch,), device=device)

    def inference():
        model.eval()
        with torch.inference_mode(), precision_of(case, device):
            model(inputs)

    def training():
        model.train()
        optimizer.zero_grad()
        with precision_of(case, device):
            loss = nn.functional.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()

    return {"inference": inference, "training": training}


def _level(net, x, filters, kernels, groups):
    """A layer of the video network, as a description."""
    return net.conv(x, filters, kernels, groups, name="layer")


def _layer_steps(case, device):
    """The layer of `plan.LAYERS` forward, and forward with all gradients."""
    kernels, groups, filters = zip(*LAYERS[case.subject])
    size = {"rank": 3, "channels": LAYER_CHANNELS}
    module = torch_module(_level, filters, kernels, groups, **size)
    module = channels_last(module.to(device), 3)
    shape = (case.batch, LAYER_CHANNELS, case.frames, case.side, case.side)
    inputs = channels_last(torch.randn(shape, device=device), 3)
    inputs.requires_grad_()

    def layer():
        with precision_of(case, device):
            return module(inputs)

    slopes = torch.randn_like(layer())

    def forward():
        with torch.inference_mode():
            layer()

    def gradients():
        module.zero_grad()
        inputs.grad = None
        layer().backward(slopes)

    return {"forward": forward, "gradients": gradients}


def _product_steps(case, device):
    """A product of square matrices: what the device can do at most."""
    dtype = torch.bfloat16 if case.precision == "bf16" else torch.float32
    matrix = torch.randn(case.side, case.side, device=device, dtype=dtype)
    return {"product": lambda: matrix @ matrix}


def _finished(function):
    """A function that returns when a GPU has done the work, not queued it."""

    def step():
        function()
        torch.cuda.synchronize()

    return step


def steps(case):
    """The steps of a case by measure, for `benchmarks.worker`."""
    torch.set_num_threads(case.threads)
    torch.backends.cudnn.benchmark = True
    tf32 = case.precision != "fp32"
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.manual_seed(1)
    if case.part == "detection":
        from benchmarks import torch_detection

        return torch_detection.steps(case)
    makers = {"video": _layer_steps, "product": _product_steps}
    make = makers.get(case.part, _classifier_steps)
    if case.device == "cpu":
        return make(case, "cpu")
    return {name: _finished(step) for name, step in make(case, "cuda").items()}
