"""What recipes leave behind: weights, exports, records."""

import json

from . import fitting
from .lazy import export, keras_pyconv, tasks


def keep(model, settings, **options):
    """Writes the weights, and the export if asked, by `saved_model`."""
    if fitting.is_first(model):
        write_weights(model, settings)
        export_model(model, settings, **options)


def write_weights(model, settings):
    """Writes them; with `--keep-best` the model has the best ones then."""
    path = settings.run.workdir / f"{model.name}.weights.h5"
    keras_pyconv.weights.save_keras_weights(model, path)
    print(f"Weights: {path}")
    if settings.training.keep_best:
        best = fitting.best_weights(settings, model)
        model.load_weights(best)
        print(f"The best by {settings.training.keep_best}: {best}")
    run = settings.run.workdir
    print(
        f"Predict:  keras-pyconv predict --model {run} FILE ...\n"
        f"Evaluate: keras-pyconv evaluate {run}\n"
        f"Export:   keras-pyconv export {run} saved_models/NAME"
    )


def export_model(model, settings, **options):
    """Exports the model where that was asked for."""
    run = settings.run
    if run.export_root:
        exported = export.saved_model(
            model, run.export_root, source=run.workdir, **options
        )
        print(f"Exported to {exported}")


def keep_classifier(settings, model, run, data):
    """`keep` where the run has ended; gives the model and its history."""
    side = settings.data.side
    if run.finished:
        keep(
            model,
            settings,
            labels=list(data.train.classes),
            preprocessing=tasks.preprocessing.imagenet_preprocessing(side),
        )
    return model, run.history


def write_record(path, **values):
    """Writes `values` and the provenance of the run as JSON."""
    known = keras_pyconv.provenance
    packages = (*known.PACKAGES, "tensorflow-datasets")
    record = keras_pyconv.writing.without_nan(
        {**known.provenance(packages), **values}
    )
    text = json.dumps(record, indent=2, default=str) + "\n"
    keras_pyconv.writing.write_atomically(path, text)
