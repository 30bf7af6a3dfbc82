"""Networks on Keras: ours, the same from stock layers, and ResNet-50.

Classifiers are measured through `predict_on_batch` and `train_on_batch`, which
return NumPy arrays and so end when the work has ended. Images are in memory.
"""

import dataclasses

import keras
import numpy as np
from keras import layers

from benchmarks.drawn import drawn_outputs
from benchmarks.plan import CLASSES, IMAGE, LAYER_CHANNELS, LAYERS
from keras_pyconv import architectures, models
from keras_pyconv.layers import PyConv3D
from keras_pyconv.lazy import tf
from keras_pyconv.models.keras_net import KerasNet
from keras_pyconv.networks import top, trunk
from keras_pyconv.tasks import DecodeDetections, default_boxes
from keras_pyconv.tasks.segmentation import MULTI_SCALE, SlidingWindows
from keras_pyconv.training import make_strategy


def _padded(x, kernel, strides):
    """Symmetric padding; at stride 1 it is what Keras's "same" does."""
    if strides == 1 or kernel == 1:
        return x, "same"
    return layers.ZeroPadding2D(kernel // 2)(x), "valid"


class StockNet(KerasNet):
    """Our networks of images from the layers that Keras brings along."""

    def conv(
        self, x, filters, kernels=(1,), groups=1, strides=1, *_, name, **__
    ):
        maps, levels = [], self.levels(filters, kernels, groups)
        for number, (kernel, count, divisor) in enumerate(levels, 1):
            inputs, padding = _padded(x, kernel[0], strides)
            maps.append(
                layers.Conv2D(
                    count,
                    kernel,
                    strides,
                    padding,
                    groups=divisor,
                    use_bias=False,
                    name=f"{name}_{number}" if len(levels) > 1 else name,
                )(inputs)
            )
        return self.concat(maps, name=name) if maps[1:] else maps[0]

    def norm(self, x, *, name, epsilon=1e-5, start=1.0):
        return layers.BatchNormalization(
            momentum=0.9, epsilon=epsilon, name=name
        )(x)

    def add(self, shortcut, x, *, name):
        return layers.Add(name=name)([shortcut, x])

    def max_pool(self, x, window, strides, *, name, padding="same"):
        if padding == "same":
            x, padding = _padded(x, window, strides)
        return layers.MaxPooling2D(window, strides, padding, name=name)(x)


def stock_network(architecture, side):
    """A residual network of images from `keras.layers.Conv2D(groups=...)`."""
    inputs, net = keras.Input((side, side, 3)), StockNet()
    x = trunk(net, inputs, architectures.get_architecture(architecture))[-1]
    return keras.Model(
        inputs, top(net, x, CLASSES["network"], activation="softmax")
    )


def _classifier(case):
    """Ours, that from stock layers or ResNet-50; or ours of clips."""
    shape = (case.side, case.side, 3)
    if case.contender == "stock":
        return stock_network(case.subject, case.side)
    if case.contender == "resnet50":
        return keras.applications.ResNet50(weights=None, input_shape=shape)
    options = {"classes": CLASSES.get(case.part, CLASSES["network"])}
    if case.part == "video_network":
        options["input_shape"] = (case.frames, *shape)
        return models.build_video_classifier(case.subject, **options)
    return models.build_classifier(case.subject, input_shape=shape, **options)


def _tensor(shape):
    drawn = np.random.default_rng(1).normal(size=shape)
    return keras.ops.convert_to_tensor(drawn.astype("float32"))


def classifier_steps(model, batch):
    """A call of `predict_on_batch` and of `train_on_batch`, on drawn images."""
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        "sparse_categorical_crossentropy",
    )
    inputs = _tensor((batch, *model.input_shape[1:]))
    random = np.random.default_rng(2)
    labels = random.integers(model.output_shape[-1], size=batch)

    def training():
        # As `keras_pyconv.training` does: TensorFlow traces a step twice that
        # makes variables.
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        return model.train_on_batch(inputs, labels)

    return {
        "inference": lambda: model.predict_on_batch(inputs),
        "training": training,
    }


def _finished(function):
    """A function of TensorFlow that returns when a GPU has done the work."""

    def step():
        function()
        tf.test.experimental.sync_devices()

    return step


def _layer_steps(case):
    """The layer of `plan.LAYERS` forward, and forward with all gradients."""
    kernels, groups, filters = zip(*LAYERS[case.subject])
    layer = PyConv3D(filters, kernels, groups=groups, use_bias=False)
    shape = (case.batch, case.frames, case.side, case.side, LAYER_CHANNELS)
    layer.build(shape)
    inputs, slopes = _tensor(shape), _tensor((*shape[:-1], sum(filters)))

    @tf.function
    def forward():
        return layer(inputs)

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs)
        kernels = [kernel.value for kernel in layer.kernels]
        return tape.gradient(outputs, [inputs, *kernels], slopes)

    return {"forward": _finished(forward), "gradients": _finished(gradients)}


def _detector_steps(case):
    """The network, and the decoding of drawn outputs."""
    model = models.build_detector(
        architectures.DETECTORS[case.subject], classes=CLASSES["detection"]
    )
    images = _tensor((case.batch, *model.input_shape[1:]))
    drawn = drawn_outputs(case.batch, len(default_boxes(model)))
    outputs = dict(zip(("offsets", "logits"), map(tf.constant, drawn)))
    decode = tf.function(DecodeDetections.for_model(model))
    return {
        "inference": lambda: model.predict_on_batch(images),
        "decoding": lambda: decode(outputs)["count"].numpy(),
    }


def _crop_steps(case):
    """A forward pass of one crop; its answer stays where TensorFlow has it."""
    model = models.build_segmenter(
        architectures.make_segmenter(*case.subject.split(" with ")),
        input_shape=(case.side, case.side, 3),
        auxiliary=False,
    )
    function = tf.function(model)
    images = _tensor((1, case.side, case.side, 3))
    return {"inference": lambda: function(images, training=False)}


def _product_steps(case):
    """A product of square matrices: what the device can do at most."""
    dtype = "bfloat16" if case.precision == "bf16" else "float32"
    matrix = tf.cast(_tensor((case.side, case.side)), dtype)
    product = tf.function(lambda: matrix @ matrix)
    return {"product": _finished(product)}


def _image_steps(case):
    """The multi-scale protocol on an image, by windows of one size."""
    backbone, head = case.subject.split(" with ")
    model = models.build_segmenter(
        architectures.make_segmenter(backbone, head, output_stride=16),
        auxiliary=False,
    )
    # As the side of a window is to that of the protocol.
    scale = case.side / MULTI_SCALE.window
    shape = (*(round(scale * size) for size in IMAGE), 3)
    base = round(scale * MULTI_SCALE.base_size)
    rule = dataclasses.replace(MULTI_SCALE, window=case.side, base_size=base)
    image = np.random.default_rng(0).integers(0, 256, shape, "uint8")
    windows = SlidingWindows(model, rule)
    return {"protocol": lambda: windows.labels(image)}


def _mirrored_steps(case):
    """A step of `predict` and of `fit` on as many devices as are named."""
    network, devices = case.subject.split(" on ")
    strategy = make_strategy("mirrored", int(devices))
    random, size = np.random.default_rng(1), case.batch // int(devices)
    images = random.normal(size=(size, case.side, case.side, 3))
    labels = random.integers(CLASSES["network"], size=size)
    batch = images.astype("float32"), labels
    data = strategy.distribute_datasets_from_function(
        lambda _: tf.data.Dataset.from_tensors(batch).repeat()
    )
    with strategy.scope():
        model = _classifier(dataclasses.replace(case, subject=network))
        model.compile("sgd", "sparse_categorical_crossentropy")
    # Keras makes the functions of a step in its loops, from the first batch.
    model.fit(data, steps_per_epoch=1, shuffle=False, verbose=0)
    model.predict(data, steps=1, verbose=0)
    batches = iter(data)
    return {
        "inference": _finished(lambda: model.predict_function([next(batches)])),
        "training": _finished(lambda: model.train_function(batches)),
    }


STEPS = {
    "video": _layer_steps,
    "detection": _detector_steps,
    "crop": _crop_steps,
    "image": _image_steps,
    "product": _product_steps,
    "mirrored": _mirrored_steps,
}


def _take_gpu(precision):
    """Fails where no GPU is seen, and says whether TF32 stands for fp32."""
    if keras.backend.backend() == "jax":
        import jax

        seen = jax.default_backend() == "gpu"
        if precision == "fp32":
            jax.config.update("jax_default_matmul_precision", "highest")
    else:
        seen = tf.config.list_physical_devices("GPU")
        tf.config.experimental.enable_tensor_float_32_execution(
            precision != "fp32"
        )
    if not seen:
        raise RuntimeError(f"{keras.backend.backend()} sees no GPU")


def steps(case):
    """The steps of a case by measure, for `benchmarks.worker`."""
    if case.device == "gpu":
        _take_gpu(case.precision)
    if case.precision == "bf16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    keras.utils.set_random_seed(1)
    if case.part in STEPS:
        return STEPS[case.part](case)
    return classifier_steps(_classifier(case), case.batch)
