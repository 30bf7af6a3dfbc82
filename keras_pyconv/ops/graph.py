"""What the operations here know of, and ask of, the graph that they build."""

import contextlib
import contextvars

import keras

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

# Who runs the graph in the making, if not this process: "served" by machines
# that are not known, "portable" to other runtimes than TensorFlow.
PURPOSE = contextvars.ContextVar("purpose", default=None)


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
