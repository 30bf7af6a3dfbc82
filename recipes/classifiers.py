"""Classifiers to be judged, wherever they come from, and tables of errors."""

import pathlib

import keras
import numpy as np
import tensorflow as tf

import keras_pyconv
from keras_pyconv.complexity.grid import grid
from keras_pyconv.diverted import without_gradients
from keras_pyconv.export.serving.audit import FILES, audit
from keras_pyconv.export.signatures import recorded
from keras_pyconv.progress import Bar
from keras_pyconv.reading import check_file, one_line
from keras_pyconv.tasks import error_rates
from keras_pyconv.tasks.preprocessing import imagenet_preprocessing
from keras_pyconv.tasks.results import is_multi_label
from keras_pyconv.weights.sources import fetched, verify

HEADER = ["", "crop", "short side", "top-1 err, %", "top-5 err, %"]
LABELS = ["", "crop", "short side", "mean AP, %", "F1, %"]

# The model, as a function of images -------------------------------------------


def of_file(path):
    """The whole model in a file of Keras."""
    try:
        verify(check_file(path))
        return keras.models.load_model(path)
    # Archives, HDF5 and Keras have many errors.
    except Exception as error:
        raise ValueError(
            f"Keras cannot load {path}: {one_line(error)}."
        ) from error


def of_export(path):
    """The export's entry point: scores, the side it takes or None, classes."""
    if not (path / "saved_model.pb").is_file():
        versions = sorted(one.parent.name for one in path.glob("*/*.pb"))
        raise ValueError(
            f"{path} contains no SavedModel. "
            f"Versions in it: {', '.join(versions) or 'none'}"
        )
    for found in audit(path):
        if found.kind == FILES:
            raise ValueError(f"{path} is not opened: {found}")
    with without_gradients():
        loaded = tf.saved_model.load(str(path))
    signature = loaded.signatures["serving_default"]
    _, inputs = signature.structured_input_signature
    ((name, spec),) = inputs.items()
    if "probabilities" not in signature.structured_outputs:
        raise ValueError(
            f"{path} is not an exported classifier: its outputs "
            f"{sorted(signature.structured_outputs)} lack probabilities."
        )

    def scores(batch):
        return signature(**{name: batch})["probabilities"]

    scores.keeps = loaded  # its variables go when nothing holds it
    units = signature.structured_outputs["probabilities"].shape[-1]
    return scores, spec.shape[1], units


def _of_variant(settings, classes, several):
    return keras_pyconv.build_classifier(
        settings.variant,
        weights=settings.weights,
        classes=len(classes),
        input_shape=(None, None, 3),  # at any size of image
        classifier_activation="sigmoid" if several else "softmax",
        name=settings.variant,
    )


def _of_model(model, several):
    if several and not is_multi_label(model):
        raise ValueError(
            f"{model.name} does not end in sigmoids, and the images have "
            "several labels"
        )

    def scores(batch):
        return model(batch, training=False)

    return scores, model.input_shape[1], model.output_shape[-1]


def _of_path(path, several):
    """As `of_export`, of a file too; and labels, where they are known."""
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist.")
    if not path.is_dir():
        return _of_model(of_file(path), several), None
    about = recorded.read(path)
    return of_export(path), about and about.labels


def load(settings, examples):
    """The model as a function of a batch, its side or None, and its name.

    Of examples with several labels it must score each class by itself.
    """
    classes, several, labels = examples.classes, examples.multi_label, None
    if settings.model is None:
        name, model = settings.variant, _of_variant(settings, classes, several)
        scores, side, units = _of_model(model, several)
    else:
        with fetched(settings.model) as path:
            path = pathlib.Path(path)
            asked, labels = _of_path(path, several)
            name = path.stem if path.is_file() else str(settings.model)
            scores, side, units = asked
    if units != len(classes):
        raise ValueError(
            f"{name} has {units} classes, but the images have "
            f"{len(classes)}."
        )
    if labels and list(labels) != list(classes):
        print(
            f"Careful: {name} calls its classes {', '.join(labels[:3])}, ...; "
            f"the images are of {', '.join(classes[:3])}, ..."
        )
    return scores, side, name


def answers(scores, batches, classes, kept=None):
    """What the model says of every image, as `error_rates.Answers`.

    Of a `reporting.Scores` that is given, all scores are kept in it. Rows of
    labels have no best class, and so no hits.
    """

    @tf.function(autograph=False)
    def answer(images, labels):
        found = scores(images)
        several = labels.shape.rank == 2
        hits = labels if several else error_rates.hits(found, labels)
        return found, tf.argmax(found, axis=-1), hits

    columns = [], [], []
    progress = Bar(int(batches.cardinality()))
    for images, labels, weights in batches:
        real = weights.numpy() > 0
        found, *said = answer(images, labels)
        for column, values in zip(columns, (labels, *said)):
            column.append(values.numpy()[real])
        if kept is not None:
            kept.add(found.numpy(), real)
        progress.add(1)
    return error_rates.Answers(*map(np.concatenate, columns), classes)


# Tables -----------------------------------------------------------------------


def table(name, found, classes, variant=None, prepare=imagenet_preprocessing):
    """The measured rows, beside the paper's where `variant` has any."""
    lines = rows(name, found, prepare)
    if "errors" not in figures(found):
        return grid(LABELS, lines, words=LABELS[:1])
    if classes == 1000 and variant is not None:
        lines += published_rows(variant, found)
    shown = _shown(classes)
    lines = [line[:shown] for line in lines]
    return grid(HEADER[:shown], lines, words=HEADER[:1])


def judged(found):
    """How many images were counted."""
    first = next(iter(found.values()))
    if isinstance(first, error_rates.Answers):
        return len(first.labels)
    return first.summary["examples"]


def figures(found):
    """What the record of an evaluation says, by side."""
    if isinstance(next(iter(found.values())), error_rates.Answers):
        return {"errors": {side: one.errors() for side, one in found.items()}}
    return {"figures": {side: one.summary for side, one in found.items()}}


def _shown(classes):
    """How many columns tell something: of five classes all are the top 5."""
    return len(HEADER) - (classes <= 5)


def rows(name, found, prepare=imagenet_preprocessing):
    """The measured rows, as in the paper."""
    lines = []
    for side, result in found.items():
        if isinstance(result, error_rates.Answers):
            rates = result.errors().values()
        else:
            rates = list(result.summary.values())[1:3]
        errors = [f"{100 * rate:.2f}" for rate in rates]
        resize = prepare(side).resize
        lines.append([name, str(side), str(resize), *errors])
    return lines


def published_rows(variant, sides):
    """What the authors print of the variant's weights, at these sides."""
    lines = []
    for name in keras_pyconv.weights.published_sets(variant):
        row = keras_pyconv.weights.get_published(variant, name)
        for side in sides:
            top_1 = row.figures.get(f"top-1 at {side}, %")
            if top_1 is not None:
                top_5 = row.figures[f"top-5 error at {side}, %"]
                errors = [f"{100 - top_1:.2f}", f"{top_5:.2f}"]
                resize = "256" if side == 224 else "?"
                lines.append([f"paper, {name}", str(side), resize, *errors])
    return lines


def worst_classes(result, classes, worst=20):
    """The classes that err most, and what they are taken for."""
    if not isinstance(result, error_rates.Answers):
        return _lowest_aps(result, worst)
    errors, confusion = result.errors_by_class(), result.confusion()
    np.fill_diagonal(confusion, 0)
    order = [c for c in np.argsort(-errors[:, 0]) if errors[c, 0] >= 0]
    lines = []
    for number in order[:worst]:
        row, count = confusion[number], (result.labels == number).sum()
        rates = [f"{100 * rate:.1f}" for rate in errors[number]]
        rates = rates[: _shown(len(classes)) - 3]
        other = classes[row.argmax()] if row.any() else ""
        lines.append([classes[number], str(count), *rates, other])
    rates = HEADER[3 : _shown(len(classes))]
    header = ["class", "images", *rates, "most often taken for"]
    return grid(header, lines, words=(header[0], header[-1]))


def _lowest_aps(report, worst):
    """The classes of several labels with the lowest average precision."""
    header, lines = report.tables["per_class"]
    known = [line for line in lines if line[2] == line[2]]
    shown = [
        [name, str(count), *(f"{100 * rate:.1f}" for rate in rates)]
        for name, count, *rates in sorted(known, key=lambda line: line[2])
    ]
    header = [*header[:2], *(f"{name}, %" for name in header[2:])]
    return grid(header, shown[:worst], words=header[:1])
