"""`keras-pyconv export`: writes a model as SavedModel, LiteRT or ONNX."""

import pathlib

from keras_pyconv.commands import add_model_options, open_model_of

_ENDINGS = {".tflite": "LiteRT", ".onnx": "ONNX"}
_EXAMPLES = """
A TARGET that ends in .tflite or .onnx is a file (OpenVINO reads .onnx too).
Any other TARGET is a folder that gets a new SavedModel version for TF Serving.
All formats include the class names and the preprocessing.

  keras-pyconv export runs/pets saved_models/pets
  keras-pyconv export PyConvResNet50 resnet.tflite --precision float16
"""


def options(name, parser, words):
    """The options of the words."""
    add = parser.add_argument
    parser.usage = "%(prog)s MODEL TARGET [OPTION ...]"
    parser.epilog = _EXAMPLES
    add("model", metavar="MODEL", help="as in `keras-pyconv predict --model`")
    add("target", metavar="TARGET", help="file or folder to write")
    add_model_options(add)
    precision = "weights of a LiteRT file (%(default)s)"
    choices = ("float32", "float16")
    add("--precision", choices=choices, default="float32", help=precision)
    found = parser.parse_args(words)
    found.run = run
    return found


def run(options):
    """Writes the export and says where."""
    opened = open_model_of(options)
    if opened.model is None:
        raise ValueError(
            f"{options.model} is already an export; export the weights or "
            "the run's folder"
        )
    if opened.task == "video" and None in opened.model.input_shape[1:]:
        raise ValueError(
            "an export needs a fixed clip size: add --side, such as the one "
            "used for training"
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
