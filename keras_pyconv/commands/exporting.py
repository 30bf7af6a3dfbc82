"""`keras-pyconv export`: a trained model as files of other runtimes."""

import pathlib

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
    add("--weights", help="of a network named by MODEL: a set or a file")
    add("--network", metavar="NAME", help="of a file of weights")
    names = "number of classes, their names with commas, or a file of them"
    add("--classes", metavar="NAMES", help=names)
    add("--side", type=int, metavar="PX", help="of a network's images")
    precision = "of a LiteRT file: float32 or float16 (%(default)s)"
    choices = ("float32", "float16")
    add("--precision", choices=choices, default="float32", help=precision)
    found = parser.parse_args(words)
    found.run = run
    return found


def run(options):
    """Writes the export and says where."""
    from keras_pyconv.commands.opening import open_model

    opened = open_model(
        options.model,
        options.network,
        options.weights,
        options.classes,
        options.side,
    )
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

    make = {
        "detection": export.detection_signatures,
        "segmentation": export.segmentation_signatures,
        "video": export.video_signatures,
    }.get(opened.task)
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

    if target.suffix.lower() == ".onnx":
        written = export.onnx(opened.model, target)
    else:
        size = options.side if inspect(opened.model).is_open else None
        written = export.litert(
            opened.model, target, options.precision, size=size
        )
    rule = choose_preprocessing(inspect(opened.model))
    record = Recorded(rule, opened.class_names)
    boxes = None
    if opened.task == "detection":
        boxes = box_settings(opened.model)
    about.write(target, record, boxes)
    return written
