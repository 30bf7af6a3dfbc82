"""`onnx`: a built Keras model becomes an ONNX file, by way of tf2onnx.

The converter ends well and leaves an invalid file where it meets a grouped
convolution that XLA must compile, as Keras's own are.
"""

import importlib.util
from collections.abc import Sequence
from typing import Literal

import keras

from keras_pyconv import arguments
from keras_pyconv.export.runtimes import about, portable
from keras_pyconv.export.runtimes.openvino import open_openvino
from keras_pyconv.export.serving.audit import MUST_COMPILE
from keras_pyconv.reading import explained
from keras_pyconv.tasks.preprocessing import Preprocessing
from keras_pyconv.typing import PathLike
from keras_pyconv.writing import replacing

OPSET = 18
ALLOWED = 1e-4  # largest difference, as a share of the largest output
PACKAGES = ("tf2onnx", "onnxruntime")


def open_onnx_runtime(path, threads=None):
    """Name of the runtime, and a function from named arrays to named arrays.

    Its `inputs` are their shapes by name.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]

    def ask(inputs):
        return dict(zip(names, session.run(names, inputs)))

    ask.inputs = {one.name: one.shape for one in session.get_inputs()}
    return f"ONNX Runtime {onnxruntime.__version__}", ask


def _check_packages():
    missing = [p for p in PACKAGES if importlib.util.find_spec(p) is None]
    if missing:
        raise ImportError(
            "Exporting to ONNX needs tf2onnx and ONNX Runtime: pip install "
            f"{' '.join(missing)}"
        )


def _check_graph(form, concrete):
    """Refuses functions that XLA must compile: the converter drops them."""
    library = concrete.graph.as_graph_def().library
    if any(function.attr[MUST_COMPILE].b for function in library.function):
        raise ValueError(
            f"The model {form.name!r} contains a function that XLA must "
            "compile, which ONNX does not support: convert Keras "
            "convolutions with groups by keras_pyconv.native_groups(model)."
        )


def _convert(form, specs, opset, file):
    """Writes the file, with inputs in the order of `specs`."""
    import tf2onnx

    function = portable.exported_function(form, specs)
    _check_graph(form, function.get_concrete_function())
    try:
        tf2onnx.convert.from_function(
            function, input_signature=specs, opset=opset, output_path=str(file)
        )
    except Exception as error:
        raise portable.refusal(form, "as ONNX", error) from error


def onnx(
    model: keras.Model,
    path: PathLike,
    *,
    opset: int = OPSET,
    fold: bool = True,
    labels: Sequence[str] | None = None,
    preprocessing: Preprocessing | Literal["auto"] | None = "auto",
) -> portable.Exported:
    """Writes a model as an ONNX file and checks that it runs.

    Inputs and outputs have the names and types of the default signature of
    `saved_model` with `task="raw"`; the batch is any size, and so is every
    axis that the model leaves open. Images stay channels last.

    Args:
        model: built functional or sequential `keras.Model`; it stays unchanged.
        path: path of the file, usually `*.onnx`; an existing one is replaced.
        opset: version of ONNX's operator set.
        fold: whether to fold batch normalization into the kernels.
        labels: sequence of class names to store in the file, or None.
        preprocessing: `Preprocessing` to store in the file; "auto" decides as
            `saved_model` does.

    Returns:
        `Exported`, with a comparison with Keras for each runtime: ONNX Runtime
        and, if it is installed, OpenVINO, at batch sizes 1 and 2.

    Raises:
        TypeError, ValueError: the model or an argument is not valid, ONNX lacks
            an operation, or the file's outputs differ from the model's.
        ImportError: tf2onnx or onnxruntime is not installed.

    Example:

    >>> print(keras_pyconv.export.onnx(model, "digits.onnx"))
    """
    path = arguments.new_file("path", path, anywhere=True)
    arguments.integer("opset", opset, 7, 23)
    _check_packages()
    form, recorded = portable.prepared(
        model, "onnx", fold, labels, preprocessing
    )
    specs = portable.sized_specs(form, None, None)
    with replacing(path) as file:
        _convert(form, specs, opset, file)
        opened = _open_all(form, file)
        rows = portable.compare(form, specs, dict(opened), ALLOWED, (1, 2))
        about.write(file, *recorded)
        size = file.stat().st_size
    return portable.Exported(path, "float32", size, rows)


def _open_all(form, file):
    """Every runtime that is installed, with the file loaded."""
    openers = [open_onnx_runtime]
    if importlib.util.find_spec("openvino") is not None:
        openers.append(open_openvino)
    with explained(f"The file that was made of {form.name!r} is not valid"):
        return [opener(file) for opener in openers]
