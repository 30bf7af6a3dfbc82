"""What networks computed when each still stood in several transcriptions.

`transcriptions.npz` was written at commit aa13343, with weights that follow
from the layers' names (`tests.kept.networks.seeded`): by the networks in
PyTorch that the benchmarks then wrote out by hand, and the Inception networks,
of which there was none, by Keras. Of each output there are its norm and up to
`VALUES` of its values.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from keras_pyconv.architectures import (
    ARCHITECTURES,
    DETECTORS,
    HEADS,
    INCEPTIONS,
    VIDEO_ARCHITECTURES,
    Mixed,
    get_inception,
    make_segmenter,
)

PATH = Path(__file__).with_name("transcriptions.npz")
CLASSES = 5
VALUES = 500


def _short(name):
    """An Inception network of one residual block a stage."""
    row = get_inception(name)
    parts = tuple(
        part if isinstance(part, Mixed) else replace(part, blocks=1)
        for part in row.parts
    )
    return replace(row, name=f"Short{name}", parts=parts)


_DETECTORS = ("SSDResNetMini", "PyConvSSDPyConvResNetMini")
_VIDEO = ("ResNet3DMini", "PyConvResNet3DMini")
_IMAGES = ("ResNetMini", "PyConvResNetMini", "PyConvResNet18BasicBlock1")
_SEGMENTERS = {
    f"{head}{stride}": make_segmenter("PyConvResNetMini", head, stride)
    for head in HEADS
    for stride in (8, 16)
}
# Kind, record, shape of an input without the batch.
CASES = {
    **{n: ("classifier", ARCHITECTURES[n], (65, 56, 3)) for n in _IMAGES},
    **{n: ("video", VIDEO_ARCHITECTURES[n], (5, 33, 40, 3)) for n in _VIDEO},
    **{n: ("segmenter", r, (33, 49, 3)) for n, r in _SEGMENTERS.items()},
    **{n: ("detector", DETECTORS[n], (64, 56, 3)) for n in _DETECTORS},
    **{n: ("inception", _short(n), (75, 80, 3)) for n in INCEPTIONS},
}


def sample(output):
    """The norm of an output and some of its values."""
    flat = np.asarray(output, "float32").ravel()
    some = flat[:: -(-len(flat) // VALUES)]
    return np.concatenate([[np.linalg.norm(flat.astype("float64"))], some])


def recorded(name):
    """`{output: sample}` of a case."""
    with np.load(PATH) as file:
        prefix = f"{name}/"
        return {
            key.removeprefix(prefix): file[key]
            for key in file.files
            if key.startswith(prefix)
        }


def assert_recorded(name, outputs, tolerance=1e-4):
    """Fails unless outputs are the recorded ones, up to rounding."""
    wanted = recorded(name)
    assert set(outputs) <= set(wanted)
    for key, value in outputs.items():
        norm, *some = sample(value)
        np.testing.assert_allclose(norm, wanted[key][0], rtol=tolerance)
        scale = np.abs(wanted[key][1:]).max()
        np.testing.assert_allclose(
            some, wanted[key][1:], atol=tolerance * scale
        )
