"""What the levels of PyConvResNet-50 answer, and how far its stage 1 sees.

What: one figure from `keras_pyconv.tasks.show_pyramid`. Above, kernels and
responses of the four levels of the first PyConv of PyConvResNet-50. Below, the
effective receptive field of a unit of stage 1 beside that of ResNet-50, mean
of four crops of the two photographs that scikit-learn brings along.

Paper's number: none; section 1 claims a larger receptive field. Ours: on the
last line that this prints.
Device: two CPU cores, under two minutes.
Command: python -m recipes.show_pyramid --picture docs/pyramid.png
Deviations from the paper: the networks are untrained, with the authors' random
initialization under one seed, unless --weights and --plain-weights name files.
"""

import pathlib

import keras
import numpy as np

import keras_pyconv
from keras_pyconv import tasks
from recipes import common

NETWORKS = ("PyConvResNet50", "ResNet50")
SMOKE_NETWORKS = ("PyConvResNetMini", "ResNetMini")
STAGE = "stage1"
SIDE_PX = 224
SMOKE_SIDE_PX = 64
SEED = 2021
MEAN = (0.485, 0.456, 0.406)  # of ImageNet's training pictures, RGB in [0, 1]
DEVIATION = (0.229, 0.224, 0.225)


def load_crops(side):
    """Two crops of each photograph, (4, side, side, 3), normalized."""
    from sklearn.datasets import load_sample_images

    crops = []
    for photograph in load_sample_images().images:
        top = (photograph.shape[0] - side) // 2
        for left in (0, photograph.shape[1] - side):
            crops.append(photograph[top : top + side, left : left + side])
    pixels = np.stack(crops).astype("float32") / 255
    return (pixels - MEAN) / np.array(DEVIATION)


def make_network(name, weights):
    """The network, from a file or drawn from the one seed."""
    keras.utils.set_random_seed(SEED)
    return keras_pyconv.build_classifier(
        name, weights=weights, input_shape=(None, None, 3), name=name
    )


def title(names, files):
    """What the networks' weights are, network by network where they differ."""
    if not any(files):
        return f"Untrained networks, seed {SEED}"
    return "; ".join(
        (
            f"{name}: {pathlib.Path(file).name}"
            if file
            else f"{name}: untrained, seed {SEED}"
        )
        for name, file in zip(names, files)
    )


def save_small(figure, path):
    """A PNG of 256 colours, a third of the size of one of all."""
    from PIL import Image

    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.copy()).quantize(256).save(path, optimize=True)


def main(argv=None):
    """Draws the figure; returns the shares outside of the plain window."""
    parser = common.command_line(__doc__, "runs/show_pyramid")
    parser.add_argument(
        "--picture",
        type=pathlib.Path,
        help="PNG to write (default: pyramid.png in the workdir)",
    )
    parser.add_argument("--weights", help="file for the PyConv network")
    parser.add_argument("--plain-weights", help="file for the plain network")
    args = parser.parse_args(argv)
    names = SMOKE_NETWORKS if args.smoke else NETWORKS
    crops = load_crops(SMOKE_SIDE_PX if args.smoke else SIDE_PX)

    files = (args.weights, args.plain_weights)
    pyramid, plain = (make_network(*pair) for pair in zip(names, files))
    path = args.picture or args.workdir / "pyramid.png"
    figure = tasks.show_pyramid(
        pyramid, crops[0], beside=plain, stage=STAGE, images=crops
    )
    figure.suptitle(title(names, files), fontsize=11)
    save_small(figure, path)

    window = tasks.theoretical_receptive_field(plain, STAGE)
    shares = {
        model.name: tasks.share_outside(
            tasks.effective_receptive_field(model, STAGE, crops), window
        )
        for model in (pyramid, plain)
    }
    print(f"Figure: {path}")
    print(
        f"Share of the gradient outside of {plain.name}'s {window} pixels: "
        + ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
    )
    return shares


if __name__ == "__main__":
    common.from_shell(main)
