"""What answers requests from a SavedModel as TF Serving does, in a process.

Neither this package nor Keras can be imported there. The model is loaded into
a Session, as by the server, and without XLA: `tf.saved_model.load` would hide
an unrestored variable, and a function that must be compiled.
"""

import ctypes
import pathlib
import sys
import time

DISABLE_XLA = "_ZN10tensorflow21DisableXlaCompilationEv"
FORBIDDEN = ("keras", "keras_pyconv")
LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_cc.2.dylib")
FEWEST = 5  # calls that are timed, however long they take
MOST_SECONDS = 30  # for them


def import_tensorflow():
    """TensorFlow, in a process that can import no Keras."""
    # A None makes every import of the name fail.
    sys.modules.update(dict.fromkeys(FORBIDDEN))
    import tensorflow as tf

    return tf


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
    feeds = {signature.inputs[key].name: inputs[key] for key in inputs}
    fetches = {key: info.name for key, info in signature.outputs.items()}
    return session.run(fetches, feeds)


def _is_timed(durations, seconds):
    """Whether a call was made, and repeated for as long as is wanted."""
    if not durations or not seconds:
        return bool(durations)
    few = len(durations) <= FEWEST and sum(durations) < MOST_SECONDS
    return not few and sum(durations[1:]) >= seconds


def answers(session, signatures, requests, seconds):
    """Outputs, durations and error of each request, in order."""
    for name, inputs in requests:
        durations = []
        try:
            while not _is_timed(durations, seconds):
                begin = time.perf_counter()
                outputs = answer(session, signatures[name], inputs)
                durations.append(time.perf_counter() - begin)
            yield outputs, durations, None
        # An error belongs to its request alone.
        except Exception as error:
            yield {}, (), f"{type(error).__name__}: {error}"


def ask_model(tf, path, requests, threads, seconds):
    """The answers of one model, loaded as the server does, and its error."""
    v1, config = tf.compat.v1, tf.compat.v1.ConfigProto()
    config.intra_op_parallelism_threads = threads or 0
    config.inter_op_parallelism_threads = threads or 0
    with v1.Session(graph=tf.Graph(), config=config) as session:
        try:
            signatures = v1.saved_model.loader.load(
                session, [tf.saved_model.SERVING], path
            ).signature_def
        except Exception as error:
            return (), f"{type(error).__name__}: {error}"
        return list(answers(session, signatures, requests, seconds)), None


def ask_models(models, threads, seconds):
    """Asks every model; also says whether XLA compilation was switched off.

    `models` are pairs of a path and its requests; the others are as of `Asked`.
    """
    tf = import_tensorflow()
    is_disabled = disable_xla(tf)
    return [
        (*ask_model(tf, path, requests, threads, seconds), is_disabled)
        for path, requests in models
    ]
