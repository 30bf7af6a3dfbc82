"""PyConvSSD beside SSD on digits of many sizes: what do small networks learn?

    python -m benchmarks.detection_learning            about 8 minutes
    python -m benchmarks.detection_learning --smoke    seconds

Does the pyramid help where objects are of many sizes (paper, supplement,
section 1), with the same schedule, seed and images, at equal cost? COCO's
small, medium and large are areas in pixels, and all of these digits would be
small: the bounds here are boxes of the area of squares of a fifth and of two
fifths of the image's side. With `--pictures` it draws what is found.
"""

import pathlib
import time

import numpy as np

from benchmarks.records import command_line, write_record
from benchmarks.shipped import SIZES, of_detection
from keras_pyconv.complexity.grid import grid

NETWORKS = {"PyConvSSD": "PyConvResNetMini", "SSD": "ResNetMini"}
SIDE = 64
CLASSES = 11
BATCH = 16
LEARNING_RATE = 0.02
WARMUP = 0.1  # of all steps
L2 = 5e-4
EXAMPLES = (3000, 500)  # to train on, to test on
EPOCHS = 7
SEED = 1
FIGURES = ("AP", "AP50", "AP75", "AR 100")


def load(data_dir, examples):
    """The builder, and the sets to train and to test on."""
    from keras_pyconv.datasets import prepare_digits_in_photos
    from keras_pyconv.datasets.detection_sets import tfds_objects

    builder = prepare_digits_in_photos(
        "detection",
        data_dir=data_dir,
        image_size=SIDE,
        train_examples=examples[0],
        test_examples=examples[1],
    )
    return builder, *(tfds_objects(builder, name) for name in ("train", "test"))


def learn(head, train, epochs):
    """Trains one detector; returns it, its losses, and seconds a step."""
    import keras

    import keras_pyconv
    from keras_pyconv import tasks, training
    from keras_pyconv.datasets.detection import training_scenes

    keras.utils.set_random_seed(SEED)
    model = getattr(keras_pyconv, head)(
        NETWORKS[head], input_shape=(SIDE, SIDE, 3), classes=CLASSES
    )
    in_epoch = train.count // BATCH
    steps, ends = epochs * in_epoch, []
    rate = training.cosine_decay(LEARNING_RATE, steps, int(WARMUP * steps))
    model.compile(
        training.SGD(rate, l2=L2, l2_excludes="gamma|beta|bias"),
        loss=tasks.detection_losses(),
    )
    # No flips and crops: a digit in the mirror is another one.
    batches = training_scenes(
        train,
        tasks.default_boxes(model),
        (SIDE, SIDE),
        batch_size=BATCH,
        seed=SEED,
        augment=False,
    )
    timer = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda *_, **__: ends.append(time.perf_counter())
    )
    fit = model.fit(
        batches(0),
        epochs=epochs,
        steps_per_epoch=in_epoch,
        shuffle=False,
        callbacks=[timer],
        verbose=2,
    )
    return model, fit.history["loss"], float(np.median(np.diff(ends)))


def draw(models, test, path):
    """What the detectors find in some test images, side by side."""
    import tensorflow as tf

    from keras_pyconv.tasks import detect
    from recipes.pictures import label_maps

    rows = []
    for example in test.examples(None).take(6):
        image = tf.io.decode_png(test.encoded(example)).numpy()
        large = image.repeat(3, axis=0).repeat(3, axis=1)
        row = {"image": large}
        for head, model in models.items():
            found = detect(model, large, test.classes, score_threshold=0.4)
            row[head] = found.draw()
        rows.append(row)
    return label_maps(rows, test.classes, path)


def table(rows):
    """The rows as Markdown."""
    names = [*FIGURES, *SIZES]
    lines = [
        [head, f"{row['parameters']:,}"]
        + [f"{100 * row[name]:.1f}" for name in names]
        + [f"{row['seconds_a_step']:.3f}"]
        for head, row in rows.items()
    ]
    header = ["network", "parameters", *names, "s/step"]
    return grid(header, lines, "markdown", words=("network",))


def main(argv=None):
    """Trains and judges both; returns the record."""
    parser = command_line(__doc__)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--examples", type=int, nargs=2, default=EXAMPLES)
    parser.add_argument("--data-dir", help="where TFDS keeps its sets")
    parser.add_argument("--pictures", type=pathlib.Path, help="folder")
    options = parser.parse_args(argv)
    examples, epochs = options.examples, options.epochs
    if options.smoke:
        examples, epochs = (2 * BATCH, 12), 1
    builder, train, test = load(options.data_dir, examples)
    rows, models = {}, {}
    for head, backbone in NETWORKS.items():
        model, losses, seconds = learn(head, train, epochs)
        models[head] = model
        rows[head] = {
            "backbone": backbone,
            "parameters": sum(int(np.prod(v.shape)) for v in model.weights),
            "losses": losses,
            "seconds_a_step": seconds,
            **of_detection(model, builder, names=FIGURES),
        }
    print(f"\n{table(rows)}")
    if options.pictures:
        print(draw(models, test, options.pictures / "detections.png"))
    return write_record(
        options,
        "detection-learning",
        examples=list(examples),
        epochs=epochs,
        rows=rows,
    )


if __name__ == "__main__":
    main()
