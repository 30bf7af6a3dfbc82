"""keras-cv and tf-models-official, where they are needed, or why not."""

import contextlib
import importlib
import os

import keras

from keras_pyconv.lazy import needed


def keras_cv(task="Detection", on_any_backend=False):
    """The package keras-cv, imported at the first call, or why it is not."""
    backend = keras.backend.backend()
    if backend != "tensorflow" and not on_any_backend:
        raise RuntimeError(
            "Default boxes, matching and suppression need TensorFlow. "
            f"Received: the backend {backend!r}; set KERAS_BACKEND=tensorflow."
        )
    legacy = os.environ.get("TF_USE_LEGACY_KERAS", "")
    if legacy.lower() in ("1", "true"):
        raise RuntimeError(
            "TF_USE_LEGACY_KERAS makes keras-cv use Keras 2, whose layers do "
            "not work with Keras 3. Unset it. Received: "
            f"TF_USE_LEGACY_KERAS={legacy!r}"
        )
    return needed("keras_cv", task, "keras-cv")


def model_garden(module, what):
    """A module of tf-models-official; `what` says what is done by it."""
    try:
        return importlib.import_module(f"official.{module}")
    except ImportError as error:
        raise ImportError(
            f"{what} tf-models-official, which cannot be imported here "
            f"({error}): pip install '.[official]' in the clone, in an "
            "environment of its own"
        ) from error


@contextlib.contextmanager
def counting():
    """Within it keras-cv counts in 32 bits, whatever `floatx` is."""
    before = keras.config.floatx()
    keras.config.set_floatx("float32")
    try:
        yield
    finally:
        keras.config.set_floatx(before)
