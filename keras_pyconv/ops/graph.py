"""What the operations here know of, and ask of, the graph that they build."""

import contextlib
import contextvars
import functools

import keras

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

# Who runs the graph in the making, if not this process: "served" by machines
# that are not known; "onnx", or "portable" to any other runtime.
PURPOSE = contextvars.ContextVar("purpose", default=None)


# The name of an operation that hands on a tensor with other gradients.
CONNECTION = "connection"


@contextlib.contextmanager
def built_for(purpose):
    """Within it, graphs are built for others than this process."""
    token = PURPOSE.set(purpose)
    try:
        yield
    finally:
        PURPOSE.reset(token)


def on_gpu(inputs) -> bool:
    """Whether `inputs` are, or will be, computed with on a GPU."""
    device = inputs.device or ""
    if "CPU" in device:
        return False
    return bool(tf.config.list_logical_devices("GPU"))


@functools.cache
def _cpu_has_gradients(dtype: str) -> bool:
    """Whether the CPU differentiates its own grouped convolution."""
    with tf.init_scope(), tf.device("CPU:0"):
        images = tf.ones((1, 5, 5, 4), dtype)
        kernel = tf.ones((3, 3, 2, 4), dtype)
        options = {"strides": (1, 1, 1, 1), "padding": "SAME"}
        try:
            # Not by a GradientTape, which does not record in an init_scope.
            tf.raw_ops.Conv2DBackpropInput(
                input_sizes=images.shape,
                filter=kernel,
                out_backprop=images,
                **options,
            )
            tf.raw_ops.Conv2DBackpropFilter(
                input=images,
                filter_sizes=kernel.shape,
                out_backprop=images,
                **options,
            )
        except tf.errors.OpError:
            return False
    return True


def groups_have_gradients(inputs) -> bool:
    """Whether TensorFlow differentiates its own grouped convolution.

    On a CPU that is to say that oneDNN computes with the dtype of `inputs`.
    Machines that are not known are taken to have it.
    """
    if PURPOSE.get():
        return True
    return on_gpu(inputs) or _cpu_has_gradients(inputs.dtype.name)


def lacks(inputs) -> bool:
    """Whether the CPU has no arithmetic for the 16 bits of `inputs`.

    TensorFlow computes with them all the same, gradients twenty times as
    slowly as with 32.
    """
    here = not (PURPOSE.get() or on_gpu(inputs) or is_compiled())
    name = inputs.dtype.name
    return here and inputs.dtype.size == 2 and not _cpu_has_gradients(name)


def before_connection(tensor):
    """The tensor that `tensor` hands on, or `tensor` itself."""
    if tensor.op.type != "IdentityN":
        return tensor
    inner = tensor.op.inputs[0]
    if CONNECTION not in inner.op.name.rpartition("/")[2]:
        return tensor
    while inner.op.type == "Identity":
        inner = inner.op.inputs[0]
    return inner


def before_cast(tensor):
    """What `tensor` was in a graph before its numbers were cut short.

    Or `tensor` itself, where they were not. A ReLU behind is made anew.
    """
    if tf.executing_eagerly():
        return tensor
    operation = before_connection(tensor).op
    kind, inputs = operation.type, operation.inputs
    if kind == "Cast" and inputs[0].dtype.is_floating:
        return inputs[0] if inputs[0].dtype.size > tensor.dtype.size else tensor
    if kind == "Relu":
        wide = before_cast(inputs[0])
        return tensor if wide is inputs[0] else tf.nn.relu(wide)
    return tensor


def is_compiled() -> bool:
    """Whether XLA compiles what is built: the user set `jit_compile=True`."""
    return tf.__internal__.get_enclosing_xla_context() is not None


def sizes_of(tensor) -> list:
    """The sizes of `tensor`, as integers where they are known."""
    sizes = tensor.shape.as_list()
    if None in sizes:
        dynamic = tf.shape(tensor)
        sizes = [dynamic[i] if n is None else n for i, n in enumerate(sizes)]
    return sizes


def barrier(tensor):
    """Keeps graph optimization from fusing what stands on its two sides."""
    return tf.ensure_shape(tensor, tensor.shape)


def with_gradients_of(other, forward, *tensors):
    """What `forward` makes of tensors, with the gradients of `other`.

    Args:
        other: a function that computes the same as `forward`.
        forward: a function of `tensors` to one tensor, without gradients, or
            with slow ones.
        *tensors: what both take.
    """

    @tf.custom_gradient
    def differentiable(*tensors):
        def gradient(upstream):
            with tf.GradientTape() as tape:
                tape.watch(tensors)
                outputs = other(*tensors)
            return tape.gradient(outputs, tensors, upstream)

        return forward(*tensors), gradient

    return differentiable(*tensors)


def frame_by_frame(function, clips):
    """What `function` of images makes of every frame of `clips`.

    Args:
        function: From `(images, height, width, channels)` to the like.
        clips: A tensor `(batch, frames, height, width, channels)`.
    """
    batch, frames, *image = sizes_of(clips)
    outputs = function(tf.reshape(clips, (batch * frames, *image)))
    return tf.reshape(outputs, (batch, frames, *sizes_of(outputs)[1:]))
