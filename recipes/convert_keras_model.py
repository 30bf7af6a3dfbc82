"""Convert a Keras network to PyConv and fine-tune it.

Command: python -m recipes.convert_keras_model

Trains a small residual network of plain Keras layers on the digits in
photographs, replaces its 3x3 convolutions by PyConvs with
`keras_pyconv.replace_convolutions`, prints what changes in every convolution,
and fine-tunes the result. The original network gets the same extra epochs with
the same settings, for a fair comparison. To convert your own network, put any
functional model in place of `recipes/plain_network.py`, such as one of
`keras.applications` with its weights.

Paper's result: none; the paper trains all its networks from scratch.
Our result: just after the conversion, the network guesses, because three of
four filters start anew; after fine-tuning, it is still behind the plain network
with the same extra epochs. The recipe shows how to convert, not a gain. We ran
one seed, so we give no figures.
Device: two CPU cores (AMD EPYC with AVX2, shared with other work), 8 minutes.
Deviations from the paper: network and data are ours, and the paper does not
fine-tune from the filters of a plain network.
"""

import dataclasses
import pathlib

from . import command_line, digits, fitting, groups, results
from .lazy import figures, keras, keras_pyconv, training
from .settings import Natural, Positive, Rate, Share, as_dict, option


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is trained, and how long."""

    widths: tuple[Positive, ...] = option(
        (16, 32, 64), "channels of the three stages"
    )
    examples: Positive | None = option(None, "images per split; default: all")
    batch_size: Positive = option(32, "batch size")
    epochs: Positive = option(3, "epochs before the conversion")
    further_epochs: Positive = option(3, "epochs after it, for both networks")
    learning_rate: Rate = option(0.05, "learning rate before the conversion")
    further_learning_rate: Rate = option(0.02, "learning rate after it")
    momentum: Share = option(0.9, "momentum of SGD")
    seed: Natural = option(2021, "random seed of weights and data")
    run: groups.Place = groups.Place(pathlib.Path("runs/convert_keras_model"))


SETTINGS = Settings()
SMOKE = groups.smoke(widths=(16,), examples=32, epochs=1, further_epochs=1)


def train(model, data, settings, further=None):
    """`further` is the network's name in its further training, or None."""
    epochs, rate = settings.epochs, settings.learning_rate
    if further:
        epochs = settings.further_epochs
        rate = settings.further_learning_rate
    print(f"\nTraining the {further or 'plain'} network for {epochs} epochs")
    keras.utils.set_random_seed(settings.seed)
    batches = digits.batches(*data["train"], settings)
    fall = training.cosine_decay(rate, epochs * batches.steps_per_epoch)
    model.compile(
        keras.optimizers.SGD(fall, settings.momentum),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    folder = f"{further}_further" if further else "plain"
    folder = settings.run.workdir / folder
    length = {"epochs": epochs, "seed": settings.seed}
    with fitting.open_run(folder, model, batches, settings, **length) as run:
        model.fit(**run.fit_arguments, callbacks=run.callbacks())


def accuracy(model, data):
    """Share of the test images whose digit is read right."""
    images, labels = data["test"]
    scores = model.predict(images, verbose=0)
    return float((scores.argmax(axis=-1) == labels).mean())


def main(argv=None):
    """Trains, converts, fine-tunes; returns the rows of the table."""
    settings = command_line.parse(__doc__, SETTINGS, argv, (SMOKE,))
    from .plain_network import make_model

    print("Preparing the data; nothing is downloaded.")
    with command_line.before_the_work():
        data = digits.load(settings, "image", "label")
    keras.utils.set_random_seed(settings.seed)
    shape = data["train"][0].shape[1:]
    model = make_model(shape, settings.widths)
    train(model, data, settings)

    report = keras_pyconv.replacement_report(model)
    print(f"\nConverting\n\n{report}")
    keras.utils.set_random_seed(settings.seed)
    converted = keras_pyconv.replace_convolutions(model)
    rows = {
        "plain": accuracy(model, data),
        "just converted": accuracy(converted, data),
    }
    for name, network in (("converted", converted), ("plain", model)):
        train(network, data, settings, further=name)
        rows[f"{name}, trained on"] = accuracy(network, data)
    print()
    for name, right in rows.items():
        print(f"{name:<22} test accuracy {figures.share(right)}")
    rows = [{"network": name, "accuracy": one} for name, one in rows.items()]
    results.write_record(
        settings.run.workdir / "results.json",
        rows=rows,
        settings=as_dict(settings),
        multiply_adds=[report.before.multiply_adds, report.after.multiply_adds],
    )
    return rows


if __name__ == "__main__":
    command_line.from_shell(main)
