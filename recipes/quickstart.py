"""Compare PyConv and ResNet on digits in ten minutes.

Command: python -m recipes.quickstart

Trains PyConvResNetMini and ResNetMini, small versions of PyConvResNet-50 and
ResNet-50 of about equal cost, on handwritten digits in photographs. The digits
are from an eighth of the image high to most of it: PyConv is about scale
(paper, section 3), so accuracy is shown by digit size. Both networks get the
same settings and seed; nothing is tuned for one of them. Then the recipe
exports the PyConv network and queries the export in a clean process.

Paper's result: none; the data are ours. Our result: see docs/comparison.md.
Device: two CPU cores, under ten minutes, about 2 GB of memory.
Deviations from the paper: small images and networks, a few epochs with warm-up
and a cosine schedule instead of 90 with steps, decoupled weight decay.
"""

import dataclasses
import pathlib
import time

from . import command_line, digits, fitting, groups, results
from .lazy import keras, keras_pyconv, np, training
from .settings import Natural, Positive, Rate, Share, as_dict, option

CLASSES = 10  # digits


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is compared, and how both are trained."""

    networks: tuple[str, str] = option(
        ("PyConvResNetMini", "ResNetMini"),
        "networks to compare; the first is exported",
    )
    examples: Positive | None = option(None, "images per split; default: all")
    train_examples: Positive | None = option(
        None, "training images, if not as many as `examples`"
    )
    batch_size: Positive = option(32, "batch size")
    epochs: Positive = option(4, "number of epochs")
    warmup_epochs: Natural = option(1, "epochs of linear warm-up")
    learning_rate: Rate = option(0.05, "peak learning rate")
    momentum: Share = option(0.9, "momentum of SGD")
    weight_decay: Share = option(1e-4, "decoupled weight decay")
    seed: Natural = option(2021, "random seed of weights and data")
    export_root: pathlib.Path = option(
        pathlib.Path("saved_models/quickstart"),
        "folder of the export; the server's files go to its parent",
        decides=False,
    )
    run: groups.Place = groups.Place(pathlib.Path("runs/quickstart"))


SETTINGS = Settings()
SMOKE = groups.smoke(examples=64, epochs=1, warmup_epochs=0)


def make_model(name, image_shape):
    """The network on images in [0, 255]; scaling them is part of it."""
    images = keras.Input(image_shape, name="images")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(images)
    return keras_pyconv.build_classifier(
        name, input_tensor=scaled, classes=CLASSES
    )


def train(name, data, settings):
    """Trains one network; returns it, its history, and seconds a step."""
    keras.utils.set_random_seed(settings.seed)
    batches = digits.batches(*data["train"][:2], settings)
    model, ends = make_model(name, data["train"][0].shape[1:]), []
    steps = settings.epochs * batches.steps_per_epoch
    warmup = settings.warmup_epochs * batches.steps_per_epoch
    rate = training.cosine_decay(
        settings.learning_rate, steps, min(warmup, steps - 1)
    )
    model.compile(
        keras.optimizers.SGD(
            rate, settings.momentum, weight_decay=settings.weight_decay
        ),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    timer = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: ends.append(time.perf_counter())
    )
    folder = settings.run.workdir / name
    length = {"epochs": settings.epochs, "seed": settings.seed}
    with fitting.open_run(folder, model, batches, settings, **length) as run:
        model.fit(
            **run.fit_arguments,
            validation_data=data["test"][:2],
            callbacks=run.callbacks([timer]),
        )
    # Of a training that had ended before no step is left to time.
    seconds = np.median(np.diff(ends)) if len(ends) > 1 else np.nan
    return model, run.history, float(seconds)


def main(argv=None):
    """Runs the tour; returns the table's rows and the export's answer."""
    settings = command_line.parse(__doc__, SETTINGS, argv, (SMOKE,))
    from . import tour

    print("Preparing the data; nothing is downloaded.")
    with command_line.before_the_work():
        command_line.require("matplotlib", extra="recipes")
        fitting.check_export_root(settings.export_root)
        data = digits.load(settings, "image", "label", "size_class")
    models, histories, predictions, rows = {}, {}, {}, []
    for name in settings.networks:
        print(f"\nTraining {name} for {settings.epochs} epochs")
        models[name], histories[name], seconds = train(name, data, settings)
        scores = models[name].predict(data["test"][0], verbose=0)
        predictions[name] = scores.argmax(axis=-1)
        rows.append(tour.row(name, predictions[name], data["test"], seconds))
        path = settings.run.workdir / name / f"{name}.weights.h5"
        keras_pyconv.weights.save_keras_weights(models[name], path)
    result = tour.show(rows, predictions, histories, data["test"], settings)
    results.write_record(
        settings.run.workdir / "results.json",
        constants=as_dict(settings),
        rows=rows,
        verdict=result,
    )
    exported = models[settings.networks[0]]
    answer = tour.export_and_ask(exported, settings.export_root, data["test"])
    return rows, answer


if __name__ == "__main__":
    command_line.from_shell(main)
