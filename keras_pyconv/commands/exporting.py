"""`keras-pyconv export`: writes a model as SavedModel, LiteRT or ONNX."""

import os

from keras_pyconv.commands import add_model_options, open_model_of

_ENDINGS = {".tflite": "LiteRT", ".onnx": "ONNX", ".xml": "OpenVINO"}
_CALIBRATION = 256  # images, of which the first count
_EXAMPLES = """
A TARGET that ends in .tflite, .onnx or .xml (OpenVINO) is a file.
Any other TARGET is a folder that gets a new SavedModel version for TF Serving.
A TARGET may be on another file system, as gs://bucket/models/pets.
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
    choices = ("float32", "float16", "int8")
    add("--precision", choices=choices, default="float32", help=precision)
    images = "images or folders that represent your data, for int8"
    add("--calibration", nargs="+", metavar="SOURCE", help=images)
    found = parser.parse_args(words)
    _check_target(parser, found.target)
    is_litert = found.target.lower().endswith(".tflite")
    if found.precision != "float32" and not is_litert:
        parser.error("--precision is of a .tflite file")
    if (found.precision == "int8") != bool(found.calibration):
        parser.error("--precision int8 and --calibration need each other")
    found.run = run
    return found


def _check_target(parser, target):
    """Refuses the ending of a file that is no export's."""
    name, ending = os.path.splitext(target)
    if _ending(target) in _ENDINGS or not ending[1:2].isalpha():
        return
    if not os.path.isdir(target):
        files = ", ".join(f"{name}{known}" for known in _ENDINGS)
        parser.error(
            f"{ending} is no format of an export. Did you mean {files}, or a "
            "folder for a SavedModel, such as "
            f"saved_models/{os.path.basename(name)}?"
        )


def run(options):
    """Writes the export and says where."""
    from keras_pyconv.export.serving.server_files import check_server_files
    from keras_pyconv.export.serving.versions import check_no_others
    from keras_pyconv.storage import is_remote

    is_file = _ending(options.target) in _ENDINGS
    if not is_file and not is_remote(options.target):
        check_server_files(options.target)
        check_no_others(options.target)
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
    write = _runtime if is_file else _saved_model
    print(write(opened, options.target, options))


def _ending(target):
    return os.path.splitext(target)[1].lower()


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

    model, ending = opened.model, _ending(target)
    about = {"labels": opened.class_names}
    about["preprocessing"] = opened.preprocessing or "auto"
    if ending != ".tflite":
        write = {".onnx": export.onnx, ".xml": export.openvino}[ending]
        return write(model, target, **about)
    if inspect(model).is_open:
        about["size"] = options.side
    if options.precision == "int8":
        about["calibration"] = _calibration(opened, options)
    return export.litert(model, target, options.precision, **about)


def _calibration(opened, options):
    """What the network sees of images, from which int8 takes its ranges."""
    import numpy as np

    from keras_pyconv.commands.answering import find_files, prepared_by

    paths = find_files(options.calibration, opened.task)[:_CALIBRATION]
    if not paths:
        raise ValueError("--calibration: there is no image in it")
    prepare = prepared_by(opened, options.side)
    return np.stack([np.asarray(prepare(path)) for path in paths])
