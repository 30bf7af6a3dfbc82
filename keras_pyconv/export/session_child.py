"""A script that answers requests from a SavedModel as TF Serving does.

It runs in a fresh interpreter, as `python -P session_child.py FOLDER`, and
imports only TensorFlow and NumPy: this package and Keras cannot be imported
there, so what answers needs neither. The model is loaded into a Session, the
loader that the server uses, and XLA compilation is switched off as the
server switches it off. `tf.saved_model.load` would hide both an unrestored
variable and a function that must be compiled, so it is no proof that a model
can be served.

The folder holds `job.json`, a list of models with the requests to each, and
`inputs.npz`; the script writes `report.json` and `answers.npz` beside them.
"""

import ctypes
import json
import pathlib
import sys
import time

import numpy as np

DISABLE_XLA = "_ZN10tensorflow21DisableXlaCompilationEv"
FORBIDDEN = ("keras", "keras_pyconv")
LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_cc.2.dylib")


def pack(path, arrays):
    """Writes arrays to an `.npz` file, strings of any bytes included."""
    flat = {}
    for name, array in arrays.items():
        array = np.asarray(array)
        if array.dtype.kind in "OSU":
            items = [
                item.encode() if isinstance(item, str) else bytes(item)
                for item in array.ravel()
            ]
            flat[f"{name}|bytes"] = np.array(
                bytearray(b"".join(items)), np.uint8
            )
            lengths = np.array([len(item) for item in items], np.int64)
            flat[f"{name}|lengths"] = lengths.reshape(array.shape)
        elif array.dtype.kind == "V":  # bfloat16, which .npz cannot hold
            flat[name] = array.astype(np.float32)
        else:
            flat[name] = array
    # Names hold "/" and "|", which is safe inside the archive.
    np.savez(path, **flat)


def unpack(path):
    """Reads what `pack` wrote; strings come back as bytes objects."""
    with np.load(path, allow_pickle=False) as file:
        flat = {name: file[name] for name in file.files}
    arrays = {}
    for name, array in flat.items():
        if name.endswith("|lengths"):
            name = name.removesuffix("|lengths")
            data = flat[f"{name}|bytes"].tobytes()
            ends = np.cumsum(array.ravel())
            strings = np.empty(array.size, object)
            for index, end in enumerate(ends):
                strings[index] = data[end - array.ravel()[index] : end]
            arrays[name] = strings.reshape(array.shape)
        elif not name.endswith("|bytes"):
            arrays[name] = array
    return arrays


def disable_xla(package):
    """Switches XLA compilation off in this process; says if it could."""
    for library in LIBRARIES:
        path = package / library
        if path.exists():
            switch = getattr(ctypes.CDLL(str(path)), DISABLE_XLA, None)
            if switch is not None:
                switch()
                return True
    return False


def answer(session, signature, inputs):
    """Runs one request; returns the outputs by the signature's names."""
    feeds = {
        signature.inputs[name].name: array for name, array in inputs.items()
    }
    fetches = {name: info.name for name, info in signature.outputs.items()}
    return session.run(fetches, feeds)


def answer_all(session, signatures, names, inputs):
    """Runs the requests in order; an error belongs to its request alone.

    Args:
        session: with the model loaded.
        signatures: the model's signature definitions.
        names: of the signatures that are asked, one for each request.
        inputs: arrays by the request's number and the input's name.

    Returns:
        List of reports, and answers by the request's number and the name.
    """
    rows, answers = [], {}
    for index, name in enumerate(names):
        row = {"signature": name, "error": None}
        begin = time.perf_counter()
        try:
            mine = below(inputs, index)
            outputs = answer(session, signatures[name], mine)
            for key, array in outputs.items():
                answers[f"{index}/{key}"] = array
        except Exception as error:
            row["error"] = f"{type(error).__name__}: {error}"
        row["seconds"] = time.perf_counter() - begin
        rows.append(row)
    return rows, answers


def below(arrays, index):
    """The arrays whose names begin with a number, without it."""
    return {
        key.split("/", 1)[1]: array
        for key, array in arrays.items()
        if key.startswith(f"{index}/")
    }


def ask_model(tf, job, inputs):
    """Loads one model as the server does and runs the requests to it."""
    v1 = tf.compat.v1
    report = {"load_error": None, "load_seconds": None, "requests": []}
    answers = {}
    with v1.Session(graph=tf.Graph()) as session:
        begin = time.perf_counter()
        try:
            meta_graph = v1.saved_model.loader.load(
                session, [tf.saved_model.SERVING], job["path"]
            )
        except Exception as error:
            report["load_error"] = f"{type(error).__name__}: {error}"
        else:
            report["load_seconds"] = time.perf_counter() - begin
            report["requests"], answers = answer_all(
                session, meta_graph.signature_def, job["requests"], inputs
            )
    return report, answers


def main(folder):
    """Asks every model that the job names, and reports."""
    folder = pathlib.Path(folder)
    jobs = json.loads((folder / "job.json").read_text())
    # A None makes every import of the name fail. TensorFlow does without.
    sys.modules.update(dict.fromkeys(FORBIDDEN))
    import tensorflow as tf

    report = {
        "tensorflow": tf.__version__,
        "xla_disabled": disable_xla(pathlib.Path(tf.__file__).parent),
        "models": [],
    }
    inputs, answers = unpack(folder / "inputs.npz"), {}
    for index, job in enumerate(jobs):
        row, outputs = ask_model(tf, job, below(inputs, index))
        report["models"].append(row)
        answers |= {f"{index}/{key}": one for key, one in outputs.items()}
    pack(folder / "answers.npz", answers)
    (folder / "report.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1])
