"""The object that is saved: one traced model that all signatures call."""

import contextlib
import errno

import keras

from keras_pyconv.export.serving import bfloat16
from keras_pyconv.lazy import tf
from keras_pyconv.ops.uncut import never_empty

METHOD_PREFIX = "tensorflow/serving/"
GRAPH_BYTES = 8_000_000  # room for the graph beside the variables
FILE_BYTES = 2**31  # the most that a saved_model.pb can hold


def check_size(name, parameters, freeze):
    """Bytes that an export takes; refuses more than one file can hold."""
    size = 4 * parameters + GRAPH_BYTES
    if freeze and size > FILE_BYTES:
        raise ValueError(
            f"With freeze=True the weights of {name!r} must fit into one file "
            f"of {FILE_BYTES / 1e9:.1f} GB. They need {size / 1e9:.1f} GB: "
            "export with freeze=False."
        )
    return size


def traced_model(seen, freeze=False):
    """The model as one function, which takes and gives what the model does.

    It is traced once: constants for variables would else stand in the file once
    a signature. With `freeze` variables become such constants.
    """
    tensors = seen.model.inputs
    arrays = [(v, v.numpy()) for v in seen.model.variables if freeze]

    def forward(*flat):
        # A tensor made outside would be an argument of the function, and
        # oneDNN keeps the layout of constants alone.
        constants = [(v, tf.constant(array)) for v, array in arrays]
        values = keras.StatelessScope(state_mapping=constants)
        with values if freeze else contextlib.nullcontext():
            return keras.tree.pack_sequence_as(seen.model.output, seen(flat))

    def answer(*flat):
        # Layers of others have convolutions too, and a row of text that is
        # none is not text.
        if any(tensor.dtype == tf.string for tensor in flat):
            return forward(*flat)
        return never_empty(lambda filled: forward(*filled), flat)

    specs = [tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in tensors]
    traced = tf.function(answer, input_signature=specs, autograph=False)

    def call(inputs):
        pairs = zip(keras.tree.flatten(inputs), tensors)
        return traced(*[tf.cast(x, tensor.dtype) for x, tensor in pairs])

    return call


@contextlib.contextmanager
def os_errors():
    """Turns TensorFlow's errors of writing into OSError."""
    try:
        yield
    except tf.errors.OpError as error:
        full = isinstance(error, tf.errors.ResourceExhaustedError)
        raise OSError(
            errno.ENOSPC if full else errno.EIO,
            f"The model could not be written: {error.message}",
        ) from error


def writer(seen, signatures, freeze=False, halved=None):
    """Traces the signatures over a model; the function that writes both.

    `halved` is the model in bfloat16, to take where it is faster, or None.
    """
    module = tf.Module()
    models = [seen.model] + ([halved.model] if halved else [])
    if not freeze:
        # A Session restores tf.Variables only. Keras's own variables, or
        # the model, would be restored by tf.saved_model.load alone.
        module.model_variables = [v.value for m in models for v in m.variables]
    shared = traced_model(seen, freeze)
    if halved:
        module.ratio = bfloat16.unknown_ratio()
        other = traced_model(halved, freeze)
        shared = bfloat16.the_faster(shared, other, module.ratio)
    functions = {each.name: each.traced(shared) for each in signatures}

    def write(folder):
        tf.saved_model.save(module, str(folder), signatures=functions)
        _write_methods(folder, signatures)

    return write


def _write_methods(folder, signatures):
    """Notes how the server answers each signature; "predict" is noted."""
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
