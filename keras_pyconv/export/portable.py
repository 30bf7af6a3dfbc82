"""What exports to other runtimes share: the form, the proof and the file.

A file is written beside its place, opened and asked in its own runtime, and
renamed only when it answers as the Keras model does: converters are known to
end well and to leave a file that no runtime takes.
"""

import dataclasses
import pathlib

import keras
import numpy as np

from keras_pyconv.export.entry_points import input_specs
from keras_pyconv.export.saved_model import check_finite, check_model
from keras_pyconv.export.serving_form import (
    call,
    is_sound,
    random_inputs,
    running_size,
    serving_form,
)
from keras_pyconv.export.signatures import raw_signatures
from keras_pyconv.models.nesting import as_functional
from keras_pyconv.ops.graph import built_for


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


def portable_form(model, fold=True):
    """The form of a model that goes to other runtimes.

    That which is served, float32 and folded, with TensorFlow's own groups in
    two axes and with convolutions of three axes lowered to two.

    Args:
        model: built functional or sequential `keras.Model`; not changed.
        fold: whether batch normalization is folded into the kernels.

    Returns:
        A functional `keras.Model`.

    Raises:
        TypeError, ValueError, RuntimeError: as in `saved_model`.
    """
    check_model(model)
    check_finite(model)
    return as_functional(serving_form(model, fold, way="portable"))


def sized_specs(form, batch, size):
    """What the exported function takes.

    Args:
        form: the portable form.
        batch: rows, or None for any number.
        size: of every axis that the form leaves open, or None to leave it.

    Returns:
        List of `tf.TensorSpec`, one for each of `form.inputs`.
    """
    import tensorflow as tf

    return [
        tf.TensorSpec(
            (batch, *(size if n is None else n for n in spec.shape[1:])),
            spec.dtype,
            spec.name,
        )
        for spec in input_specs(form)
    ]


def exported_function(form, specs, purpose):
    """A concrete function from inputs by name to the model's outputs.

    Args:
        form: the portable form.
        specs: from `sized_specs`.
        purpose: "onnx", or "portable" for runtimes whose convolutions and
            pools cannot pad by themselves.

    Returns:
        The `tf.function` that was traced, and its concrete function.
    """
    import tensorflow as tf

    (signature,) = raw_signatures(form)

    def serve(**tensors):
        with built_for(purpose):
            return signature.function(
                lambda inputs: form(inputs, training=False), tensors
            )

    function = tf.function(serve, autograph=False)
    named = {spec.name: spec for spec in specs}
    return function, function.get_concrete_function(**named)


def compare(form, specs, runtimes, allowed, batches):
    """Asks runtimes what Keras was asked.

    Args:
        form: the portable form.
        specs: from `sized_specs`.
        runtimes: functions from `{input name: array}` to a dictionary of
            arrays, by the names of the runtimes.
        allowed: the largest difference, as a share of the largest output.
        batches: how many rows to ask at once, one question each.

    Returns:
        Tuple of `Comparison`.

    Raises:
        ValueError: a runtime cannot answer, or answers otherwise.
    """
    size = next((n for s in specs for n in s.shape[1:-1]), None)
    size = size or running_size(form)
    found = []
    for batch in batches:
        arrays = random_inputs(form, batch, seed=batch, size=size)
        wanted = call(form, arrays)
        named = {spec.name: array for spec, array in zip(specs, arrays)}
        for runtime, ask in runtimes.items():
            try:
                answer = ask(named)
            except Exception as error:
                raise ValueError(
                    f"{runtime} cannot run the file that was made of "
                    f"{form.name!r}: {error}"
                ) from error
            difference = _difference(form, wanted, answer)
            row = Comparison(runtime, batch, difference, allowed)
            if np.isinf(difference) or not difference <= allowed:
                raise ValueError(f"The file of {form.name!r} is wrong. {row}")
            found.append(row)
    return tuple(found)


def named_outputs(form, flat):
    """The flat outputs of a model by the names that an export gives them."""
    tensors = [keras.ops.convert_to_tensor(array) for array in flat]
    (signature,) = raw_signatures(form)
    inputs = dict.fromkeys(spec.name for spec in input_specs(form))
    outputs = signature.function(lambda _: tensors, inputs)
    return {name: value.numpy() for name, value in outputs.items()}


def _difference(form, wanted, answer):
    """The largest difference of any output, as a share of its largest."""
    worst = 0.0
    for name, expected in named_outputs(form, wanted).items():
        received = np.asarray(answer[name])
        if received.shape != expected.shape or not is_sound(received):
            return np.inf
        largest = np.abs(expected).max(initial=0.0) or 1.0
        error = np.abs(expected - received.astype(expected.dtype))
        worst = max(worst, float(error.max(initial=0.0) / largest))
    return worst
