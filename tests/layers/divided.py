"""What is proved of levels on several devices, where there are some.

A process has the devices with which it began: `python -m tests.layers.divided`
makes two of its processor and prints, as JSON, what failed of each `proves_`.
"""

import json
import tempfile
import traceback
import warnings
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import keras_pyconv
from keras_pyconv.complexity import Counter
from keras_pyconv.layers import PyConv, PyConv1D, PyConv3D
from keras_pyconv.ops.target import cpu_differentiates_groups

TWO = ["CPU:0", "CPU:1"]
OF_16_BITS = {"rtol": 2e-2, "atol": 2e-2}
# About three roundings of bfloat16; sums are rounded by their largest terms.
GRADIENTS_OF_16_BITS = {"rtol": 0, "atol": 0, "of_largest": 0.02}
LAYERS = [
    (PyConv1D, (20, 16), {}),
    (PyConv, (9, 8, 16), {}),
    (PyConv, (9, 8, 16), {"strides": 2, "activation": "relu"}),
    (PyConv, (16, 16, 16), {"padding": "valid", "groups": (1, 2, 4, 4)}),
    (PyConv, (16, 9, 8), {"data_format": "channels_first"}),
    (PyConv, (9, 8, 16), {"dtype": "mixed_bfloat16"}),
    (PyConv, (9, 8, 16), {"dtype": "float16"}),
    (PyConv, (9, 8, 16), {"dtype": "float64"}),
    (PyConv3D, (4, 8, 8, 16), {}),
]


def values(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def pair(kind, shape, **options):
    """A layer and the same on two devices."""
    options = {"kernel_size": (3, 5, 7, 9), "bias_initializer": "normal"} | (
        options
    )
    whole = kind(16, **options)
    whole.build((None, *shape))
    with keras_pyconv.level_devices(TWO):
        divided = kind.from_config(whole.get_config())
    divided.build((None, *shape))
    divided.set_weights(whole.get_weights())
    return whole, divided


def network(**options):
    keras.utils.set_random_seed(1)
    images = keras.Input((12, 12, 3))
    x = keras.layers.Conv2D(8, 3, padding="same")(images)
    for number in range(2):
        x = PyConv(8, (3, 5, 7, 9), name=f"pyconv{number}", **options)(x)
        x = keras_pyconv.FusedBatchNormalization(name=f"norm{number}")(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, keras.layers.Dense(3)(x))


def divided_network(**options):
    with keras_pyconv.level_devices(TWO):
        return network(**options)


def gradients(layer, inputs):
    inputs = tf.constant(inputs)

    @tf.function
    def step(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(tf.sin(tf.cast(layer(inputs), "float32")))
        return tape.gradient(loss, [inputs, *layer.trainable_variables])

    return step(inputs)


def close(found, wanted, rtol=1e-5, atol=1e-6, of_largest=0.0):
    # Sums of gradients of the inputs are taken in another order, and a device
    # has threads of its own, by whose number TensorFlow cuts its work.
    for one, other in zip(found, wanted, strict=True):
        one, other = (np.asarray(value, "float32") for value in (one, other))
        most = atol + of_largest * max(1.0, np.abs(other).max())
        np.testing.assert_allclose(one, other, rtol=rtol, atol=most)


def proves_answers_and_gradients():
    for kind, shape, options in LAYERS:
        whole, divided = pair(kind, shape, **options)
        assert whole.devices is None and set(divided.devices) == set(TWO)
        inputs = values(2, *shape)
        is_short = "16" in options.get("dtype", "")
        rounding = OF_16_BITS if is_short else {}
        for call in (lambda f: f(inputs), lambda f: tf.function(f)(inputs)):
            found, wanted = call(divided), call(whole)
            close([found], [wanted], **rounding)
            if cpu_differentiates_groups(whole.compute_dtype):
                # By oneDNN, whose sums do not depend on threads.
                np.testing.assert_array_equal(found, wanted)
        found, wanted = (gradients(x, inputs) for x in (divided, whole))
        close(found, wanted, **(GRADIENTS_OF_16_BITS if is_short else {}))


def proves_kernels_lie_with_their_levels():
    _, divided = pair(PyConv, (9, 8, 16))
    places = [kernel.value.device[-5:] for kernel in divided.kernels]
    assert tuple(places) == divided.devices
    # Of 9, 25 / 2, 49 / 4 and 81 / 4 the costliest is given away first.
    assert divided.devices == ("CPU:0", "CPU:1", "CPU:1", "CPU:0")
    optimizer = keras.optimizers.Adam()
    optimizer.build(divided.trainable_variables)
    slots = {v.path: v.value.device[-5:] for v in optimizer.variables}
    for number, device in enumerate(divided.devices, 1):
        mine = [d for p, d in slots.items() if f"kernel_{number}_" in p]
        assert mine == [device] * 2


def proves_a_second_gradient():
    whole, divided = pair(PyConv, (9, 8, 16))
    inputs = tf.constant(values(1, 9, 8, 16))
    found = []
    for layer in (divided, whole):
        with tf.GradientTape() as outer:
            outer.watch(inputs)
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                loss = tf.reduce_sum(layer(inputs) ** 3)
            slope = tape.gradient(loss, inputs)
            loss = tf.reduce_mean(slope**2)
        found.append(outer.gradient(loss, [inputs, *layer.kernels]))
    close(*found, rtol=1e-4, atol=1e-4)


def proves_a_training_step_and_no_xla():
    images, wanted = values(4, 12, 12, 3), values(4, 3)
    models = network(), divided_network()
    losses = []
    for model in models:
        model.compile(keras_pyconv.training.SGD(0.1), "mse")
        losses.append(model.fit(images, wanted, epochs=2, verbose=0))
    close(*(model.get_weights() for model in models), rtol=1e-4, atol=1e-5)
    close(*(x.history["loss"] for x in losses))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        models[1].compile("sgd", "mse", jit_compile=True)
    assert not models[1].jit_compile
    assert any("jit_compile=True" in str(one.message) for one in told)


def proves_files_have_no_device():
    images = values(2, 12, 12, 3)
    divided = divided_network()
    wanted = divided.predict(images, verbose=0)
    assert "CPU:" not in divided.to_json()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        divided.save(path)
        whole = keras.models.load_model(path)
        with keras_pyconv.level_devices(TWO[::-1]):
            turned = keras.models.load_model(path)
        divided.save_weights(path.with_suffix(".weights.h5"))
        other = network()
        other.load_weights(path.with_suffix(".weights.h5"))
    places = [
        model.get_layer("pyconv0").devices for model in (whole, turned, divided)
    ]
    assert places[0] is None
    assert [TWO[::-1][TWO.index(p)] for p in places[1]] == list(places[2])
    for model in (whole, turned, other):
        close(model.predict(images, verbose=0), wanted)


def proves_the_export_has_no_device():
    from tensorflow.core.protobuf import saved_model_pb2

    divided = divided_network()
    with tempfile.TemporaryDirectory() as folder:
        with keras_pyconv.level_devices(TWO):
            version = keras_pyconv.export.saved_model(
                divided, Path(folder, "mine"), batch_sizes=(1,)
            )
        data = Path(version, "saved_model.pb").read_bytes()
        assert keras_pyconv.export.check(version).passed
    graph = saved_model_pb2.SavedModel.FromString(data).meta_graphs[0].graph_def
    nodes = [
        *graph.node,
        *(node for f in graph.library.function for node in f.node_def),
    ]
    # TensorFlow itself puts what restores variables on a CPU.
    assert not any("CPU:1" in node.device for node in nodes)
    convolutions = [node for node in nodes if node.op.startswith("Conv2D")]
    assert convolutions and not any(node.device for node in convolutions)


def crossings(step):
    """Bytes of what the graph of a step moves between devices, by shape."""
    from tensorflow.python.eager import context

    with context.collect_graphs(optimized=True) as graphs:
        step()
    found = {}
    for definition in graphs:
        graph = tf.Graph()
        with graph.as_default():
            tf.import_graph_def(definition, name="")
        for operation in graph.get_operations():
            for tensor in operation.inputs:
                if tensor.op.device != operation.device:
                    bytes_ = tensor.shape.num_elements() * tensor.dtype.size
                    found[tensor.name, operation.device] = bytes_
    return sum(found.values())


def proves_the_closed_form_is_what_tensorflow_moves():
    _, layer = pair(PyConv, (9, 8, 16), strides=2, groups=(1, 2, 4, 4))
    net = Counter((9, 8, 16))
    groups = (1, 2, 4, 4), 2
    count = net.conv(net.input, (4,) * 4, (3, 5, 7, 9), *groups, name="c")
    count = keras_pyconv.complexity.crossing([count], batch_size=3)
    # The input and eight filters of the output, and two kernels.
    assert count.forward == count.backward == 3 * 4 * (9 * 8 * 16 + 5 * 4 * 8)
    assert count.kernels == 4 * (25 * 8 * 4 + 49 * 4 * 4)
    inputs = tf.constant(values(3, 9, 8, 16))
    assert crossings(lambda: tf.function(layer)(inputs)) == count.forward
    # How often an update moves a kernel, by what its arithmetic reads.
    for optimizer, times in (
        (None, 0),
        (keras.optimizers.SGD(), 2),
        (keras_pyconv.training.SGD(), 5),
        (keras.optimizers.Adam(), 8),
    ):
        step = training_step(layer, optimizer)
        moved = count.forward + count.backward + times * count.kernels
        assert crossings(lambda: step(inputs)) == moved, optimizer


def training_step(layer, optimizer):
    """One with gradients of the input; the kernels' are used where they are.

    Args:
        optimizer: that applies them instead, or None.
    """
    if optimizer:
        optimizer.build(layer.trainable_variables)

    @tf.function
    def step(inputs):
        with tf.GradientTape() as tape:
            x = tf.sin(inputs)
            tape.watch(x)
            loss = tf.reduce_sum(tf.sin(layer(x)))
        slope, *slopes = tape.gradient(loss, [x, *layer.trainable_variables])
        if optimizer:
            optimizer.apply(slopes, layer.trainable_variables)
            return tf.sin(slope)
        for kernel, its in zip(layer.kernels, slopes):
            with tf.device(kernel.value.device):
                kernel.value.assign_sub(its)
        return tf.sin(slope)

    return step


def raised(error, words, call):
    try:
        call()
    except error as found:
        assert words in str(found), found
    else:
        raise AssertionError(f"no {error.__name__} with {words!r}")


def proves_strategies_and_xla_are_refused():
    _, layer = pair(PyConv, (9, 8, 16))
    inputs = tf.constant(values(1, 9, 8, 16))
    compiled = tf.function(layer, jit_compile=True)
    raised(RuntimeError, "that XLA compiles", lambda: compiled(inputs))
    strategy = keras_pyconv.training.make_strategy("mirrored")
    words = "scope of a MirroredStrategy"
    with strategy.scope():
        scope = keras_pyconv.level_devices
        raised(RuntimeError, words, lambda: scope(TWO))
        raised(RuntimeError, words, lambda: layer(inputs))
    with keras_pyconv.level_devices(TWO), strategy.scope():
        raised(RuntimeError, words, network)


def proves_wrong_devices_are_refused_by_name():
    scope = keras_pyconv.level_devices
    raised(ValueError, "['GPU:7'] are none", lambda: scope(["CPU:1", "GPU:7"]))
    raised(ValueError, "['CPU:0', 'CPU:1']", lambda: scope(["a", "b"]))
    wrong = ["CPU:0"], ["CPU:0", "/device:cpu:0"]
    for devices in wrong:
        raised(ValueError, "`devices` must be two", lambda: scope(devices))
    for devices in ("CPU:0", 2, None, [0, 1]):
        raised(ValueError, "`devices` must be a list", lambda: scope(devices))
    inputs, kernels = values(1, 5, 5, 4), [values(3, 3, 4, 2)] * 2
    convolve = keras_pyconv.ops.pyramid_conv
    raised(
        ValueError,
        "`devices` must be one for each of 2 levels",
        lambda: convolve(inputs, kernels, groups=[1, 1], devices=["CPU:0"]),
    )


def main():
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    failed = {}
    for name, prove in list(globals().items()):
        if name.startswith("proves_"):
            try:
                prove()
                failed[name] = None
            except Exception:
                failed[name] = traceback.format_exc()
    print(json.dumps(failed))


if __name__ == "__main__":
    main()
