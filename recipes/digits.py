"""Digits in photographs as arrays, and a short training on them."""

from recipes import command_line, fitting
from recipes.lazy import datasets, keras, tf, training


def load(settings, *features):
    """Arrays by split, one a feature: `image` (N, 64, 64, 3), `label` (N,)."""
    count = settings.examples
    numbers = {"train_examples": count, "test_examples": count} if count else {}
    splits = datasets.load_digits_in_photos(
        "classification", data_dir=settings.run.data_dir, **numbers
    )
    whole = {
        split: next(iter(examples.batch(len(examples))))
        for split, examples in splits.items()
    }
    return {
        split: tuple(values[name].numpy() for name in features)
        for split, values in whole.items()
    }


def fit(
    model,
    data,
    settings,
    name,
    epochs,
    rate,
    *,
    warmup=0,
    weight_decay=None,
    callbacks=(),
    validation=None,
):
    """Trains by SGD with momentum under a cosine to zero; gives the `Run`.

    Args:
        model: not compiled.
        data: images (N, height, width, channels) and labels (N,).
        settings: with `batch_size`, `momentum`, `seed` and `run`.
        name: of the folder of the run.
        epochs: length of the training.
        rate: the highest, after `warmup` epochs.
        weight_decay: of SGD, decoupled.
        callbacks, validation: of `fit`.
    """
    keras.utils.set_random_seed(settings.seed)
    with command_line.before_the_work():
        batches = datasets.training_stream(
            lambda epoch: tf.data.Dataset.from_tensor_slices(data),
            len(data[0]),
            lambda example, seed: example,
            batch_size=settings.batch_size,
            seed=settings.seed,
        )
    steps = epochs * batches.steps_per_epoch
    warmup = min(warmup * batches.steps_per_epoch, steps - 1)
    model.compile(
        optimizer=keras.optimizers.SGD(
            training.cosine_decay(rate, steps, warmup),
            momentum=settings.momentum,
            weight_decay=weight_decay,
        ),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    folder = settings.run.workdir / name
    length = {"epochs": epochs, "seed": settings.seed}
    with fitting.open_run(folder, model, batches, settings, **length) as run:
        model.fit(
            **run.fit_arguments,
            validation_data=validation,
            callbacks=run.callbacks(list(callbacks)),
        )
    return run
