"""Checks and converts a checkpoint: `python -m keras_pyconv.weights --help`."""

import argparse
import pathlib
import sys

import numpy as np

import keras_pyconv
from keras_pyconv.architectures import ARCHITECTURES, SEGMENTERS
from keras_pyconv.weights import SETS, files, get_published, read_arrays

# Of the largest value of the same tensor.
TOLERANCE = 1e-4
SIDE = 224
SEED = 2021


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m keras_pyconv.weights",
        description="Finds out which network a checkpoint in the authors' "
        "names is of, checks it, writes its arrays as .npz, and compares the "
        "network here with PyTorch's where PyTorch is installed. No code in "
        "the file is run.",
    )
    parser.add_argument(
        "file", help="checkpoint: .pth, .pt, .pth.tar, .npz or .safetensors"
    )
    parser.add_argument(
        "--variant", help="the network it must be of, such as PyConvResNet50"
    )
    parser.add_argument(
        "--set",
        choices=SETS,
        help="keep it in the cache, where weights=SET finds it",
    )
    parser.add_argument(
        "--output",
        type=pathlib.Path,
        help="file to write, .npz or .weights.h5 (default without --set: "
        "beside FILE, as .npz)",
    )
    parser.add_argument(
        "--no-report", action="store_true", help="do not compare with PyTorch"
    )
    return parser


def _default_output(source):
    """Beside the checkpoint, never over it."""
    path = pathlib.Path(source)
    stem = path.name.lower().removesuffix(".tar").rpartition(".")[0]
    name = path.name[: len(stem)] + ".npz"
    return path.with_name(name if name != path.name else f"converted_{name}")


def _model(variant, arrays):
    """The network of a checkpoint, with its weights and logits."""
    if variant in SEGMENTERS:
        model = keras_pyconv.build_segmenter(
            variant, classes=len(arrays["cls.1.bias"])
        )
        return keras_pyconv.weights.from_torch(model, arrays)
    channels = arrays["conv1.weight"].shape[1]
    top = {"include_top": "fc.bias" in arrays}
    if top["include_top"]:
        top["classes"] = len(arrays["fc.bias"])
        top["classifier_activation"] = None
    model = keras_pyconv.build_classifier(
        variant, input_shape=(None, None, channels), **top
    )
    return keras_pyconv.weights.from_torch(model, arrays)


def parity_report(variant, arrays, side=SIDE) -> tuple[str, bool]:
    """Compares the network here with PyTorch's, stage by stage.

    Args:
        variant: Name of a row of `ARCHITECTURES`.
        arrays: From the authors' names to arrays.
        side: Of the noise that goes through both, in pixels.

    Returns:
        A table, and whether all differences are within the tolerance.
    """
    import keras

    from keras_pyconv.parity.modules import torch_outputs

    model = _model(variant, arrays)
    shape = (1, side, side, model.input_shape[-1])
    images = np.random.default_rng(SEED).standard_normal(shape, "float32")
    theirs = torch_outputs(variant, arrays, images)
    maps = [one.output for one in keras_pyconv.features(model)[1:]]
    ours = keras.Model(model.input, [*maps, model.output])(images)
    lines, good = [f"{'':10}{'difference':>14}{'largest':>12}  ratio"], True
    for (name, expected), actual in zip(theirs.items(), ours):
        actual = keras.ops.convert_to_numpy(actual)
        difference = float(np.abs(actual - expected).max())
        largest = float(np.abs(expected).max())
        ratio = difference / max(largest, 1e-30)
        good &= ratio <= TOLERANCE
        lines.append(f"{name:10}{difference:14.3g}{largest:12.3g}  {ratio:.1e}")
    verdict = "within" if good else "NOT within"
    lines.append(f"{verdict} {TOLERANCE:g} of the largest value")
    return "\n".join(lines), good


def _report(variant, arrays):
    """Prints the parity report, or why there is none; whether all is well."""
    if variant not in ARCHITECTURES:
        print("No parity report: it is made for classifiers alone.")
        return True
    try:
        import torch
    except ImportError:
        print("No parity report: PyTorch is not installed (pip install torch).")
        return True
    print(f"Beside PyTorch {torch.__version__}, on noise of {SIDE} x {SIDE}:")
    report, good = parity_report(variant, arrays)
    print(report)
    return good


def _write(options):
    """Converts as the options say; the network's name and its arrays."""
    if options.set:
        arrays = read_arrays(options.file)
        variant = keras_pyconv.weights.find_variant(arrays, options.variant)
        kept = files.keep(options.file, get_published(variant, options.set))
        print(f"Kept {kept}: {variant}(weights={options.set!r}) finds it.")
        if options.output is None:
            return variant, read_arrays(kept)
    output = options.output or _default_output(options.file)
    if output.name.endswith(".weights.h5"):
        arrays = read_arrays(options.file)
        variant = keras_pyconv.weights.find_variant(arrays, options.variant)
        _model(variant, arrays).save_weights(output)
    elif output.suffix == ".npz":
        variant = files.convert(options.file, output, options.variant)
        arrays = read_arrays(output)
    else:
        raise ValueError(
            f"The output must end in .npz or .weights.h5: {str(output)!r}"
        )
    print(f"Wrote {output}: the weights of {variant}.")
    return variant, arrays


def main(argv=None) -> int:
    """Runs the command; returns 0 where all is well.

    Args:
        argv: Words of the command line, or None for the process's own.
    """
    options = _parser().parse_args(argv)
    try:
        variant, arrays = _write(options)
    except (ValueError, OSError, ImportError) as error:
        print(error, file=sys.stderr)
        return 2
    if options.no_report:
        return 0
    return 0 if _report(variant, arrays) else 1


if __name__ == "__main__":
    sys.exit(main())
