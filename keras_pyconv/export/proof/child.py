"""A script that answers requests from a SavedModel as TF Serving does.

It runs in a fresh interpreter, as `python -P child.py FOLDER`, and imports
only TensorFlow and NumPy: this package and Keras cannot be imported there, so
what answers needs neither. The model is loaded into a Session, the loader
that the server uses, and XLA compilation is switched off as the server
switches it off. `tf.saved_model.load` would hide both an unrestored variable
and a function that must be compiled, so it is no proof that a model can be
served.

The folder holds `job.json`: the number of `threads` or null, and `models`,
each with its `path` and `requests`: pairs of a signature and the seconds for
which the request is repeated, 0 for once. The arrays stand in `inputs.npz`;
the script writes `report.json` and `answers.npz` beside them.
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
FEWEST = 5  # calls that are timed, however long they take
MOST_SECONDS = 30  # for them


def import_tensorflow():
    """TensorFlow, in a process that can import no Keras; it does without."""
    # A None makes every import of the name fail.
    sys.modules.update(dict.fromkeys(FORBIDDEN))
    import tensorflow as tf

    return tf


def pack(path, arrays):
    """Writes arrays, strings of any bytes included, without pickle."""
    import tensorflow as tf

    protos = {
        name: tf.make_tensor_proto(array).SerializeToString()
        for name, array in arrays.items()
    }
    # Names hold "/", which is safe inside the archive.
    np.savez(path, **{k: np.frombuffer(v, "u1") for k, v in protos.items()})


def unpack(path):
    """Reads what `pack` wrote; strings come back as bytes objects."""
    import tensorflow as tf
    from tensorflow.core.framework import tensor_pb2

    with np.load(path, allow_pickle=False) as file:
        return {
            name: tf.make_ndarray(
                tensor_pb2.TensorProto.FromString(file[name].tobytes())
            )
            for name in file.files
        }


def disable_xla(tf):
    """Switches XLA compilation off in this process; says if it could."""
    for library in LIBRARIES:
        path = pathlib.Path(tf.__file__).parent / library
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


def below(arrays, index):
    """The arrays whose names begin with a number, without it."""
    return {
        key.split("/", 1)[1]: array
        for key, array in arrays.items()
        if key.startswith(f"{index}/")
    }


def timed(call, seconds):
    """What a call returns, and the duration of it and of repetitions."""
    durations, result = [], None
    while not durations or (
        seconds
        and (
            sum(durations[1:]) < seconds
            or (len(durations) <= FEWEST and sum(durations) < MOST_SECONDS)
        )
    ):
        begin = time.perf_counter()
        result = call()
        durations.append(time.perf_counter() - begin)
    return result, durations


def answer_all(session, signatures, requests, inputs):
    """Runs the requests in order; an error belongs to its request alone."""
    rows, answers = [], {}
    for index, (name, seconds) in enumerate(requests):
        row = {"error": None, "durations": []}
        mine = below(inputs, index)
        try:
            signature = signatures[name]
            outputs, row["durations"] = timed(
                lambda: answer(session, signature, mine), seconds
            )
            for key, array in outputs.items():
                answers[f"{index}/{key}"] = array
        except Exception as error:
            row["error"] = f"{type(error).__name__}: {error}"
        rows.append(row)
    return rows, answers


def ask_model(tf, job, inputs, threads):
    """Loads one model as the server does and runs the requests to it."""
    v1 = tf.compat.v1
    report, answers = {"load_error": None, "requests": []}, {}
    config = v1.ConfigProto(
        intra_op_parallelism_threads=threads or 0,
        inter_op_parallelism_threads=threads or 0,
    )
    with v1.Session(graph=tf.Graph(), config=config) as session:
        try:
            signatures = v1.saved_model.loader.load(
                session, [tf.saved_model.SERVING], job["path"]
            ).signature_def
        except Exception as error:
            report["load_error"] = f"{type(error).__name__}: {error}"
        else:
            report["requests"], answers = answer_all(
                session, signatures, job["requests"], inputs
            )
    return report, answers


def main(folder):
    """Asks every model that the job names, and reports."""
    folder = pathlib.Path(folder)
    job = json.loads((folder / "job.json").read_text())
    tf = import_tensorflow()
    report = {"xla_disabled": disable_xla(tf), "models": []}
    inputs, answers = unpack(folder / "inputs.npz"), {}
    for index, model in enumerate(job["models"]):
        mine = below(inputs, index)
        row, outputs = ask_model(tf, model, mine, job["threads"])
        report["models"].append(row)
        answers |= {f"{index}/{key}": one for key, one in outputs.items()}
    pack(folder / "answers.npz", answers)
    (folder / "report.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1])
