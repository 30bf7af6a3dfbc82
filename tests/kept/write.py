"""Writes the saved files of this folder: `python -m tests.kept.write`."""

import shutil

import numpy as np

from tests.kept import networks


def save(model, path):
    """In the format that the path's name says."""
    if path.suffix == ".h5":
        model.save_weights(path)
    elif path.suffix == ".keras":
        model.save(path)
    else:
        shutil.rmtree(path, ignore_errors=True)
        model.export(path, verbose=False)


def main():
    kept = {}
    for name, file in networks.FILES.items():
        model = networks.fill(networks.build(name))
        save(model, networks.FOLDER / file)
        images = networks.inputs(networks.SHAPES[name])
        found = networks.answers(model, images)
        kept |= {f"{name}/{output}": value for output, value in found.items()}
    np.savez_compressed(networks.FOLDER / "answers.npz", **kept)


if __name__ == "__main__":
    main()
