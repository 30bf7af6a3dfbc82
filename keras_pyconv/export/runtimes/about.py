"""What a LiteRT, ONNX or OpenVINO file says of itself, inside the file.

Class names, preprocessing, and a detector's default boxes: ONNX and OpenVINO
files have room for them, and behind a LiteRT file stands a ZIP archive, as the
format's own metadata does.
"""

import json
import pathlib
import zipfile

from keras_pyconv.export.signatures.recorded import Recorded, of_row
from keras_pyconv.weights.description import Description
from keras_pyconv.writing import replacing

NAME = "keras_pyconv.json"


def as_text(record, boxes=None, description=None):
    """A `Recorded`, the arguments of `boxes_of_maps`, and a `Description`."""
    more = {"boxes": boxes}
    if description is not None:
        more["description"] = description.to_json()
    return json.dumps({**json.loads(record.as_text()), **more})


def write(path, *recorded):
    """Puts the arguments of `as_text` into a LiteRT or ONNX file."""
    text, path = as_text(*recorded), pathlib.Path(path)
    with replacing(path) as beside:
        beside.write_bytes(path.read_bytes())
        if path.suffix.lower() == ".onnx":
            _into_onnx(beside, text)
        else:
            with zipfile.ZipFile(beside, "a") as archive:
                archive.writestr(NAME, text)


def _into_onnx(path, text):
    import onnx

    model = onnx.load(path)
    onnx.helper.set_model_props(model, {NAME: text})
    onnx.save(model, path)


def read(path):
    """What `as_text` was given, of a file; defaults where it has none."""
    text = _text(pathlib.Path(path))
    if text is None:
        return Recorded(), None, None
    row = json.loads(text)
    boxes, found = row.pop("boxes", None), row.pop("description", None)
    found = found and Description.of_json(found)
    return of_row(row, path), boxes, found


def _text(path):
    if path.suffix.lower() == ".xml":
        import openvino

        model = openvino.Core().read_model(str(path))
        return (
            model.get_rt_info(NAME).value if model.has_rt_info(NAME) else None
        )
    if path.suffix.lower() == ".onnx":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(path), options)
        return session.get_modelmeta().custom_metadata_map.get(NAME)
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        return (
            archive.read(NAME).decode() if NAME in archive.namelist() else None
        )
