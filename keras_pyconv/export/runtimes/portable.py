"""What exports to other runtimes share: the form, the proof and the file.

Converters are known to end well and to leave a file that no runtime takes: it
takes its place once it was asked in its own runtime.
"""

import contextlib
import dataclasses
import functools
import pathlib
import tempfile
from typing import Any

import keras
import numpy as np

from keras_pyconv import arguments
from keras_pyconv.diverted import without_gradients
from keras_pyconv.export.form import NAMES_SHOWN, difference, formed
from keras_pyconv.export.inspect import inspect, is_sound
from keras_pyconv.export.signatures.classifier import (
    checked_labels,
    choose_preprocessing,
    raw_signature,
)
from keras_pyconv.export.signatures.recorded import Recorded
from keras_pyconv.lazy import tf
from keras_pyconv.reading import explained
from keras_pyconv.tasks.detection.default_boxes import (
    box_layer,
    box_settings,
    is_detector,
)
from keras_pyconv.weights.described import known

SIGNATURE = "serving_default"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How far a runtime's answers are from those of Keras.

    Attributes:
        runtime: its name and version.
        batch: how many examples were asked at once.
        difference: the largest, as a share of the largest output; infinite
            for answers that cannot be compared.
        allowed: the most that passes; infinite for int8, which has no bound.
    """

    runtime: str
    batch: int
    difference: float
    allowed: float

    def __str__(self):
        asked = f"{self.runtime}, batch {self.batch}"
        if np.isinf(self.difference):
            return f"{asked}: answers of another shape, or not of numbers"
        bound = f"allowed are {self.allowed:.0e}"
        if np.isinf(self.allowed):
            bound = "without a bound: the accuracy says what int8 costs"
        return (
            f"{asked}: differs by {self.difference:.1e} of the largest "
            f"output, {bound}"
        )


@dataclasses.dataclass(frozen=True)
class Exported:
    """A file that was opened in its runtime and answers as Keras does.

    Attributes:
        path: of the file; text where it is on another file system.
        precision: of its weights.
        size_bytes: of the file.
        comparisons: a `Comparison` for each runtime and batch.
        accuracy: what less precision cost, or None where nothing was lost.
    """

    path: pathlib.Path | Any
    precision: str
    size_bytes: int
    comparisons: tuple
    accuracy: object = None

    def __str__(self):
        size = f"{self.size_bytes / 1e6:.2f} MB, {self.precision}"
        lines = [f"{self.path}: {size}", *map(str, self.comparisons)]
        if self.accuracy is not None:
            lines.append(str(self.accuracy))
        return "\n".join(lines)


def prepared(model, target, fold, labels, preprocessing):
    """What a file is made of, checked: the form, and what is recorded of it.

    The `target` is "onnx", or "portable" for runtimes whose convolutions and
    pools cannot pad by themselves.
    """
    arguments.flag("fold", fold)
    seen = inspect(model)
    recorded = _recorded_of(seen, labels, preprocessing)
    return formed(seen, fold, target), recorded


def _recorded_of(seen, labels, preprocessing):
    """What a file says of itself: the arguments of `about.write`."""
    boxes, classes = None, seen.classes
    if is_detector(seen.model):
        boxes = box_settings(seen.model)
        classes = box_layer(seen.model, "logits").width - 1
    elif not classes and len(seen.output_shapes) == 1:
        classes = seen.output_shapes[0][-1]
    rule = choose_preprocessing(seen, preprocessing)
    labels = checked_labels(labels, classes, seen.model)
    record = Recorded(rule, labels, threshold=seen.threshold)
    return record, boxes, known(seen.model)


def refusal(form, how, why):
    """The error of a model that a converter cannot write."""
    cure = "Replace the layers that need it, or serve the model by TensorFlow."
    modes = {
        repr(x.name): getattr(x, "quantization_mode", 0) for x in form.layers
    }
    quantized = [name for name, mode in modes.items() if mode][:NAMES_SHOWN]
    if quantized:
        why = (
            "the runtime does not compute as `quantize` made these layers do: "
        )
        why += f"{', '.join(quantized)}."
        cure = (
            "Export the model as it was before; `litert` makes integers with "
            'precision="int8".'
        )
    return ValueError(
        f"The model {form.name!r} cannot be written {how}: {why} {cure}"
    )


def sized_specs(form, batch, size):
    """`tf.TensorSpec` of the inputs, for a batch and a size or for any."""

    def sized(spec):
        sides = [size if n is None else n for n in spec.shape[1:]]
        return tf.TensorSpec((batch, *sides), spec.dtype, spec.name)

    return list(map(sized, form.specs))


def _outputs(form, *tensors):
    """The model's outputs by name, at inference."""
    named = dict(zip([spec.name for spec in form.specs], tensors))
    return raw_signature(form).function(
        lambda inputs: form.model(inputs, training=False), named
    )


def exported_function(form, specs):
    """The `tf.function` from inputs in their order to outputs by name."""
    serve = functools.partial(_outputs, form)
    return tf.function(serve, input_signature=specs, autograph=False)


@contextlib.contextmanager
def saved(form, specs):
    """The folder of a SavedModel of the form, for converters, in a block."""
    module = tf.Module()
    module.model_variables = [v.value for v in form.model.variables]
    function = exported_function(form, specs)
    signatures = {SIGNATURE: function.get_concrete_function()}
    with tempfile.TemporaryDirectory() as folder, without_gradients():
        tf.saved_model.save(module, folder, signatures=signatures)
        yield folder


def can_run(runtime, form, errors=Exception):
    """A block in which a runtime's errors say that it cannot run the file."""
    made = f"the file that was made of {form.name!r}"
    return explained(f"{runtime} cannot run {made}", errors)


def compare(form, specs, runtimes, allowed, batches):
    """Asks runtimes, by their names, what Keras was asked: `Comparison`s.

    A runtime that cannot answer, or is off by more than is allowed, is a
    ValueError.
    """
    size = next((n for s in specs for n in s.shape[1:-1]), None) or form.size
    found = []
    for batch in batches:
        arrays = form.inputs(batch, seed=batch, size=size)
        wanted = named_outputs(form, arrays)
        named = {spec.name: array for spec, array in zip(specs, arrays)}
        for runtime, ask in runtimes.items():
            with can_run(runtime, form):
                answer = ask(named)
            error = _difference(wanted, answer)
            row = Comparison(runtime, batch, error, allowed)
            if np.isinf(error) or not error <= allowed:
                raise ValueError(f"The file of {form.name!r} is wrong. {row}")
            found.append(row)
    return tuple(found)


def named_outputs(form, arrays):
    """What Keras answers, by the names that an export gives the outputs."""
    outputs = _outputs(form, *map(keras.ops.convert_to_tensor, arrays))
    return {name: value.numpy() for name, value in outputs.items()}


def _difference(wanted, answer):
    """The largest difference of any output, as a share of its largest."""
    pairs = [(wanted[name], np.asarray(answer[name])) for name in wanted]
    return max(
        difference(expected, received) if is_sound(received) else np.inf
        for expected, received in pairs
    )
