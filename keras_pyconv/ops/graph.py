"""How the operations here build graphs of TensorFlow."""

import functools

import keras

from keras_pyconv.lazy import tf


def on_tensorflow() -> bool:
    """Whether Keras runs on TensorFlow; elsewhere its own operations serve."""
    return keras.backend.backend() == "tensorflow"


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
    """What `forward` makes of tensors, with the gradients of `other`."""

    @tf.custom_gradient
    def differentiable(*tensors):
        def gradient(upstream):
            with tf.GradientTape() as tape:
                tape.watch(tensors)
                outputs = other(*tensors)
            return tape.gradient(outputs, tensors, upstream)

        return forward(*tensors), gradient

    return differentiable(*tensors)


def instead_of(plain, value):
    """`value` for the equal tensor `plain`, through which gradients go.

    `plain`, which may have fewer rows and shorter numbers, is not computed
    unless something else needs it.
    """

    @tf.custom_gradient
    def connected(value, plain):
        def gradient(upstream):
            if value.shape[0] is None:
                first = [0] * len(plain.shape)
                upstream = tf.slice(upstream, first, tf.shape(plain))
            return None, tf.cast(upstream, plain.dtype)

        return tf.identity(value), gradient

    return connected(value, plain)


@functools.lru_cache(maxsize=1024)
def _traced(function, *specs):
    # Inlined, its operations would be optimized anew at every call.
    return tf.function(
        function.__call__,
        input_signature=specs,
        autograph=False,
        experimental_attributes={"_noinline": True},
    )


def traced_once(function, *tensors):
    """What a hashable `function` makes of tensors, as one operation of a graph.

    Graphs in which equal ones meet tensors alike share it and its gradients,
    which are traced and optimized once. All else that it asks must be the same
    throughout a process; whether XLA compiles is not. The blocks of a stage are
    alike, and Keras traces a training step twice: the first of
    PyConvHGResNet-50 took 54 s, and 34 since (AMD EPYC with AVX2, oneDNN off,
    2026-11-30).

    Inside of it nothing tells where its tensors are, so that with a GPU, for
    which nothing was measured, it is not shared.
    """
    if tf.executing_eagerly() or tf.config.list_logical_devices("GPU"):
        return function(*tensors)
    specs = (tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in tensors)
    return _traced(function, *specs)(*tensors)


def frame_by_frame(function, clips):
    """What `function` of images makes of every frame of `clips`."""
    batch, frames, *image = sizes_of(clips)
    outputs = function(tf.reshape(clips, (batch * frames, *image)))
    return tf.reshape(outputs, (batch, frames, *sizes_of(outputs)[1:]))
