"""Keras's own files of weights: whether one fits, before it is loaded.

The fact a reader would get wrong: a file numbers its layers by their kind,
`conv2d_7`; the names that we know them by are attributes of the groups.
"""

import contextlib
import io
import os
import zipfile

import keras


def load_keras_weights(model: keras.Model, path) -> keras.Model:
    """`model.load_weights`, after a look at what the file holds.

    Args:
        model: made of layers, none of which is a model itself.
        path: of a `.weights.h5` or a `.keras` file.

    Returns:
        The model.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is cut short, is of another kind, or holds
            another network; the message names it and the first difference.
            The model is as it was.
    """
    with _opened(path) as file:
        problem = _difference(model, _shapes(file))
    if problem:
        raise ValueError(f"{os.fspath(path)!r} is refused: {problem}")
    model.load_weights(path)
    return model


@contextlib.contextmanager
def _opened(path):
    """The HDF5 file, which in a `.keras` file is a member of an archive."""
    import h5py

    name, source = os.fspath(path), path
    if not os.path.isfile(name):
        raise FileNotFoundError(f"There is no file {name!r}.")
    if name.endswith(".keras"):
        if not zipfile.is_zipfile(name):
            raise ValueError(f"{name!r} is refused: it is no archive of Keras.")
        with zipfile.ZipFile(name) as archive:
            source = io.BytesIO(archive.read("model.weights.h5"))
    elif not h5py.is_hdf5(name):
        with open(name, "rb") as file:
            begin = file.read(12)
        raise ValueError(
            f"{name!r} is refused: it is no HDF5 file, for it begins with "
            f"{begin!r}."
        )
    try:
        file = h5py.File(source)
    except OSError as error:
        raise ValueError(
            f"{name!r} is refused: it is cut short or damaged ({error})."
        ) from None
    with file:
        yield file


def _shapes(file):
    """The shapes of each layer's variables by the layer's name."""
    found = {}

    def note(path, group):
        if path.endswith("/vars") and "name" in group.attrs:
            numbers = sorted(group, key=int)
            found[group.attrs["name"]] = [group[n].shape for n in numbers]

    file.visititems(note)
    return found


def _difference(model, held):
    """What of the model the file does not hold, in words, or None."""
    own = {
        layer.name: [tuple(v.shape) for v in layer.weights]
        for layer in model.layers
        if layer.weights and not hasattr(layer, "layers")
    }
    if not set(own) & set(held):
        # Keras alone knows what is in files without such names.
        return None if not held else f"it holds no layer of {model.name!r}."
    for name, shapes in own.items():
        if name not in held:
            return f"it holds no layer {name!r}, which {model.name!r} has."
        if held[name] != shapes:
            return (
                f"its layer {name!r} has variables of shapes {held[name]}; in "
                f"{model.name!r} they are {shapes}. "
                "`keras_pyconv.models.load_body` takes over all but the "
                "classifier."
            )
    return None
