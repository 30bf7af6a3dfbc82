"""`openvino`: a built Keras model in the format of OpenVINO, .xml and .bin."""

import importlib.metadata
import importlib.util
import pathlib
from collections.abc import Sequence
from typing import Literal

import keras

from keras_pyconv import arguments
from keras_pyconv.export.runtimes import about, portable
from keras_pyconv.tasks.preprocessing import Preprocessing
from keras_pyconv.typing import PathLike
from keras_pyconv.weights.sources import checksum
from keras_pyconv.writing import replacing

# In the .xml: the checksum of its .bin. They are replaced one by one.
_DIGEST, _UNKNOWN = "keras_pyconv_weights", "0" * 64
ALLOWED = 1e-4  # largest difference, as a share of the largest output


def open_openvino(path, threads=None, precision="f32", weights=None):
    """Name of the runtime, and a function from named arrays to named arrays.

    Its `inputs` are their shapes by name. `path` is of an .onnx or .xml file,
    `weights` of the latter's .bin where that has another name; `precision` is
    "f32" or "bf16". On CPU.
    """
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": precision}
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    files = [str(file) for file in (path, weights) if file is not None]
    model = core.read_model(*files)
    _check_pair(model, *map(pathlib.Path, files))
    compiled = core.compile_model(model, "CPU", settings)

    def ask(inputs):
        answer = compiled(inputs)
        return {
            output.get_any_name(): answer[output] for output in compiled.outputs
        }

    ask.inputs = {
        one.get_any_name(): [
            side.get_length() if side.is_static else None
            for side in one.get_partial_shape()
        ]
        for one in compiled.inputs
    }
    return f"OpenVINO {importlib.metadata.version('openvino')}", ask


def _check_pair(model, path, weights=None):
    """Refuses an .xml beside the .bin of another export."""
    if model.has_rt_info(_DIGEST):
        weights = weights or path.with_suffix(".bin")
        if model.get_rt_info(_DIGEST).value != checksum(weights):
            raise ValueError(
                f"{path} and {weights} are of different exports: export the "
                "model again"
            )


def _serialize(made, file, weights):
    """Writes both files; the first says which second one it goes with."""
    import openvino as library

    made.set_rt_info(_UNKNOWN, [_DIGEST])
    library.serialize(made, str(file), str(weights))
    text = file.read_text("utf-8").replace(_UNKNOWN, checksum(weights))
    file.write_text(text, "utf-8")


def _convert(form, specs):
    """The model as OpenVINO has it in memory."""
    import openvino as library

    with portable.saved(form, specs) as folder:
        try:
            # `convert_model` is this, and tells OpenVINO's makers.
            return library.Core().read_model(folder)
        except Exception as error:
            raise portable.refusal(form, "for OpenVINO", error) from error


def openvino(
    model: keras.Model,
    path: PathLike,
    *,
    fold: bool = True,
    labels: Sequence[str] | None = None,
    preprocessing: Preprocessing | Literal["auto"] | None = "auto",
) -> portable.Exported:
    """Writes a model in OpenVINO's own format and checks that it runs.

    Inputs and outputs are those of `onnx`: any batch and, if the model leaves
    it open, any size. The weights are in a .bin file beside the .xml.

    Args:
        model: built functional or sequential `keras.Model`; it stays unchanged.
        path: path of the file, `*.xml`; an existing one is replaced.
        fold: whether to fold batch normalization into the kernels.
        labels: sequence of class names to store in the file, or None.
        preprocessing: `Preprocessing` to store in the file; "auto" decides as
            `saved_model` does.

    Returns:
        `Exported`, with a comparison with Keras at batch sizes 1 and 2.

    Raises:
        TypeError, ValueError: the model or an argument is not valid, OpenVINO
            lacks an operation, or the file's outputs differ from the model's.
        ImportError: openvino is not installed.

    Example:

    >>> print(keras_pyconv.export.openvino(model, "digits.xml"))
    """
    path = arguments.new_file("path", path, anywhere=True)
    good = str(path).endswith(".xml")
    arguments.check("path", path, good, "a path that ends in .xml")
    if importlib.util.find_spec("openvino") is None:
        told = "OpenVINO's format is written by openvino: pip install openvino"
        raise ImportError(told)
    form, recorded = portable.prepared(
        model, "onnx", fold, labels, preprocessing
    )
    specs = portable.sized_specs(form, None, None)
    made = _convert(form, specs)
    made.set_rt_info(about.as_text(*recorded), [about.NAME])
    beside = str(path).removesuffix(".xml") + ".bin"
    with replacing(path) as file, replacing(beside) as weights:
        _serialize(made, file, weights)
        with portable.can_run("OpenVINO", form, RuntimeError):
            runtime, ask = open_openvino(file, weights=weights)
        rows = portable.compare(form, specs, {runtime: ask}, ALLOWED, (1, 2))
        size = file.stat().st_size + weights.stat().st_size
    return portable.Exported(path, "float32", size, rows)
