"""The object that is saved: one traced model that all signatures call."""

import contextlib
import errno
import math

import keras

from keras_pyconv.export.form import CONVOLUTIONS, kernels_of
from keras_pyconv.export.serving import bfloat16
from keras_pyconv.lazy import tf
from keras_pyconv.ops.uncut import never_empty

METHOD_PREFIX = "tensorflow/serving/"
GRAPH_BYTES = 8_000_000  # room for the graph beside the variables
# Of PyConvResNet-50, a thread, AMD EPYC with AVX512-BF16, 2026-11-30: kernels
# of at most so many numbers as constants save a tenth of a single image's time
# and take 35 MB; those of up to twice as many take 66 MB more in float32 and
# save nothing further.
SMALL_NUMBERS = 2**17
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


def constant_kernels(seen):
    """The kernels of a model that an export holds as constants.

    TensorFlow computes what depends on constants alone once, and oneDNN keeps a
    constant kernel as it has rearranged it; with variables both happen at every
    request. A constant takes nine times its memory, so only small kernels are
    held, and none of a single pixel, which are rearranged the fastest.
    """
    return [
        kernel
        for layer in seen.layers
        if isinstance(layer, CONVOLUTIONS)
        for kernel in kernels_of(layer)
        # That of a layer with LoRA is no variable.
        if isinstance(kernel, keras.Variable)
        and max(kernel.shape[:-2]) > 1
        and math.prod(kernel.shape) <= SMALL_NUMBERS
    ]


class _Constants(keras.StatelessScope):
    """Constants for some variables; others are assigned as without a scope."""

    def __init__(self, arrays, others):
        # A tensor made outside would be an argument of the function, and
        # oneDNN keeps the layout of constants alone.
        values = [(variable, tf.constant(array)) for variable, array in arrays]
        super().__init__(state_mapping=values)
        self._assigned = {id(variable): variable.value for variable in others}

    def add_update(self, update):
        variable, value = update
        if id(variable) in self._assigned:
            self._assigned[id(variable)].assign(value)


def traced_model(seen, constants=()):
    """The model as one function, which takes and gives what the model does.

    It is traced once: otherwise constants would be in the file once a
    signature. `constants` are the variables whose values become constants.
    """
    tensors = seen.model.inputs
    arrays = [(v, v.numpy()) for v in constants]
    others = _without(seen.model.variables, constants)

    def forward(*flat):
        scope = _Constants(arrays, others) if arrays else None
        with scope or contextlib.nullcontext():
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


def _without(variables, some):
    known = set(map(id, some))
    return [variable for variable in variables if id(variable) not in known]


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
    module, variables, traced = tf.Module(), [], []
    for each in (seen, halved) if halved else (seen,):
        known = each.model.variables
        constants = known if freeze else constant_kernels(each)
        variables += _without(known, constants)
        traced.append(traced_model(each, constants))
    # A Session restores tf.Variables only. Keras's own variables, or the model,
    # would be restored by tf.saved_model.load alone.
    module.model_variables = [variable.value for variable in variables]
    if halved:
        module.bfloat16_is_faster = bfloat16.unknown()
        shared = bfloat16.the_faster(*traced, module.bfloat16_is_faster)
    else:
        (shared,) = traced
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
