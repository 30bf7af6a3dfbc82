"""`saved_model`: a built model becomes a version that TF Serving takes."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any, Literal

import keras

from keras_pyconv import arguments, provenance
from keras_pyconv.export.form import formed, formed_in_bfloat16
from keras_pyconv.export.inspect import inspect
from keras_pyconv.export.serving import ledger, versions
from keras_pyconv.export.serving.audit import check_graph, read_signatures
from keras_pyconv.export.serving.bfloat16 import is_bfloat16
from keras_pyconv.export.serving.guide import write_guide
from keras_pyconv.export.serving.module import check_size, os_errors, writer
from keras_pyconv.export.serving.remote import reached
from keras_pyconv.export.serving.server_files import (
    MOUNTED,
    check_server_files,
    write_server_files,
)
from keras_pyconv.export.serving.warmup import write_warmup
from keras_pyconv.export.signatures.classifier import model_signatures
from keras_pyconv.export.signatures.signature import Signature, given_signatures
from keras_pyconv.storage import is_remote
from keras_pyconv.tasks.preprocessing import Preprocessing
from keras_pyconv.typing import PathLike

BATCH_SIZES = (1, 2, 4, 8, 16, 32)
PACKAGES = ("keras", "tensorflow", "keras_pyconv")


def saved_model(
    model: keras.Model,
    root: PathLike,
    version: int | None = None,
    *,
    labels: Sequence[str] | None = None,
    top_k: int | None = None,
    task: Literal["classification", "raw"] | None = None,
    fold: bool = True,
    freeze: bool = False,
    preprocessing: Preprocessing | Literal["auto"] | None = "auto",
    signatures: Sequence[Signature] | None = None,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    source: str | None = None,
    server_files: bool = True,
) -> pathlib.Path | Any:
    """Writes a model as `<root>/<version>/` for TF Serving.

    The version appears complete or not at all, and an existing one is never
    overwritten. The server needs no flag: the graph has no function that XLA
    must compile, no Python function and no device.

    The signature `serving_default` takes the input of `model.predict`. A
    single float input of rank 4 is called `images`, of rank 5 `clips`; others
    keep their names. The batch, and every axis that the model leaves open,
    may have any size. A classifier returns, best class first, `scores`
    (float32), `classes` (int64) and `labels` (string) of shape `(batch, k)`,
    and `probabilities`, float32 `(batch, classes)`: its output, or the softmax
    of it if the last layer is linear. A single sigmoid unit is the probability
    of the second of two classes. Several sigmoid units score several
    labels: below 0.5 a class is -1 and its label empty. Any other model
    returns its own outputs under their names, as float32.

    An image classifier also has `serve_bytes`, which takes `image_bytes` of
    shape `(batch,)`, JPEG or PNG files, preprocesses them like the evaluation,
    and returns `scores`, `classes` and `labels`; and `classify`, the same for
    tf.Example with the file in `image/encoded`. An unreadable file gets class
    -1, an empty label and score 0.

    The version includes warm-up requests for each signature and each of
    `batch_sizes`; `root` gets a README of the signatures.

    Args:
        model: built functional or sequential `keras.Model`; it stays
            unchanged. A float16 model is written as float32. One that
            computes in bfloat16 is written in both: the first request finds
            out whether the processor that serves is faster in bfloat16.
        root: the model's folder, such as `saved_models/digits` or
            `gs://bucket/models/digits`, created if it is missing. Its name is
            the model's name on the server.
        version: positive integer, or None for one more than the largest.
        labels: sequence of class names, two for a single sigmoid unit; None
            uses the class numbers as text.
        top_k: number of best classes to return, at most all; None for 5, or
            for all of a model of several labels.
        task: "classification", "raw" for the model's own outputs, or None to
            infer it: a classifier ends in softmax, sigmoid, or a Dense layer
            without an activation, with at least two units, or with one
            sigmoid unit.
        fold: whether to fold batch normalization into the kernels. The folded
            model is first compared with the given one.
        freeze: whether to write all weights as constants, at most 2 GiB; small
            kernels of convolutions always are. On a CPU with oneDNN, this
            makes a batch of 1 faster, but not larger batches, as the server
            does with `TF_ONEDNN_ASSUME_FROZEN_WEIGHTS=1` for any export. A
            model of 25 million parameters takes three times the memory, more
            for every further signature, and seconds at the first request.
        preprocessing: `keras_pyconv.tasks.preprocessing.Preprocessing`, from
            an image to the model's input; None for no signatures that take
            files; "auto" to infer it: a model that starts with rescaling or
            normalization gets the central square in [0, 255], any other
            ImageNet's evaluation. The README says which.
        signatures: sequence of `keras_pyconv.export.Signature` to write
            instead of the above, or None.
        batch_sizes: positive integers; a new batching file for the server
            allows these.
        source: the run or file that the weights came from, for the ledger.
        server_files: whether to write the ledger, and missing configuration
            files of the server, to the parent folder of `root`.

    Returns:
        `pathlib.Path` of the version's folder; text where it is on another
        file system.

    Raises:
        ValueError: the model is not built, contains NaN or infinity, or has a
            graph that the server would reject; or an argument is not valid.
        FileExistsError: the version exists.
        OSError: `root` is a file or not writable, or the disk is full.

    Example:

    >>> keras_pyconv.export.saved_model(model, "saved_models/digits")
    PosixPath('saved_models/digits/1')
    """
    seen = inspect(model)
    arguments.integer(
        "version", version, 1, versions.LARGEST_VERSION, optional=True
    )
    arguments.integer("top_k", top_k, optional=True)
    batch_sizes = arguments.integers("batch_sizes", batch_sizes)
    freeze = arguments.flag("freeze", freeze)
    arguments.flag("fold", fold)
    arguments.flag("server_files", server_files)
    arguments.one_of("task", task, (None, "classification", "raw"))
    if source is not None and not isinstance(source, os.PathLike):
        arguments.text("source", source)
    root = arguments.path("root", root, anywhere=True)
    if signatures is None:
        options = labels, top_k, task, preprocessing
        signatures, record = model_signatures(seen, *options)
    else:
        signatures, record = given_signatures(signatures, labels, task, top_k)
    # A server reads other file systems itself; this machine's is mounted.
    models = os.path.dirname(root) if is_remote(root) else MOUNTED
    with reached(root) as folder:
        name = pathlib.Path(os.path.abspath(folder)).name
        in_both = is_bfloat16(seen)
        numbers = seen.model.count_params() * (3 if in_both else 2) // 2
        size = check_size(seen.name, numbers, freeze)
        versions.check_destination(folder, version, size)
        check_server_files(folder, server_files)
        form = formed(seen, fold)
        halved = formed_in_bfloat16(seen, fold) if in_both else None
        record = dataclasses.replace(record, size=form.size, bfloat16=in_both)
        write_module = writer(form, signatures, freeze, halved)

        def write(staging):
            with os_errors():
                write_module(staging)
                check_graph(staging, seen)
                write_warmup(
                    staging, name, signatures, batch_sizes, record.size
                )
                record.write(staging)

        place = versions.publish(folder, version, write)
        entry = _entry(seen, name, place, source, signatures)
        write_guide(folder, entry, signatures, read_signatures(place), record)
        if server_files:
            write_server_files(folder, batch_sizes, entry, models)
    return f"{root}/{place.name}" if is_remote(root) else place


def _entry(seen, name, place, source, signatures):
    """The line of the ledger about the version at a place."""
    return ledger.Entry(
        name=name,
        version=int(place.name),
        network=seen.name,
        parameters=seen.model.count_params(),
        checksum=ledger.checksum(place),
        source="" if source is None else str(source),
        signatures=tuple(signature.name for signature in signatures),
        size_bytes=ledger.size_bytes(place),
        made_with={p: provenance.version(p, "not installed") for p in PACKAGES},
    )
