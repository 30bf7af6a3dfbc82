"""What exports to other runtimes share: the form, the proof and the file.

A file is written beside its place, opened and asked in its own runtime, and
renamed only when it answers as the Keras model does: converters are known to
end well and to leave a file that no runtime takes.
"""

import dataclasses
import pathlib

import keras
import numpy as np

from keras_pyconv.export.form import NAMES_SHOWN, difference, formed
from keras_pyconv.export.inspect import inspect, is_sound
from keras_pyconv.export.signatures.classifier import raw_signature
from keras_pyconv.lazy import tf


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
        path: of the file.
        precision: of its weights.
        size_bytes: of the file.
        comparisons: a `Comparison` for each runtime and batch.
        accuracy: what less precision cost, or None where nothing was lost.
    """

    path: pathlib.Path
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


def portable_form(model, target="portable", fold=True):
    """The form of a model that goes to other runtimes, inspected.

    That which is served, float32 and folded, with TensorFlow's own groups in
    two axes and with convolutions of three axes lowered to two.

    Args:
        model: a built `keras.Model`.
        target: "onnx", or "portable" for runtimes whose convolutions and
            pools cannot pad by themselves.
        fold: whether normalization is folded.
    """
    return formed(inspect(model), fold, target)


def refusal(form, how, why):
    """The error of a model that a converter cannot write."""
    cure = "Replace the layers that need it, or serve the model by TensorFlow."
    quantized = [
        repr(layer.name)
        for layer in form.layers
        if getattr(layer, "quantization_mode", None)
    ]
    if quantized:
        why = (
            "the runtime does not compute as `quantize` made these layers do: "
            f"{', '.join(quantized[:NAMES_SHOWN])}."
        )
        cure = (
            "Export the model as it was before; `litert` makes integers with "
            'precision="int8".'
        )
    return ValueError(
        f"The model {form.name!r} cannot be written {how}: {why} {cure}"
    )


def sized_specs(form, batch, size):
    """`tf.TensorSpec` of the inputs, for a batch and a size or for any."""
    return [
        tf.TensorSpec(
            (batch, *(size if n is None else n for n in spec.shape[1:])),
            spec.dtype,
            spec.name,
        )
        for spec in form.specs
    ]


def _outputs(form, tensors):
    """The model's outputs by name, at inference."""
    named = dict(zip([spec.name for spec in form.specs], tensors))
    return raw_signature(form).function(
        lambda inputs: form.model(inputs, training=False), named
    )


def exported_function(form, specs):
    """The `tf.function` from inputs in their order to outputs by name."""

    def serve(*tensors):
        return _outputs(form, tensors)

    return tf.function(serve, input_signature=specs, autograph=False)


def compare(form, specs, runtimes, allowed, batches):
    """Asks runtimes, by their names, what Keras was asked: `Comparison`s.

    Raises:
        ValueError: a runtime cannot answer, or its answer is off by more than
            the share of the largest output that is allowed.
    """
    size = next((n for s in specs for n in s.shape[1:-1]), None) or form.size
    found = []
    for batch in batches:
        arrays = form.inputs(batch, seed=batch, size=size)
        wanted = named_outputs(form, arrays)
        named = {spec.name: array for spec, array in zip(specs, arrays)}
        for runtime, ask in runtimes.items():
            try:
                answer = ask(named)
            except Exception as error:
                raise ValueError(
                    f"{runtime} cannot run the file that was made of "
                    f"{form.name!r}: {error}"
                ) from error
            error = _difference(wanted, answer)
            row = Comparison(runtime, batch, error, allowed)
            if np.isinf(error) or not error <= allowed:
                raise ValueError(f"The file of {form.name!r} is wrong. {row}")
            found.append(row)
    return tuple(found)


def named_outputs(form, arrays):
    """What Keras answers, by the names that an export gives the outputs."""
    outputs = _outputs(form, map(keras.ops.convert_to_tensor, arrays))
    return {name: value.numpy() for name, value in outputs.items()}


def _difference(wanted, answer):
    """The largest difference of any output, as a share of its largest."""
    worst = 0.0
    for name, expected in wanted.items():
        received = np.asarray(answer[name])
        if not is_sound(received):
            return np.inf
        worst = max(worst, difference(expected, received))
    return worst
