"""PyConv beside ResNet on digits of many sizes: a tour in ten minutes.

What: trains PyConvResNetMini and ResNetMini, rows of the table of networks
with the structure of PyConvResNet-50 and ResNet-50 and about the same cost, on
real handwritten digits set on photographs at sizes from an eighth of the
picture to most of it. Scale is what PyConv is about (paper, section 3), so the
accuracy is shown by the size of the digit. Both networks get the same recipe
and the same seed; nothing is tuned for one of them. Then the PyConv network is
exported, and the export answers in a clean process.

Paper's number: none, the data are ours. Ours: see README.md.
Device: two CPU cores, under ten minutes, about 2 GB of memory.
Command: python -m recipes.quickstart
Deviations from the paper: small pictures and networks, a few epochs under a
cosine with warm-up instead of 90 with steps, decoupled weight decay.
"""

import pathlib

import keras
import numpy as np

import keras_pyconv
from keras_pyconv.datasets import SIZE_CLASSES
from recipes import common, pictures

NETWORKS = ("PyConvResNetMini", "ResNetMini")
EXPORTED = NETWORKS[0]
CLASSES = 10
BATCH = 32
EPOCHS = 4
WARMUP_EPOCHS = 1
LEARNING_RATE = 0.05  # the peak
MOMENTUM = 0.9
WEIGHT_DECAY = 1e-4
SEED = 2021
SMOKE_EXAMPLES = 64


def constants(epochs, smoke):
    """What the record says of how the networks were trained."""
    return {
        "smoke": smoke,
        "epochs": epochs,
        "batch": BATCH,
        "learning_rate": LEARNING_RATE,
        "warmup_epochs": WARMUP_EPOCHS,
        "momentum": MOMENTUM,
        "weight_decay": WEIGHT_DECAY,
        "seed": SEED,
    }


# Data ----------------------------------------------------------------------


def load_data(data_dir, smoke):
    """Arrays by split and feature: image (N, 64, 64, 3), label, size_class."""
    count = {"train_examples": SMOKE_EXAMPLES, "test_examples": SMOKE_EXAMPLES}
    splits = keras_pyconv.datasets.load_digits_in_photos(
        "classification", data_dir=data_dir, **(count if smoke else {})
    )
    wanted = ("image", "label", "size_class")
    whole = {
        split: next(iter(examples.batch(len(examples))))
        for split, examples in splits.items()
    }
    return {
        split: {name: features[name].numpy() for name in wanted}
        for split, features in whole.items()
    }


# Model, optimizer, training ------------------------------------------------


def make_model(name, image_shape):
    """The network on pictures in [0, 255]; scaling them is part of it."""
    images = keras.Input(image_shape, name="images")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(images)
    return keras_pyconv.build_classifier(
        name, input_tensor=scaled, classes=CLASSES
    )


def make_optimizer(epochs, steps_per_epoch):
    """SGD with momentum under a linear warm-up and a cosine to zero."""
    warmup = WARMUP_EPOCHS * steps_per_epoch
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, epochs * steps_per_epoch - warmup),
        warmup_target=LEARNING_RATE,
        warmup_steps=warmup,
    )
    return keras.optimizers.SGD(
        schedule, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY
    )


def train(name, data, epochs):
    """Trains one network; returns it, its history, and seconds a step."""
    keras.utils.set_random_seed(SEED)
    images, labels = data["train"]["image"], data["train"]["label"]
    model = make_model(name, images.shape[1:])
    model.compile(
        optimizer=make_optimizer(epochs, -(-len(images) // BATCH)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    timer = common.StepTimer()
    fit = model.fit(
        images,
        labels,
        batch_size=BATCH,
        epochs=epochs,
        validation_data=(data["test"]["image"], data["test"]["label"]),
        callbacks=[timer],
        verbose=common.verbosity(),
    )
    return model, fit.history, timer.median


# Evaluation ----------------------------------------------------------------


def evaluate(name, classes, test, seconds):
    """One row of the table, from the predicted classes (N,)."""
    right = classes == test["label"]
    by_size = {
        size: float(right[test["size_class"] == number].mean())
        for number, size in enumerate(SIZE_CLASSES)
        if (test["size_class"] == number).any()
    }
    cost = keras_pyconv.complexity.complexity(
        name, test["image"].shape[1:], classes=CLASSES
    )
    return {
        "network": name,
        "parameters": cost.parameters,
        "multiply_adds": cost.multiply_adds,
        "accuracy": float(right.mean()),
        **by_size,
        "seconds_a_step": seconds,
    }


def verdict(predictions, labels):
    """Who won, in words, by a paired comparison on the test pictures."""
    rights = [predictions[name] == labels for name in NETWORKS]
    only_first, only_second = (
        int((a & ~b).sum()) for a, b in (rights, rights[::-1])
    )
    gap = 100 * (only_first - only_second) / len(labels)
    # Standard error of a difference of paired proportions (McNemar).
    error = 100 * np.sqrt(max(only_first + only_second, 1)) / len(labels)
    winner = NETWORKS[0] if gap > 0 else NETWORKS[1]
    said = f"{abs(gap):.1f} points (standard error {error:.1f}, one seed)"
    if abs(gap) < 2 * error:
        return f"No clear winner: {winner} is ahead by {said}."
    return f"{winner} wins by {said}."


def print_table(rows):
    """The networks side by side."""
    sizes = [size for size in SIZE_CLASSES if size in rows[0]]
    heads = ["parameters", "multiply-adds", "accuracy", *sizes, "s/step"]
    print(f"\n{'network':<18}" + "".join(f"{head:>15}" for head in heads))
    for row in rows:
        cells = [f"{row['parameters']:,}", f"{row['multiply_adds']:,}"]
        cells += [f"{row[name]:.1%}" for name in ("accuracy", *sizes)]
        cells += [f"{row['seconds_a_step']:.3f}"]
        print(
            f"{row['network']:<18}" + "".join(f"{cell:>15}" for cell in cells)
        )


def write_pictures(workdir, histories, rows, predictions, test):
    """Curves, accuracy by size, and a grid of predictions, as PNG files."""
    count = min(32, len(test["label"]))
    some = {name: classes[:count] for name, classes in predictions.items()}
    images, labels = test["image"][:count], test["label"][:count]
    sizes = [size for size in SIZE_CLASSES if size in rows[0]]
    return [
        pictures.training_curves(histories, workdir / "curves.png"),
        pictures.accuracy_by_size(rows, sizes, workdir / "sizes.png"),
        pictures.prediction_grid(
            images, labels, some, workdir / "predictions.png"
        ),
    ]


# Export --------------------------------------------------------------------


def export_and_ask(model, root, test):
    """Exports, asks the export about the first test picture; its answer."""
    path = keras_pyconv.export.saved_model(model, root)
    print(f"\nExported {model.name} to {path}/")
    picture = test["image"][:1].astype("float32")
    answer = keras_pyconv.export.answer_in_clean_process(path, picture)
    label, score = answer["labels"][0, 0].decode(), answer["scores"][0, 0]
    print(
        f"A clean process, asked for the first test picture, says {label} "
        f"with score {score:.3f}; the truth is {test['label'][0]}."
    )
    return int(label)


def main(argv=None):
    """Runs the tour; returns the table's rows and the export's answer."""
    parser = common.command_line(__doc__, "runs/quickstart")
    parser.add_argument(
        "--export-root",
        type=pathlib.Path,
        default=pathlib.Path("saved_models/quickstart"),
        help="saved_models/NAME; the server's files go beside NAME "
        "(default: %(default)s)",
    )
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    args = common.parse(parser, argv, epochs=1)
    if args.epochs < 1:
        parser.error(f"--epochs must be at least 1; got {args.epochs}")
    epochs = args.epochs

    print("Preparing the data; nothing is downloaded.")
    data = load_data(args.data_dir, args.smoke)
    models, histories, predictions, rows = {}, {}, {}, []
    for name in NETWORKS:
        print(f"\nTraining {name} for {epochs} epochs")
        models[name], histories[name], seconds = train(name, data, epochs)
        scores = models[name].predict(
            data["test"]["image"], verbose=0, batch_size=BATCH
        )
        predictions[name] = scores.argmax(axis=-1)
        rows.append(evaluate(name, predictions[name], data["test"], seconds))

    print_table(rows)
    result = verdict(predictions, data["test"]["label"])
    print(result)
    written = write_pictures(
        args.workdir, histories, rows, predictions, data["test"]
    )
    common.write_record(
        args.workdir / "results.json",
        constants=constants(epochs, args.smoke),
        rows=rows,
        verdict=result,
    )
    print("\nPictures:", *written, sep="\n  ")
    answer = export_and_ask(models[EXPORTED], args.export_root, data["test"])
    return rows, answer


if __name__ == "__main__":
    main()
