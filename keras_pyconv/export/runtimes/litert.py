"""`litert`: a built Keras model becomes a file for LiteRT, once TF Lite.

The converter takes grouped convolutions of three axes, and the interpreter then
refuses to allocate them; so they are lowered to two axes.
"""

import dataclasses
import functools
import importlib
import re
import warnings
from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np

from keras_pyconv import arguments
from keras_pyconv.export.runtimes import about, portable
from keras_pyconv.figures import share
from keras_pyconv.lazy import tf
from keras_pyconv.tasks.preprocessing import Preprocessing
from keras_pyconv.typing import ArrayLike, PathLike
from keras_pyconv.writing import replacing

# Largest difference that passes, as a share of the largest output. That of
# eight bits is no mistake: the report says what it costs.
ALLOWED = {"float32": 1e-4, "float16": 2e-2, "int8": np.inf}
MOST_CALIBRATION = 512  # examples; ranges settle long before
MISSING = re.compile(r"'?tf\.(\w+)'? op is neither a custom op nor a flex op")
FAULT = re.compile(r"error: (.*)")


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """What int8 costs in accuracy.

    Attributes:
        examples: how many were asked.
        agreement: share of the answers whose largest entry stays the same;
            None where the outputs have a single entry.
        mean_difference: as a share of the largest output.
        before, after: share of right answers in float32 and in int8, or None
            where no truth was given.
    """

    examples: int
    agreement: float | None
    mean_difference: float
    before: float | None = None
    after: float | None = None

    def __str__(self):
        parts = [f"int8 against float32 on {self.examples} examples: "]
        if self.agreement is not None:
            parts.append(f"the best class agrees in {share(self.agreement)}, ")
        parts.append(f"mean difference {self.mean_difference:.1e}")
        if self.before is not None:
            parts.append(
                f", accuracy {share(self.before)} to {share(self.after)}"
            )
        return "".join(parts)


def open_litert(path, threads=None):
    """Name of the runtime, and a function from named arrays to named arrays.

    Its `inputs` are their shapes by name.
    """
    try:
        module = importlib.import_module("ai_edge_litert.interpreter")
        name = "LiteRT"
    except ImportError:
        # Newer TensorFlow leaves the interpreter to ai-edge-litert.
        module, name = getattr(tf, "lite", None), "TF Lite"
        if not hasattr(module, "Interpreter"):
            raise ImportError(
                "LiteRT needs ai-edge-litert, which is not installed: pip "
                "install ai-edge-litert"
            ) from None
    interpreter = module.Interpreter(str(path), num_threads=threads)
    runner = interpreter.get_signature_runner(portable.SIGNATURE)

    def ask(inputs):
        return runner(**inputs)

    details = runner.get_input_details().items()
    ask.inputs = {key: one["shape_signature"].tolist() for key, one in details}
    return name, ask


def _examples(calibration, specs):
    """An array of examples for each input."""
    if isinstance(calibration, np.ndarray):
        calibration = [calibration]
    batches, count = [], 0
    for batch in calibration:
        arrays = batch if isinstance(batch, (list, tuple)) else [batch]
        arrays = [np.asarray(array) for array in arrays]
        if [a.shape[1:] for a in arrays] != [tuple(s.shape[1:]) for s in specs]:
            raise ValueError(
                "`calibration` must hold what the model takes, inputs of "
                f"shapes {[tuple(s.shape) for s in specs]}. Received: "
                f"{[a.shape for a in arrays]}"
            )
        batches.append(arrays)
        count += len(arrays[0])
        if count >= MOST_CALIBRATION:
            break
    if not count:
        raise ValueError("`calibration` contains no example.")
    joined = [np.concatenate(arrays) for arrays in zip(*batches)]
    return [
        array[:MOST_CALIBRATION].astype(spec.dtype.as_numpy_dtype)
        for array, spec in zip(joined, specs)
    ]


def _batches(examples, specs):
    """Batches of the file's size by name; the last is filled up."""
    count, batch = len(examples[0]), specs[0].shape[0] or 1
    for begin in range(0, count, batch):
        rows = np.arange(begin, begin + batch) % count
        yield {s.name: array[rows] for s, array in zip(specs, examples)}


def _converted(form, specs, precision, examples):
    """The bytes of the LiteRT file."""
    with portable.saved(form, specs) as folder:
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if precision == "int8":
            batches = functools.partial(_batches, examples, specs)
            converter.representative_dataset = batches
            only = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.target_spec.supported_ops = only
        try:
            with warnings.catch_warnings():
                message = r"\s*Warning: tf.lite.Interpreter"
                warnings.filterwarnings("ignore", message, UserWarning)
                return converter.convert()
        except Exception as error:
            raise _refusal(form, precision, error) from error


def _refusal(form, precision, error):
    """What cannot be converted and why, in a sentence or two."""
    missing = sorted(set(MISSING.findall(str(error))))
    # Notes of where the compiler was follow what it found.
    lines = FAULT.findall(str(error)) or str(error).strip().splitlines()
    why = " ".join(lines[-1:])[:400]
    if missing:
        why = f"LiteRT has no {', '.join(missing)}."
    return portable.refusal(form, f"for LiteRT in {precision}", why)


def _accuracy(form, specs, ask, examples, truth):
    """Asks both for all examples, a batch of the file at a time."""
    wanted, got = [], []
    for named in _batches(examples, specs):
        outputs = portable.named_outputs(form, named.values())
        name, expected = next(iter(outputs.items()))
        wanted.append(expected)
        got.append(ask(named)[name])
    count = len(examples[0])
    wanted, got = np.concatenate(wanted)[:count], np.concatenate(got)[:count]
    largest = np.abs(wanted).max(initial=0.0) or 1.0
    before, after = (array.argmax(-1) for array in (wanted, got))
    right = []
    if truth is not None:
        right = [float(np.mean(best == truth)) for best in (before, after)]
    agreement = float(np.mean(before == after))
    difference = float(np.mean(np.abs(wanted - got)) / largest)
    return Accuracy(
        count, agreement if wanted.shape[-1] > 1 else None, difference, *right
    )


def _check_options(form, precision, calibration, batch, size):
    arguments.one_of("precision", precision, ALLOWED)
    if precision == "int8" and calibration is None:
        raise ValueError(
            "int8 needs `calibration`: a few hundred inputs of model.predict, "
            "to measure the ranges of activations."
        )
    if form.is_open and size is None:
        raise ValueError(
            f"The model {form.name!r} accepts any size, but a LiteRT file "
            "accepts one: pass `size`, in pixels."
        )
    arguments.integer("size", size, optional=True)
    arguments.integer("batch", batch, optional=True)
    if size is not None and not form.is_open:
        rule = "None, since the model leaves no size open"
        arguments.refuse("size", size, rule)


def litert(
    model: keras.Model,
    path: PathLike,
    precision: Literal["float32", "float16", "int8"] = "float32",
    *,
    calibration: Any = None,
    evaluation: tuple[Any, ArrayLike] | None = None,
    batch: int | None = 1,
    size: int | None = None,
    fold: bool = True,
    labels: Sequence[str] | None = None,
    preprocessing: Preprocessing | Literal["auto"] | None = "auto",
) -> portable.Exported:
    """Writes a model as a LiteRT file and checks that it runs.

    The signature `serving_default` has the names of the model's inputs and
    outputs, in float32 for every precision. Batch normalization is folded,
    grouped convolutions stay native, and 3-D convolutions become 2-D ones,
    which every interpreter has.

    Args:
        model: built functional or sequential `keras.Model`; it stays unchanged.
        path: path of the file, usually `*.tflite`; an existing one is replaced.
        precision: "float32"; "float16", half the size; or "int8", a quarter,
            with ranges from `calibration`.
        calibration: for int8, an array of inputs of `model.predict`, or an
            iterable of batches; the first 512 examples are used.
        evaluation: pair of inputs and true classes, on which int8 is
            compared with float32; None for the calibration examples.
        batch: batch size of the file, or None for any, which is slower when
            the runtime must plan its memory again.
        size: size in pixels of every axis that the model leaves open.
        fold: whether to fold batch normalization into the kernels.
        labels: sequence of class names to store in the file, or None.
        preprocessing: `Preprocessing` to store in the file; "auto" decides as
            `saved_model` does.

    Returns:
        `Exported` with `path`, `size_bytes`, `comparisons` and, for int8,
        `accuracy`.

    Raises:
        TypeError, ValueError: the model or an argument is not valid, LiteRT
            lacks an operation, or the file's outputs differ from the model's.
        ImportError: no interpreter is installed.

    Example:

    >>> print(keras_pyconv.export.litert(model, "digits.tflite", "float16"))
    """
    path = arguments.new_file("path", path, anywhere=True)
    form, recorded = portable.prepared(
        model, "portable", fold, labels, preprocessing
    )
    _check_options(form, precision, calibration, batch, size)
    specs = portable.sized_specs(form, batch, size)
    is_int8 = precision == "int8"
    examples = _examples(calibration, specs) if is_int8 else None
    data = _converted(form, specs, precision, examples)
    with replacing(path) as file:
        file.write_bytes(data)
        with portable.can_run("LiteRT", form, (RuntimeError, ValueError)):
            runtime, ask = open_litert(file)
        batches = (batch,) if batch else (1, 2)
        allowed = ALLOWED[precision]
        rows = portable.compare(form, specs, {runtime: ask}, allowed, batches)
        accuracy = None
        if is_int8:
            asked, truth = examples, None
            if evaluation is not None:
                asked = _examples(evaluation[0], specs)
                truth = np.asarray(evaluation[1])[: len(asked[0])]
            accuracy = _accuracy(form, specs, ask, asked, truth)
        about.write(file, *recorded)
        written = file.stat().st_size
    return portable.Exported(path, precision, written, rows, accuracy)
