"""The entry points of a SavedModel: one record each, over one shared model.

A `Signature` says what a client sends and what it gets. The model itself is
traced once, and every signature calls that one function: with constants for
variables its weights would else stand in the file once for each signature.

Every output carries the batch dimension, because TF Serving's batcher and
its REST rows refuse one that does not, and has a type that the server can
write as JSON.
"""

import dataclasses
import re
from collections.abc import Callable

import keras

from keras_pyconv.export.recorded import Recorded
from keras_pyconv.export.serving_form import LOW_PRECISION
from keras_pyconv.models.nesting import as_functional
from keras_pyconv.ops.empty_batch import never_empty

WRITABLE = ("float32", "float64", "int32", "int64", "uint8", "bool", "string")
METHODS = ("predict", "classify", "regress")
METHOD_PREFIX = "tensorflow/serving/"
INPUT_NAMES = {4: "images", 5: "clips"}  # by rank, for one float input


@dataclasses.dataclass(frozen=True)
class Signature:
    """One entry point of a SavedModel, and how it is made.

    Attributes:
        name: what clients ask for, such as `serving_default`.
        inputs: `tf.TensorSpec` by input name; the first axis is the batch
            and None, other axes may be None too. A string that holds a
            file's bytes has a name that ends in `_bytes`.
        function: `(model, tensors) -> outputs`. `tensors` are the inputs by
            name; `model(inputs)` takes and gives what the Keras model does,
            at inference and in float32; outputs are a dictionary of tensors
            whose first axis is the batch.
        method: how the server answers it: one of `METHODS`.
        examples: `(count) -> arrays by input name`, of `count` rows that
            differ: the warm-up requests, and what the checker asks. None
            where random numbers will do, which they never do for strings.
        batch_sizes: of the warm-up requests; None for those of the export.
        meaning: one sentence for readers.
        outputs: what each output is, by its name, for readers.
        recorded: `Recorded`, what clients and the checker must know of how
            the answers are made, or None; of several signatures the first
            one's is kept.
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
                "A signature's name begins with a letter and holds letters, "
                f"digits, '_', '.' and '-'. Received: {self.name!r}"
            )
        if self.method not in METHODS:
            raise ValueError(
                f"Unknown method {self.method!r} of the signature "
                f"{self.name!r}. Known: {', '.join(METHODS)}."
            )
        for name, spec in self.inputs.items():
            if not spec.shape.rank or spec.shape[0] is not None:
                raise ValueError(
                    "The first axis of an input is the batch, of any size. "
                    f"Received: {name!r} of shape {spec.shape} in the "
                    f"signature {self.name!r}"
                )


def check_signatures(signatures):
    """Refuses what is no list of `Signature` with a name each.

    Args:
        signatures: sequence of `Signature`.

    Returns:
        The same as a tuple.

    Raises:
        TypeError: one is no `Signature`.
        ValueError: there is none, or two have the same name.
    """
    signatures = tuple(signatures)
    for signature in signatures:
        if not isinstance(signature, Signature):
            raise TypeError(
                "`signatures` must be keras_pyconv.export.Signature records. "
                f"Received: {signature!r}"
            )
    names = [signature.name for signature in signatures]
    if not names or len(set(names)) < len(names):
        raise ValueError(
            "`signatures` must be one or more with different names. "
            f"Received the names: {', '.join(names) or 'none'}"
        )
    return signatures


def input_specs(model):
    """What the default signature of a model takes.

    Args:
        model: functional or sequential `keras.Model`.

    Returns:
        List of one `tf.TensorSpec` for each of `model.inputs`, of any batch,
        float32 for floats of less precision.
    """
    import tensorflow as tf

    specs = []
    single = len(model.inputs) == 1
    for tensor in model.inputs:
        dtype = keras.backend.standardize_dtype(tensor.dtype)
        name = re.sub(r"\W", "_", tensor.name)
        if dtype in (*LOW_PRECISION, "float32"):
            dtype = "float32"
            if single:
                name = INPUT_NAMES.get(len(tensor.shape), name)
        shape = (None, *tensor.shape[1:])
        specs.append(tf.TensorSpec(shape, dtype, name))
    return specs


def traced_model(model, freeze=False):
    """The model at inference as one function that signatures share.

    Args:
        model: functional or sequential `keras.Model`.
        freeze: whether the variables' values are written into the graph as
            constants.

    Returns:
        Function that takes and gives what the model does; numbers are cast
        to the types of the model's inputs.
    """
    import tensorflow as tf

    model = as_functional(model)
    dtypes = [tensor.dtype for tensor in model.inputs]
    arrays = [(v, v.numpy()) for v in model.variables] if freeze else []

    def forward(*flat):
        structured = keras.tree.pack_sequence_as(model.input, list(flat))
        if not freeze:
            return model(structured, training=False)
        # A tensor made outside would be an argument of the function, and
        # oneDNN keeps the layout of constants alone.
        constants = [(v, tf.constant(array)) for v, array in arrays]
        with keras.StatelessScope(state_mapping=constants):
            return model(structured, training=False)

    specs = [
        tf.TensorSpec((None, *tensor.shape[1:]), dtype)
        for tensor, dtype in zip(model.inputs, dtypes)
    ]

    def answer(*flat):
        # Layers of others have convolutions too, and a row of text that is
        # none is not text.
        if any(tensor.dtype == tf.string for tensor in flat):
            return forward(*flat)
        return never_empty(lambda filled: forward(*filled), flat)

    traced = tf.function(answer, input_signature=specs, autograph=False)

    def call(inputs):
        flat = keras.tree.flatten(inputs)
        return traced(*[tf.cast(x, dtype) for x, dtype in zip(flat, dtypes)])

    return call


def _check_outputs(signature, outputs):
    """Refuses outputs that the server would refuse at the first request."""
    for name, tensor in outputs.items():
        if tensor.dtype.name not in WRITABLE:
            raise ValueError(
                f"The output {name!r} of the signature {signature.name!r} is "
                f"{tensor.dtype.name}, which the server cannot write as "
                f"JSON. It can: {', '.join(WRITABLE)}."
            )
        rank = tensor.shape.rank
        if rank == 0 or (rank and tensor.shape[0] is not None):
            raise ValueError(
                f"The output {name!r} of the signature {signature.name!r} "
                "must have the batch of any size as its first axis. "
                f"Received: shape {tensor.shape}"
            )


def concrete_function(signature, model_function):
    """Traces one signature over the shared model.

    Args:
        signature: the `Signature`.
        model_function: what `traced_model` returned.

    Returns:
        A concrete TensorFlow function from keyword tensors to a dictionary.

    Raises:
        ValueError: an output that the server cannot give.
    """
    import tensorflow as tf

    def serve(**tensors):
        outputs = signature.function(model_function, tensors)
        _check_outputs(signature, outputs)
        return outputs

    arguments = {
        name: tf.TensorSpec(spec.shape, spec.dtype, name)
        for name, spec in signature.inputs.items()
    }
    return tf.function(serve, autograph=False).get_concrete_function(
        **arguments
    )


def serving_module(model, signatures, freeze=False):
    """Makes the object that `tf.saved_model.save` writes.

    Args:
        model: functional or sequential `keras.Model` in serving form.
        signatures: sequence of `Signature`.
        freeze: whether variables become constants.

    Returns:
        A `tf.Module` that owns the model's variables, and its concrete
        functions by signature name.
    """
    import tensorflow as tf

    module = tf.Module()
    if not freeze:
        # A Session restores tf.Variables only. Keras's own variables, or
        # the model, would be restored by tf.saved_model.load alone.
        module.model_variables = [v.value for v in model.variables]
    shared = traced_model(model, freeze)
    return module, {
        signature.name: concrete_function(signature, shared)
        for signature in signatures
    }


def write_methods(folder, signatures):
    """Notes in a SavedModel how the server answers each signature.

    Args:
        folder: of the SavedModel that `tf.saved_model.save` wrote, which
            notes "predict" for all of them.
        signatures: sequence of `Signature`.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    methods = {s.name: s.method for s in signatures if s.method != "predict"}
    if not methods:
        return
    file = folder / "saved_model.pb"
    message = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for meta_graph in message.meta_graphs:
        for name, method in methods.items():
            definition = meta_graph.signature_def[name]
            definition.method_name = METHOD_PREFIX + method
    file.write_bytes(message.SerializeToString())
