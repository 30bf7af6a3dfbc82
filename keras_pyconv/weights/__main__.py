"""Checks and converts a checkpoint: `python -m keras_pyconv.weights --help`."""

import argparse
import os
import pathlib
import sys

import numpy as np

import keras_pyconv
from keras_pyconv.architectures import ARCHITECTURES, SEGMENTERS
from keras_pyconv.reading import check_file
from keras_pyconv.weights import SETS, files, get_published, save_keras_weights
from keras_pyconv.weights.sources import is_whole

# Of the largest value of the same tensor.
TOLERANCE = 1e-4
SIDE = 224
SEED = 2021


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m keras_pyconv.weights",
        description="Identify the network of a checkpoint with the authors' "
        "layer names, verify it, convert it to .npz, and, if PyTorch is "
        "installed, compare the outputs with PyTorch's. Code in the file is "
        "never executed.",
    )
    add, is_set = parser.add_argument, {"action": "store_true"}
    add("file", help="checkpoint: .pth, .pt, .pth.tar, .npz or .safetensors")
    add("--network", help="expected network, such as PyConvResNet50")
    add("--variant", help=argparse.SUPPRESS)  # its name before
    kept = "put it into the cache, where weights=SET finds it"
    add("--set", choices=SETS, help=kept)
    output = "output file, .npz or .weights.h5 (default without --set: an "
    output += ".npz beside FILE)"
    add("--output", type=pathlib.Path, help=output)
    add("--overwrite", help="replace existing files", **is_set)
    add("--no-report", help="do not compare with PyTorch", **is_set)
    return parser


def _default_output(source):
    """A name beside the checkpoint that is not its own."""
    path = pathlib.Path(source)
    stem = path.name.lower().removesuffix(".tar").rpartition(".")[0]
    name = path.name[: len(stem)] + ".npz"
    return path.with_name(name if name != path.name else f"converted_{name}")


def _segmenter_classes(arrays):
    for name in ("cls.4.bias", "cls.1.bias"):
        if name in arrays and arrays[name].ndim == 1:
            return len(arrays[name])
    raise ValueError(
        "'cls.1.bias', which gives the number of classes, is missing."
    )


def _model(variant, arrays):
    """The network of a checkpoint, with its weights and logits."""
    if variant in SEGMENTERS:
        classes = _segmenter_classes(arrays)
        model = keras_pyconv.build_segmenter(variant, classes=classes)
        return keras_pyconv.weights.from_torch(model, arrays)
    top = {"include_top": False}
    if "fc.bias" in arrays:
        classes = len(arrays["fc.bias"])
        top = {"classes": classes, "classifier_activation": None}
    shape = (None, None, arrays["conv1.weight"].shape[1])
    model = keras_pyconv.build_classifier(variant, input_shape=shape, **top)
    return keras_pyconv.weights.from_torch(model, arrays)


def parity_report(variant, arrays, side=SIDE) -> tuple[str, bool]:
    """Compares the network here with PyTorch's, stage by stage, on noise.

    Gives a table, and whether all differences are within the tolerance.
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


def _output(options):
    """Where the converted file goes beside the cache; None for nowhere."""
    if options.output is None:
        return None if options.set else _default_output(options.file)
    if not options.output.name.endswith((".npz", ".weights.h5")):
        raise ValueError(
            "The output must end in .npz or .weights.h5: "
            f"{str(options.output)!r}"
        )
    return options.output


def _check_free(paths, options):
    """Refuses to write where something is, before anything is read."""
    check_file(options.file)
    for path in paths:
        if os.path.exists(path) and os.path.samefile(options.file, path):
            raise ValueError(f"{path!r} is the input file; choose another one.")
        if os.path.lexists(path) and not options.overwrite:
            raise FileExistsError(
                f"{path!r} exists already, so nothing was written. Choose "
                "another file with --output, or add --overwrite."
            )


def _write(options):
    """Converts as the options say; the network's name and its arrays."""
    output = _output(options)
    if output is not None:
        beside = files.written(output)
        is_npz = output.suffix == ".npz"
        _check_free(beside if is_npz else beside[:2], options)
    variant, arrays = files.read_checked(options.file, options.network)
    if options.set:
        published = get_published(variant, options.set)
        path = files.cache_path(published)
        # What the cache would fetch anew may go.
        _check_free(files.written(path) if is_whole(path) else (), options)
        files.keep(options.file, published)
        print(f"Kept {path}: {variant}(weights={options.set!r}) finds it.")
    if output is not None:
        if is_npz:
            files.convert(options.file, output, variant)
        else:
            save_keras_weights(_model(variant, arrays), output)
        print(f"Wrote {output}: the weights of {variant}.")
    return variant, arrays


def main(argv=None) -> int:
    """Runs the command; returns 0 where all is well.

    Args:
        argv: Words of the command line, or None for the process's own.
    """
    options = _parser().parse_args(argv)
    if options.variant:
        told = "--variant is called --network now, and goes with the next "
        print(f"{told}version", file=sys.stderr)
        options.network = options.variant
    try:
        variant, arrays = _write(options)
        good = options.no_report or _report(variant, arrays)
    except (ValueError, OSError, ImportError, MemoryError) as error:
        print(error or "There is not enough memory.", file=sys.stderr)
        return 2
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
