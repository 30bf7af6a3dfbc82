"""Do PyConvResNet-50 and ResNet-50 learn under the recipe of ImageNet?

    python -m benchmarks.learning            ten minutes on two quiet cores
    python -m benchmarks.learning --smoke    small networks, few steps

Trains both with `recipes.classify_imagenet` on a folder of pictures that is
made here: handwritten digits on photographs. Everything but the pictures,
their size and the length of the run is the recipe's. One seed, and some
hundred steps: this shows that the networks learn, and not which is better.
"""

import argparse
import json
import os
import pathlib
import time

# Read by TensorFlow when it is imported; the networks train twice as fast.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from benchmarks import machine  # noqa: E402
from benchmarks.records import record_path  # noqa: E402
from benchmarks.run import write_atomically  # noqa: E402

NETWORKS = ("PyConvResNet50", "ResNet50")
SMOKE_NETWORKS = ("PyConvResNetMini", "ResNetMini")
PICTURES = {
    "image_size": 96,
    "train_examples": 1600,
    "test_examples": 400,
    "smallest": 0.5,
}
SMOKE_PICTURES = {**PICTURES, "train_examples": 64, "test_examples": 16}
SIDE, BATCH, EPOCHS = 64, 32, 8


def write_folder(root, pictures):
    """The digits as `root/{train,val}/{class}/{number}.png`."""
    from keras_pyconv.datasets import picture_set, prepare_digits_in_photos

    builder = prepare_digits_in_photos(
        "classification", data_dir=root / "tfds", **pictures
    )
    for split, name in (("train", "train"), ("val", "test")):
        opened = picture_set(builder, name)
        for number, example in enumerate(opened.examples()):
            label = opened.classes[int(example["label"])]
            path = root / split / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(example["picture"].numpy())
    return root


def train(network, folder, workdir, epochs):
    """The figures of each epoch, and the seconds that the run took."""
    from recipes import classify_imagenet

    options = {
        "variant": network,
        "data": folder,
        "workdir": workdir / network,
        "side": SIDE,
        "batch-size": BATCH,
        "epochs": epochs,
        "strategy": "one",
    }
    command = [f"--{name}={value}" for name, value in options.items()]
    begin = time.perf_counter()
    _, history = classify_imagenet.main(command)
    return {
        "network": network,
        "command": command,
        "seconds": round(time.perf_counter() - begin, 1),
        "epochs": history,
    }


def draw(runs, path):
    """Training loss and validation error of both, side by side."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2)
    panels = {
        "loss": "training loss",
        "val_top1_error": "top-1 error on pictures never trained on, %",
    }
    for axis, (quantity, title) in zip(axes, panels.items()):
        for number, run in enumerate(runs):
            steps = [row["step"] for row in run["epochs"]]
            values = [row[quantity] for row in run["epochs"]]
            if quantity != "loss":
                values = [100 * value for value in values]
            axis.plot(
                steps, values, "o-", color=f"C{number}", label=run["network"]
            )
        axis.set_xlabel("updates of the weights")
        axis.set_title(title, fontsize=10)
        axis.grid(alpha=0.3)
    axes[0].legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main(arguments=None):
    """Entry point; returns the record."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--epochs", type=int)
    parser.add_argument(
        "--workdir", type=pathlib.Path, default=pathlib.Path("runs/learning")
    )
    options = parser.parse_args(arguments)
    epochs = options.epochs or (1 if options.smoke else EPOCHS)
    pictures = SMOKE_PICTURES if options.smoke else PICTURES
    folder = write_folder(options.workdir / "pictures", pictures)
    networks = SMOKE_NETWORKS if options.smoke else NETWORKS
    runs = [
        train(network, folder, options.workdir, epochs) for network in networks
    ]
    described = machine.description()
    record = {"machine": described, "pictures": pictures, "runs": runs}
    path = record_path(described, "learning", options.smoke)
    write_atomically(path, json.dumps(record, indent=1) + "\n")
    draw(runs, path.with_suffix(".png"))
    for run in runs:
        first, last = run["epochs"][0], run["epochs"][-1]
        print(
            f"{run['network']}: loss {first['loss']:.3f} to "
            f"{last['loss']:.3f}, top-1 error {last['val_top1_error']:.1%} "
            f"after {last['step']} steps, {run['seconds']:.0f} s"
        )
    print(f"Record: {path}")
    return record


if __name__ == "__main__":
    main()
