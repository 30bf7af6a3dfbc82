"""Prepares and loads `digits_in_photos` in one call."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras_pyconv import arguments
from keras_pyconv.typing import PathLike

if TYPE_CHECKING:
    from keras_pyconv.datasets.digits_in_photos import (
        DigitsInPhotos,
        DigitsInPhotosConfig,
    )


def prepare_digits_in_photos(
    config: "str | DigitsInPhotosConfig" = "classification",
    *,
    data_dir: PathLike | None = None,
    **changes: Any,
) -> "DigitsInPhotos":
    """Makes the files of one config, unless they are there, offline.

    Args:
        config: "classification", "detection", "segmentation", "video", or a
            `DigitsInPhotosConfig`.
        data_dir: where to keep data sets; None is TFDS's own default.
        **changes: fields of `DigitsInPhotosConfig` to set otherwise, such as
            `image_size=96`, which become part of the config's name.

    Returns:
        The prepared `DigitsInPhotos` builder of TFDS.

    Raises:
        ImportError: tensorflow-datasets or scikit-learn is not installed.
        ValueError: an unknown config or field, or a value it refuses.
    """
    module = builder_module()
    builder = module.DigitsInPhotos(
        config=_changed(_config(module, config), changes), data_dir=data_dir
    )
    try:
        builder.download_and_prepare()
    except OSError:
        # Another process may have finished the same files in the meantime.
        if not builder.data_path.exists():
            raise
        builder = module.DigitsInPhotos(
            config=builder.builder_config, data_dir=data_dir
        )
    return builder


def prepare_by_name(name, data_dir=None):
    """The same by the name that changes give a config.

    Such as "detection-image_size_96-train_examples_6000".
    """
    config, *parts = name.split("-")
    pairs = (part.rpartition("_")[::2] for part in parts)
    try:
        changes = {
            field: float(number) if "." in number else int(number)
            for field, number in pairs
        }
    except ValueError:
        rule = "a config and its changes, as detection-train_examples_6000"
        arguments.refuse("name", name, rule)
    return prepare_digits_in_photos(config, data_dir=data_dir, **changes)


def load_digits_in_photos(
    config: "str | DigitsInPhotosConfig" = "classification",
    split: str | Sequence[str] | None = None,
    *,
    data_dir: PathLike | None = None,
    batch_size: int | None = None,
    shuffle_files: bool = False,
    as_supervised: bool = False,
    with_info: bool = False,
    **changes: Any,
) -> Any:
    """Loads one config as `tf.data`, making its files at the first call.

    Args:
        config, data_dir, **changes: as in `prepare_digits_in_photos`.
        split: "train", "test", a part such as "train[:10%]", a list of
            these, or None for a dict of both.
        batch_size: examples in a batch; None gives single examples.
        shuffle_files, as_supervised: as in TFDS's `as_dataset`; pairs are of
            image and label, objects or mask, or of video and motion.
        with_info: also return the `tfds.core.DatasetInfo`.

    Returns:
        A `tf.data.Dataset`, or a list or dict of them as `split` has it; with
        `with_info`, a pair of that and the info.

    Example:

    >>> train, test = keras_pyconv.datasets.load_digits_in_photos(
    ...     "detection", ["train", "test"], batch_size=64)
    """
    builder = prepare_digits_in_photos(config, data_dir=data_dir, **changes)
    datasets = builder.as_dataset(
        split=split,
        batch_size=batch_size,
        shuffle_files=shuffle_files,
        as_supervised=as_supervised,
    )
    return (datasets, builder.info) if with_info else datasets


def builder_module():
    """The file of the builder, which TFDS knows once it is imported."""
    try:
        import sklearn.datasets  # noqa: F401

        from keras_pyconv.datasets import digits_in_photos
    except ImportError as error:
        raise ImportError(
            f"digits_in_photos needs {error.name!r}, which is not installed. "
            "Install what it is made with: pip install tensorflow-datasets "
            "importlib_resources scikit-learn pillow"
        ) from error
    return digits_in_photos


def _config(module, config):
    if isinstance(config, module.DigitsInPhotosConfig):
        return config
    known = module.DigitsInPhotos.builder_configs
    if not arguments.is_one_of(config, known):
        rule = f"one of {sorted(known)} or a DigitsInPhotosConfig"
        arguments.refuse("config", config, rule)
    return known[config]


def _changed(config, changes):
    fields = sorted(
        field.name
        for field in dataclasses.fields(config)
        if isinstance(getattr(config, field.name), (int, float))
    )
    unknown = sorted({*changes} - {*fields})
    if unknown:
        raise ValueError(
            f"a config has no numbers {unknown} to change. Known: {fields}"
        )
    changed = sorted(n for n in changes if changes[n] != getattr(config, n))
    if not changed:
        return config
    name = "-".join([config.name, *(f"{n}_{changes[n]}" for n in changed)])
    return dataclasses.replace(config, name=name, **changes)
