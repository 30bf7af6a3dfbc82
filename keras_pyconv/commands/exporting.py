"""`keras-pyconv export`: a trained model as files of other runtimes."""

import pathlib

from keras_pyconv.commands import add_model_options, open_model_of

_ENDINGS = {".tflite": "LiteRT", ".onnx": "ONNX"}
_EXAMPLES = """
TARGET ends in .tflite or .onnx; OpenVINO reads the latter. Any other is the
folder of a SavedModel for TF Serving, which gets a version of it. Each holds
the names of the classes and how images are prepared.

  keras-pyconv export runs/pets saved_models/pets
  keras-pyconv export PyConvResNet50 resnet.tflite --precision float16
"""


def options(name, parser, words):
    """The options of the words."""
    add = parser.add_argument
    parser.usage = "%(prog)s MODEL TARGET [OPTION ...]"
    parser.epilog = _EXAMPLES
    add("model", metavar="MODEL", help="as `keras-pyconv predict --model`")
    add("target", metavar="TARGET", help="file, or folder of a SavedModel")
    add_model_options(add)
    precision = "of a LiteRT file: float32 or float16 (%(default)s)"
    choices = ("float32", "float16")
    add("--precision", choices=choices, default="float32", help=precision)
    found = parser.parse_args(words)
    found.run = run
    return found


def run(options):
    """Writes the export and says where."""
    opened = open_model_of(options)
    if opened.model is None:
        raise ValueError(f"{options.model} is an export already")
    if opened.task == "video" and None in opened.model.input_shape[1:]:
        raise ValueError(
            "an export takes clips of one size: name --side, such as that of "
            "the training"
        )
    target = pathlib.Path(options.target)
    write = _saved_model
    if target.suffix.lower() in _ENDINGS:
        write = _runtime
    print(write(opened, target, options))


def _saved_model(opened, target, options):
    from keras_pyconv import export

    make = getattr(export, f"{opened.task}_signatures", None)
    about = {"labels": opened.class_names}
    if make:
        about = {"signatures": make(opened.model, **about)}
    return export.saved_model(
        opened.model, target, source=options.model, **about
    )


def _runtime(opened, target, options):
    from keras_pyconv import export
    from keras_pyconv.export.inspect import inspect
    from keras_pyconv.export.runtimes import about
    from keras_pyconv.export.signatures.classifier import choose_preprocessing
    from keras_pyconv.export.signatures.recorded import Recorded
    from keras_pyconv.tasks.detection.default_boxes import box_settings

    model, seen = opened.model, inspect(opened.model)
    if target.suffix.lower() == ".onnx":
        written = export.onnx(model, target)
    else:
        size = options.side if seen.is_open else None
        written = export.litert(model, target, options.precision, size=size)
    record = Recorded(choose_preprocessing(seen), opened.class_names)
    is_detector = opened.task == "detection"
    about.write(target, record, box_settings(model) if is_detector else None)
    return written
