"""Draw what the levels of a PyConv see.

Command: python -m recipes.show_pyramid --picture docs/pyramid.png

Writes one figure with `keras_pyconv.tasks.show_pyramid`. Top: kernels and
responses of the four levels of the first PyConv of PyConvResNet-50. Bottom: the
effective receptive field of a unit of stage 1 beside that of ResNet-50, as the
mean over four crops of two photographs that come with scikit-learn.

Paper's result: none; section 1 claims a larger receptive field. Our result: the
last line of the output.
Device: two CPU cores, under two minutes.
Deviations from the paper: the networks have random weights (the authors'
initialization, one seed) unless you pass --weights and --plain-weights.
"""

import dataclasses
import pathlib

from . import command_line, groups
from .lazy import figures, keras, keras_pyconv, np, tasks, writing
from .settings import Natural, Positive, option


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is drawn."""

    networks: tuple[str, str] = option(
        ("PyConvResNet50", "ResNet50"), "a PyConv network and a plain one"
    )
    weights: str | None = option(None, "weights file of the PyConv network")
    plain_weights: str | None = option(
        None, "weights file of the plain network"
    )
    stage: str = option("stage1", "stage whose receptive field is drawn")
    side: Positive = option(224, "crop size in pixels")
    seed: Natural = option(2021, "random seed of the weights")
    picture: pathlib.Path | None = option(
        None, "PNG to write; default: pyramid.png in the workdir"
    )
    run: groups.Place = groups.Place(pathlib.Path("runs/show_pyramid"))


SETTINGS = Settings()
SMOKE = groups.smoke(networks=("PyConvResNetMini", "ResNetMini"), side=64)


def load_crops(side):
    """Two crops of each photograph, (4, side, side, 3), normalized."""
    from sklearn.datasets import load_sample_images

    crops = []
    for photograph in load_sample_images().images:
        top = (photograph.shape[0] - side) // 2
        for left in (0, photograph.shape[1] - side):
            crops.append(photograph[top : top + side, left : left + side])
    known, pixels = tasks.preprocessing, np.stack(crops).astype("float32") / 255
    return (pixels - known.IMAGENET_MEAN) / np.array(known.IMAGENET_DEVIATION)


def make_network(name, weights, seed):
    """The network, from a file or drawn from the one seed."""
    keras.utils.set_random_seed(seed)
    return keras_pyconv.build_classifier(
        name, weights=weights, input_shape=(None, None, 3), name=name
    )


def title(names, files, seed):
    """What the networks' weights are, network by network where they differ."""
    if not any(files):
        return f"Untrained networks, seed {seed}"
    untrained = f"untrained, seed {seed}"
    said = [pathlib.Path(file).name if file else untrained for file in files]
    return "; ".join(map("{}: {}".format, names, said))


def save_small(figure, path):
    """A PNG of 256 colours, a third of the size of one of all."""
    from PIL import Image

    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    writing.make_folder(path.parent)
    Image.fromarray(pixels.copy()).quantize(256).save(path, optimize=True)


def main(argv=None):
    """Draws the figure; returns the shares outside of the plain window."""
    settings = command_line.parse(__doc__, SETTINGS, argv, (SMOKE,))
    files = (settings.weights, settings.plain_weights)
    with command_line.before_the_work():
        command_line.require("matplotlib", extra="recipes")
        crops = load_crops(settings.side)
        pyramid, plain = (
            make_network(name, file, settings.seed)
            for name, file in zip(settings.networks, files)
        )
    path = settings.picture or settings.run.workdir / "pyramid.png"
    figure = tasks.show_pyramid(
        pyramid, crops[0], beside=plain, stage=settings.stage, images=crops
    )
    words = title(settings.networks, files, settings.seed)
    figure.suptitle(words, fontsize=11)
    save_small(figure, path)

    window = tasks.theoretical_receptive_field(plain, settings.stage)
    shares = {
        model.name: tasks.share_outside(
            tasks.effective_receptive_field(model, settings.stage, crops),
            window,
        )
        for model in (pyramid, plain)
    }
    print(f"Figure: {path}")
    print(
        f"Share of the gradient outside of {plain.name}'s {window} pixels: "
        + ", ".join(f"{n} {figures.share(x)}" for n, x in shares.items())
    )
    return shares


if __name__ == "__main__":
    command_line.from_shell(main)
