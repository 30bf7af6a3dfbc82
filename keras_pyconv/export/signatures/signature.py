"""The entry points of a SavedModel, over one shared model.

Every output carries the batch: TF Serving refuses one that does not.
"""

import dataclasses
import re
from collections.abc import Callable
from typing import Any

from keras_pyconv import arguments
from keras_pyconv.export.inspect import random_arrays
from keras_pyconv.export.signatures.recorded import Recorded
from keras_pyconv.lazy import tf
from keras_pyconv.typing import Array

WRITABLE = ("float32", "float64", "int32", "int64", "uint8", "bool", "string")
METHODS = ("predict", "classify", "regress")


def unservable(spec):
    """Why a server cannot give an output of a `tf.TensorSpec`, or ""."""
    dtype, shape = spec.dtype.name, spec.shape
    if dtype not in WRITABLE:
        return (
            f"is {dtype}, which the server cannot write as JSON. "
            f"It can: {', '.join(WRITABLE)}."
        )
    if shape.rank == 0 or (shape.rank and shape[0] is not None):
        return (
            "must have the batch of any size as its first axis. "
            f"Received: shape {shape}"
        )
    return ""


@dataclasses.dataclass(frozen=True)
class Signature:
    """One entry point of a SavedModel, and how it is made.

    Attributes:
        name: what clients ask for, such as `serving_default`.
        inputs: `tf.TensorSpec` by input name; the first axis is the batch and
            None, other axes may be None too. A string that holds a file's
            bytes has a name that ends in `_bytes`.
        function: `(model, tensors) -> outputs`. `tensors` are the inputs by
            name; `model(inputs)` takes and gives what the Keras model does,
            at inference and in float32; outputs are a dictionary of tensors
            whose first axis is the batch.
        method: how the server answers it: one of `METHODS`.
        examples: `(count) -> arrays by input name`, of `count` rows that
            differ, to warm up and to check; None for random numbers, which
            will not do for strings.
        batch_sizes: of the warm-up requests; None for those of the export.
        meaning: one sentence for readers.
        outputs: what each output is, by its name, for readers.
        recorded: `Recorded`, how the answers are made, or None; of several
            signatures the first one's is kept.
    """

    name: str
    inputs: dict
    function: Callable
    method: str = "predict"
    examples: Callable | None = None
    batch_sizes: tuple | None = None
    meaning: str = ""
    outputs: dict = dataclasses.field(default_factory=dict)
    recorded: Recorded | None = None

    def __post_init__(self):
        if not re.fullmatch(r"[A-Za-z][\w.-]*", self.name):
            raise ValueError(
                "A signature's name must start with a letter and contain "
                f"letters, digits, '_', '.' and '-'. Received: {self.name!r}"
            )
        if self.method not in METHODS:
            raise ValueError(
                f"Unknown method {self.method!r} of the signature "
                f"{self.name!r}. Known: {', '.join(METHODS)}."
            )
        for name, spec in self.inputs.items():
            if not spec.shape.rank or spec.shape[0] is not None:
                raise ValueError(
                    "The first axis of an input must be the batch, of any "
                    f"size. Received: {name!r} of shape {spec.shape} in the "
                    f"signature {self.name!r}"
                )

    def example_inputs(self, count: int, size: int) -> dict[str, Array]:
        """Its own examples, or random numbers; open axes are `size`."""
        if self.examples is not None:
            return self.examples(count)
        arrays = random_arrays(self.inputs.values(), count, size)
        return dict(zip(self.inputs, arrays))

    def traced(self, model: Any) -> Callable[..., Any]:
        """The concrete function, over a model as of `traced_model`.

        An output that a server cannot give is a ValueError.
        """

        def serve(**tensors):
            outputs = self.function(model, tensors)
            for name, tensor in outputs.items():
                if fault := unservable(tensor):
                    whose = f"of the signature {self.name!r}"
                    raise ValueError(f"The output {name!r} {whose} {fault}")
            return outputs

        given = self.inputs.items()
        named = {
            k: tf.TensorSpec(spec.shape, spec.dtype, k) for k, spec in given
        }
        function = tf.function(serve, autograph=False)
        return function.get_concrete_function(**named)


def check_signatures(signatures):
    """Refuses what are not signatures with a name each."""
    arguments.instance("signatures", signatures, (list, tuple))
    arguments.check("signatures", signatures, signatures, "one at least")
    for place, one in enumerate(signatures):
        name = f"signatures[{place}]"
        arguments.instance(name, one, Signature, "a `Signature`")
        dtypes = {spec.dtype.name for spec in one.inputs.values()}
        if "string" in dtypes and one.examples is None:
            raise ValueError(
                f"The signature {one.name!r} has string inputs and needs "
                "`examples`: a function that takes a number and returns that "
                "many."
            )
    names = [one.name for one in signatures]
    if len(set(names)) < len(names):
        raise ValueError(
            "`signatures` must have different names. Received the names: "
            f"{', '.join(names)}"
        )


def given_signatures(signatures, labels, task, top_k):
    """The signatures of the caller, and what is recorded of them."""
    if labels is not None or task is not None:
        raise ValueError(
            "`labels` and `task` apply to generated signatures; do not "
            "combine them with your own `signatures`. Received: "
            f"signatures={arguments.shown(signatures)}"
        )
    check_signatures(signatures)
    records = (signature.recorded for signature in signatures)
    return signatures, next(filter(None, records), Recorded(top_k=top_k))
