"""Do PyConvResNet-50 and ResNet-50 learn under the recipe of ImageNet?

    python -m benchmarks.learning            about five minutes on two cores
    python -m benchmarks.learning --smoke    small networks, two steps

Trains both with `recipes.classify_imagenet` on JPEGs that are made here: crops
of the two photographs that scikit-learn brings along, with the quarter of the
photograph that a crop comes from as its class. One seed, and some hundred steps
before the rate would fall: this shows that they learn, not which is better.
"""

import json
import pathlib

from benchmarks.records import (
    command_line,
    learned,
    record_path,
    write_record,
)
from keras_pyconv.writing import write_atomically
from recipes import pictures

NETWORKS = ("PyConvResNet50", "ResNet50")
SMOKE_NETWORKS = ("PyConvResNetMini", "ResNetMini")
COUNTS = {"train": 100, "val": 20}  # crops of each of the eight classes
STEPS = 200  # the first ones of the schedule
OPTIONS = {
    "side": 64,
    "batch-size": 16,
    # For 256 images. The recipe's 0.1 is for 1000 classes; with eight, images
    # of a class share a batch, and the classifier is thrown far off at first.
    "learning-rate": 0.0125,
    "epochs": 24,
}


def write_folder(root, counts):
    """Crops of quarters of photographs as `root/{train,val}/{class}/*.jpg`."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_sample_images

    rng = np.random.default_rng(1)
    for name, photo in zip(("china", "flower"), load_sample_images().images):
        tall, wide = photo.shape[0] // 2, photo.shape[1] // 2
        for row, column in np.ndindex(2, 2):
            quarter = photo[row * tall :, column * wide :][:tall, :wide]
            for split, count in counts.items():
                folder = root / split / f"{name}_{row}{column}"
                folder.mkdir(parents=True, exist_ok=True)
                for number in range(count):
                    side = rng.integers(96, tall)
                    top = rng.integers(tall - side)
                    left = rng.integers(wide - side)
                    crop = quarter[top : top + side, left : left + side]
                    path = folder / f"{number}.jpg"
                    Image.fromarray(crop).save(path, quality=92)
    return root


def train(network, folder, workdir, steps):
    """The figures of each epoch, which are kept; what is done stays so."""
    from recipes import classify_imagenet

    kept = workdir / network / "figures.json"
    if kept.exists():
        return json.loads(kept.read_text())
    options = {**OPTIONS, "data": folder, "workdir": workdir / network}
    options["stop-after"] = steps
    figures, (_, history) = learned(classify_imagenet, network, options)
    figures["epochs"] = history
    write_atomically(kept, json.dumps(figures))
    return figures


def _said(network, epochs):
    if not epochs:
        return f"{network}: stopped in its first epoch"
    first, last = epochs[0], epochs[-1]
    return (
        f"{network}: loss {first['loss']:.3f} to {last['loss']:.3f}, top-1 "
        f"error {last['val_top1_error']:.1%} after {last['step']} steps"
    )


def main(arguments=None):
    """Entry point; returns the record."""
    parser = command_line(__doc__)
    parser.add_argument("--steps", type=int, help="updates of each network")
    parser.add_argument(
        "--workdir", type=pathlib.Path, default=pathlib.Path("runs/learning")
    )
    options = parser.parse_args(arguments)
    steps = options.steps or (2 if options.smoke else STEPS)
    folder = write_folder(options.workdir / "pictures", COUNTS)
    networks = SMOKE_NETWORKS if options.smoke else NETWORKS
    runs = [train(name, folder, options.workdir, steps) for name in networks]
    histories = {run["network"]: run["epochs"] for run in runs}
    if all(histories.values()):
        path = record_path(options, "learning").with_suffix(".png")
        pictures.curves(histories, path)
    print(*(_said(*item) for item in histories.items()), sep="\n")
    return write_record(options, "learning", crops=COUNTS, runs=runs)


if __name__ == "__main__":
    main()
