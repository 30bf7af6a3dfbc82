"""Top-1 and top-5 error of a classifier, in the paper's rows and protocol.

What: sections 5 and Tables 1 to 3 of the paper: one centre crop of 224 pixels
of a picture whose short side is 256, and the same at 320. The model is a row
of `keras_pyconv.ARCHITECTURES` with weights, published or of a file; or a
`.keras` file; or an exported SavedModel, through its own entry point.

Paper's number, at 224 and for the CutMix weights also at 320: printed beside
the measured row, where weights are published for the variant.
Ours: none here; it prints what it measures. ImageNet was not at hand.
Device: one GPU, or some images a second on each core of a CPU.
Command: python -m recipes.evaluate --variant PyConvResNet50 --weights imagenet
Also: python -m recipes.evaluate --model saved_models/mine/1 --per-class

Deviations: which resize goes with 320 is not recorded by the authors; here it
is 366, the proportion of 256 to 224. A picture that cannot be read is counted
by its label and so is nearly always an error; it is named.
"""

import json
import pathlib

import keras
import numpy as np

import keras_pyconv
from keras_pyconv import datasets
from keras_pyconv.complexity.grid import grid
from keras_pyconv.export.signatures import recorded
from keras_pyconv.reading import check_file, one_line
from keras_pyconv.tasks import error_rates
from keras_pyconv.tasks.preprocessing import (
    imagenet_preprocessing,
    pixels_as_they_are,
)
from keras_pyconv.weights.sources import verify
from recipes import common, pictures

VARIANT = "PyConvResNet50"
DATA = "imagenet2012"
SIDES = (224, 320)  # of the crops, in pixels
BATCH = 64
SMOKE = {"variant": "PyConvResNetMini", "sides": (64, 80), "batch_size": 8}
HEADER = ["", "crop", "short side", "top-1 err, %", "top-5 err, %"]

# The model, as a function of pictures -----------------------------------------


def of_builder(args, classes):
    """A row of the table of networks, at any size of picture."""
    return keras_pyconv.build_classifier(
        args.variant,
        weights=args.weights,
        classes=classes,
        input_shape=(None, None, 3),
        name=args.variant,
    )


def of_file(path):
    """The whole model in a file of Keras."""
    try:
        verify(check_file(path))
        return keras.models.load_model(path)
    # Archives, HDF5 and Keras have many errors.
    except Exception as error:
        raise ValueError(
            f"{path} is no model that Keras loads: {one_line(error)}."
        ) from error


def of_export(path):
    """The export's entry point: scores, the side it takes or None, classes."""
    import tensorflow as tf

    if not (path / "saved_model.pb").is_file():
        versions = sorted(one.parent.name for one in path.glob("*/*.pb"))
        raise ValueError(
            f"{path} holds no SavedModel. "
            f"Versions in it: {', '.join(versions) or 'none'}"
        )
    loaded = tf.saved_model.load(str(path))
    signature = loaded.signatures["serving_default"]
    _, inputs = signature.structured_input_signature
    ((name, spec),) = inputs.items()
    if "probabilities" not in signature.structured_outputs:
        raise ValueError(
            f"{path} is no export of a classifier: it has the outputs "
            f"{sorted(signature.structured_outputs)}, and no probabilities."
        )

    def scores(batch):
        return signature(**{name: batch})["probabilities"]

    scores.keeps = loaded  # its variables go when nothing holds it
    units = signature.structured_outputs["probabilities"].shape[-1]
    return scores, spec.shape[1], units


def load(args, classes):
    """The model as a function of a batch, its side or None, and its name."""
    path, labels = args.model, None
    if path is not None and not path.exists():
        raise FileNotFoundError(f"There is no {path}.")
    if path is not None and path.is_dir():
        scores, side, units = of_export(path)
        name, about = str(path), recorded.read(path)
        labels = about and about.labels
    else:
        if path is None:
            model, name = of_builder(args, len(classes)), args.variant
        else:
            model, name = of_file(path), path.stem
        side, units = model.input_shape[1], model.output_shape[-1]

        def scores(batch):
            return model(batch, training=False)

    if units != len(classes):
        raise ValueError(
            f"{name} tells {units} classes apart, and the pictures are of "
            f"{len(classes)}."
        )
    if labels and list(labels) != list(classes):
        print(
            f"Careful: {name} calls its classes {', '.join(labels[:3])}, ...; "
            f"the pictures are of {', '.join(classes[:3])}, ..."
        )
    return scores, side, name


# Counting -------------------------------------------------------------------


def answers(scores, batches, classes):
    """What the model says of every picture, as `error_rates.Answers`."""
    import tensorflow as tf

    @tf.function(autograph=False)
    def answer(images, labels):
        found = scores(images)
        return tf.argmax(found, axis=-1), error_rates.hits(found, labels)

    columns = [], [], []
    progress = keras.utils.Progbar(
        int(batches.cardinality()), verbose=common.verbosity()
    )
    for images, labels, weights in batches:
        real = weights.numpy() > 0
        for column, values in zip(columns, (labels, *answer(images, labels))):
            column.append(values.numpy()[real])
        progress.add(1)
    return error_rates.Answers(*map(np.concatenate, columns), classes)


def measure(args, validation, scores, sides):
    """`{side: Answers}`."""
    found, broken = {}, datasets.BrokenPictures.among(validation)
    for side in sides:
        rule = pixels_as_they_are(side) if args.pixels else None
        batches = datasets.evaluation_pictures(
            validation,
            rule or imagenet_preprocessing(side),
            batch_size=args.batch_size,
            broken=broken,
        )
        found[side] = answers(scores, batches, len(validation.classes))
    for name, reason in broken.reasons.items():
        print(f"Counted by its label, and not seen: {name} ({reason})")
    return found


# Showing --------------------------------------------------------------------


def rows(name, found):
    """The measured rows, as in the paper."""
    lines = []
    for side, result in found.items():
        errors = [f"{100 * rate:.2f}" for rate in result.errors().values()]
        resize = imagenet_preprocessing(side).resize
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


def by_class(result, classes, worst=20):
    """The classes that err most, and what they are taken for."""
    errors, confusion = result.errors_by_class(), result.confusion()
    np.fill_diagonal(confusion, 0)
    order = [c for c in np.argsort(-errors[:, 0]) if errors[c, 0] >= 0]
    lines = [
        [
            classes[number],
            str(int((result.labels == number).sum())),
            *(f"{100 * rate:.1f}" for rate in errors[number]),
            (
                classes[confusion[number].argmax()]
                if confusion[number].any()
                else ""
            ),
        ]
        for number in order[:worst]
    ]
    header = ["class", "pictures", *HEADER[3:], "most often taken for"]
    return grid(header, lines, words=(header[0], header[-1]))


def parse(argv):
    """The command line, with the small values of `--smoke` in place."""
    parser = common.command_line(__doc__, "runs/evaluate")
    parser.add_argument("--variant", default=VARIANT, help="(%(default)s)")
    parser.add_argument(
        "--weights", help="imagenet, imagenet_cutmix or a file of weights"
    )
    parser.add_argument(
        "--model", type=pathlib.Path, help="a .keras file or an export, instead"
    )
    parser.add_argument(
        "--data", default=DATA, help="TFDS name or folder (%(default)s)"
    )
    parser.add_argument("--split", default="validation")
    parser.add_argument(
        "--sides", type=int, nargs="+", help="of the crops; default: 224 320"
    )
    parser.add_argument("--batch-size", type=int, default=BATCH)
    parser.add_argument(
        "--pixels",
        action="store_true",
        help="give whole squares of pixels in [0, 255], for a model that "
        "shifts and scales them itself",
    )
    parser.add_argument(
        "--per-class", action="store_true", help="the worst classes"
    )
    parser.add_argument(
        "--confusion", action="store_true", help="draw who is taken for whom"
    )
    args = common.parse(parser, argv, **SMOKE)
    if not (args.weights or args.model or args.smoke):
        parser.error("name --weights or --model; without them nothing is known")
    return args


def main(argv=None):
    """Evaluates; returns `{side: Answers}`."""
    args = parse(argv)
    source = common.few_digits(args.data_dir) if args.smoke else args.data
    validation = datasets.picture_set(source, args.split, args.data_dir)
    classes = validation.classes
    scores, only, name = load(args, classes)
    sides = args.sides or SIDES
    if only and set(sides) != {only}:
        print(f"{name} takes pictures of {only} pixels and is shown no others.")
        sides = (only,)
    found = measure(args, validation, scores, sides)
    lines = rows(name, found)
    if len(classes) == 1000 and args.model is None:
        lines += published_rows(args.variant, sides)
    print(
        f"\n{validation.name}: {validation.count} pictures, one centre crop, "
        "bilinear and antialiased resizing"
    )
    print(grid(HEADER, lines, words=HEADER[:1]))
    for side, result in found.items():
        if args.per_class:
            print(f"\nWorst classes at {side}\n{by_class(result, classes)}")
        if args.confusion:
            path = args.workdir / f"confusion_{side}.png"
            print(pictures.confusion(result.confusion(), classes, path))
    errors = {side: result.errors() for side, result in found.items()}
    common.write_record(
        args.workdir / "results.json",
        model=name,
        weights=args.weights,
        data=validation.name,
        errors=json.loads(json.dumps(errors)),
    )
    return found


if __name__ == "__main__":
    common.from_shell(main)
