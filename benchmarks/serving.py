"""PyConvResNet-50 as it is served, beside other ways to serve it.

    python -m benchmarks.serving            about eight minutes on two cores
    python -m benchmarks.serving --smoke    everything tiny, two minutes

Writes the files in a process of its own first, then measures each runtime in
its own, taking turns, at batch 1 and 16, in fp32 and bf16.
"""

import os
import sys
import tempfile

import keras
import numpy as np

from benchmarks import run
from benchmarks.keras_networks import stock_network
from benchmarks.plan import CLASSES, PRECISIONS, SERVING_FILES, Patience, Suite
from keras_pyconv import export
from keras_pyconv.children import call
from keras_pyconv.models import build_classifier

_SHARED = {"part": "serving", "precision": [*PRECISIONS]}
_LARGE = {"batch": [16, 1], "side": 224}
_SMALL = {"batch": [2, 1], "side": 64}
SUITE = Suite(
    name="serving",
    doc=__doc__,
    full=({**_SHARED, "subject": "PyConvResNet50", **_LARGE},),
    smoke=({**_SHARED, "subject": "PyConvResNetMini", **_SMALL},),
    patience=Patience(rounds=4, caps={"fp32": 240.0, "bf16": 90.0}),
    minutes=12,
)


def _shifted(model):
    """The model, changed to have a shift in every normalization.

    Trained ones have. TensorFlow would drop a bias of zeros, and then not fuse
    what follows.
    """
    generator = np.random.default_rng(1)
    for variable in model.variables:
        if variable.name in ("beta", "moving_mean"):
            variable.assign(generator.normal(0, 0.1, variable.shape))
    return model


def write_files(network, side, folder):
    """Writes our exports, the stock one and the ONNX file."""
    options = {"server_files": False, "preprocessing": None}
    # Of the files below, what is neither is float32.
    policies = {"bf16": "mixed_bfloat16", "fp32": "float32"}
    for precision, policy in policies.items():
        keras.config.set_dtype_policy(policy)
        keras.utils.set_random_seed(1)
        model = _shifted(
            build_classifier(
                network, input_shape=(side, side, 3), classes=CLASSES["network"]
            )
        )
        for name, freeze in (("ours", False), ("frozen", True)):
            root = f"{folder}/{name}-{precision}"
            export.saved_model(model, root, 1, freeze=freeze, **options)
    stock_network(network, side).export(f"{folder}/stock/1", verbose=False)
    export.onnx(model, f"{folder}/ours.onnx")


def _written(options, folder):
    """The folder of the files; a process of its own writes them."""
    if options.recorded:
        return folder
    if options.files and os.path.isdir(options.files):
        return options.files
    folder = options.files or folder
    print("Writing the files that are served ...", file=sys.stderr)
    (mapping,) = SUITE.smoke if options.smoke else SUITE.full
    network = mapping["subject"], mapping["side"]
    call("benchmarks.serving:write_files", *network, folder)
    return folder


def main(arguments=None):
    """Entry point; returns the record."""
    parser = run.parser_of(SUITE)
    parser.add_argument("--files", help="folder of files that are written")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        os.environ[SERVING_FILES] = str(_written(options, folder))
        return run.conduct_suite(SUITE, options)


if __name__ == "__main__":
    main()
