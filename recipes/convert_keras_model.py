"""PyConv in a network that its owner already has: convert, then fine-tune.

What: trains a small residual network made of Keras's own layers, replaces its
3x3 convolutions by PyConvs with `keras_pyconv.replace_convolutions`, prints
what that does to every convolution, and fine-tunes the result on the digits in
photographs. The network as it was is trained for the same further epochs with
the same settings, so that the epochs alone do not look like a gain. Take any
functional model in the place of `make_model`, such as one of
`keras.applications` with its weights.

Paper's number: none, the paper trains all its networks from scratch.
Ours: test accuracy 67.8% before; 9.8% just after the conversion, which is
chance, as three of four filters start anew; 74.2% after fine-tuning, while the
plain network has 83.4% after the same further epochs. So this shows how to
convert, and no gain: after three epochs the converted network is behind. One
seed, measured once at commit 05db0dc.
Device: two CPU cores (AMD EPYC with AVX2, busy with other work), 8 minutes.
Command: python -m recipes.convert_keras_model
Deviations from the paper: the network and the data are ours; fine-tuning from
the filters of a plain network, which the paper does not try.
"""

import keras

import keras_pyconv
from keras_pyconv import replace_convolutions, replacement_report
from recipes import common

CLASSES = 10
WIDTHS = (16, 32, 64)  # channels of the stages, at 1/2, 1/4, 1/8 of the input
BLOCKS = 1  # of every stage
BATCH = 32
EPOCHS = 3  # before the conversion
FURTHER_EPOCHS = 3
LEARNING_RATE = 0.05
FURTHER_LEARNING_RATE = 0.02
MOMENTUM = 0.9
SEED = 2021
SMOKE_EXAMPLES = 32
SMOKE_WIDTHS = (16,)

# Data ----------------------------------------------------------------------


def load_data(data_dir, smoke):
    """Images (N, 64, 64, 3) and labels (N,) by split."""
    count = {"train_examples": SMOKE_EXAMPLES, "test_examples": SMOKE_EXAMPLES}
    splits = keras_pyconv.datasets.load_digits_in_photos(
        "classification", data_dir=data_dir, **(count if smoke else {})
    )
    whole = {
        split: next(iter(examples.batch(len(examples))))
        for split, examples in splits.items()
    }
    return {
        split: (features["image"].numpy(), features["label"].numpy())
        for split, features in whole.items()
    }


# Model: nothing of keras_pyconv in it ---------------------------------------


def conv_bn(x, filters, kernel, strides=1, *, name):
    """Convolution and batch normalization."""
    x = keras.layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return keras.layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)


def block(x, filters, strides, *, name):
    """A basic residual block."""
    y = conv_bn(x, filters, 3, strides, name=f"{name}_1")
    y = keras.layers.ReLU(name=f"{name}_1_relu")(y)
    y = conv_bn(y, filters, 3, name=f"{name}_2")
    if strides > 1 or x.shape[-1] != filters:
        x = conv_bn(x, filters, 1, strides, name=f"{name}_0")
    x = keras.layers.Add(name=f"{name}_add")([x, y])
    return keras.layers.ReLU(name=f"{name}_out")(x)


def make_model(image_shape, widths):
    """A residual network on pictures in [0, 255]."""
    images = keras.Input(image_shape, name="images")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(images)
    x = conv_bn(x, widths[0], 3, 2, name="stem")
    x = keras.layers.ReLU(name="stem_relu")(x)
    for stage, filters in enumerate(widths, 1):
        for number in range(1, BLOCKS + 1):
            strides = 2 if number == 1 and stage > 1 else 1
            x = block(x, filters, strides, name=f"stage{stage}_block{number}")
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    scores = keras.layers.Dense(CLASSES, "softmax", name="scores")(x)
    return keras.Model(images, scores, name="small_resnet")


# Training and evaluation ----------------------------------------------------


def train(model, data, epochs, learning_rate):
    """SGD with momentum under a cosine to zero."""
    images, labels = data["train"]
    steps = epochs * -(-len(images) // BATCH)
    model.compile(
        optimizer=keras.optimizers.SGD(
            keras.optimizers.schedules.CosineDecay(learning_rate, steps),
            momentum=MOMENTUM,
        ),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(
        images,
        labels,
        batch_size=BATCH,
        epochs=epochs,
        verbose=common.verbosity(),
    )


def accuracy(model, data):
    """Share of the test pictures whose digit is read right."""
    images, labels = data["test"]
    scores = model.predict(images, batch_size=BATCH, verbose=0)
    return float((scores.argmax(axis=-1) == labels).mean())


def main(argv=None):
    """Trains, converts, fine-tunes; returns the rows of the table."""
    parser = common.command_line(__doc__, "runs/convert_keras_model")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--further-epochs", type=int, default=FURTHER_EPOCHS)
    args = common.parse(parser, argv, epochs=1, further_epochs=1)
    epochs, further = args.epochs, args.further_epochs
    widths = SMOKE_WIDTHS if args.smoke else WIDTHS

    print("Preparing the data; nothing is downloaded.")
    data = load_data(args.data_dir, args.smoke)
    keras.utils.set_random_seed(SEED)
    model = make_model(data["train"][0].shape[1:], widths)
    print(f"\nTraining {model.name} for {epochs} epochs")
    train(model, data, epochs, LEARNING_RATE)

    print("\nConverting\n")
    report = replacement_report(model)
    print(report)
    converted = replace_convolutions(model)
    rows = [
        {"network": "plain", "accuracy": accuracy(model, data)},
        {"network": "just converted", "accuracy": accuracy(converted, data)},
    ]
    for network, name in ((converted, "converted"), (model, "plain")):
        print(f"\nTraining the {name} network for {further} further epochs")
        keras.utils.set_random_seed(SEED)
        train(network, data, further, FURTHER_LEARNING_RATE)
        right = accuracy(network, data)
        rows.append({"network": f"{name}, trained on", "accuracy": right})

    print()
    for row in rows:
        print(f"{row['network']:<22} test accuracy {row['accuracy']:.1%}")
    common.write_record(
        args.workdir / "results.json",
        rows=rows,
        epochs=epochs,
        further_epochs=further,
        multiply_adds=[
            report.before.multiply_adds,
            report.after.multiply_adds,
        ],
    )
    return rows


if __name__ == "__main__":
    main()
