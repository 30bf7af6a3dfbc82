"""What recipes leave behind: weights, exports, records."""

import json
import math

from recipes import fitting


def keep(model, settings, **options):
    """Writes the weights, and exports the model where that was asked for.

    Args:
        model: whose name the file of weights gets.
        settings: with `training` and `run`.
        **options: of `keras_pyconv.export.saved_model`.
    """
    if fitting.is_first(model):
        write_weights(model, settings)
        export_model(model, settings, **options)


def write_weights(model, settings):
    """Writes them; with `--keep-best` the model has the best ones then."""
    from keras_pyconv.weights import save_keras_weights

    path = settings.run.workdir / f"{model.name}.weights.h5"
    save_keras_weights(model, path)
    print(f"Weights: {path}")
    if settings.training.keep_best:
        best = fitting.best_weights(settings, model)
        model.load_weights(best)
        print(f"The best by {settings.training.keep_best}: {best}")


def export_model(model, settings, **options):
    """Exports the model where that was asked for."""
    from keras_pyconv import export

    run = settings.run
    if run.export_root:
        exported = export.saved_model(
            model, run.export_root, source=run.workdir, **options
        )
        print(f"Exported to {exported}")


def keep_classifier(model, settings, classes):
    """`keep`, with labels and preprocessing in the export."""
    from keras_pyconv.tasks.preprocessing import imagenet_preprocessing

    keep(
        model,
        settings,
        labels=list(classes),
        preprocessing=imagenet_preprocessing(settings.data.side),
    )


def write_record(path, **values):
    """Writes `values` and the provenance of the run as JSON."""
    from keras_pyconv.provenance import PACKAGES, provenance
    from keras_pyconv.writing import write_atomically

    packages = (*PACKAGES, "tensorflow-datasets")
    record = _without_nan({**provenance(packages), **values})
    write_atomically(path, json.dumps(record, indent=2, default=str) + "\n")


def _without_nan(value):
    """The same with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
