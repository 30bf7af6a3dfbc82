"""A script that times a SavedModel as TF Serving would run it.

It runs in a fresh interpreter, as `python -P bench_child.py JOB`, because the
number of threads belongs to a process, and imports only TensorFlow and NumPy.
JOB is JSON with `path`, `signature` and `threads`. Each line of standard
input is JSON with the `file` of one request's arrays and the `seconds` to
repeat it for; each line of the answer holds the `first` duration and all the
others, in seconds.
"""

import importlib.util
import json
import os
import pathlib
import sys
import time

FEWEST = 5  # calls, however long they take
MOST_SECONDS = 30  # for them


def _session_child():
    """The neighbouring script; its folder is not where imports look."""
    path = pathlib.Path(__file__).with_name("session_child.py")
    spec = importlib.util.spec_from_file_location("session_child", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def durations(call, seconds):
    """Seconds of each call, for as long as asked and a few at least."""
    found = []
    while sum(found) < seconds or (
        len(found) < FEWEST and sum(found) < MOST_SECONDS
    ):
        begin = time.perf_counter()
        call()
        found.append(time.perf_counter() - begin)
    return found


def main(job):
    """Answers requests until standard input ends."""
    # What libraries print must not reach the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    session_child = _session_child()
    sys.modules.update(dict.fromkeys(session_child.FORBIDDEN))
    import tensorflow as tf

    session_child.disable_xla(pathlib.Path(tf.__file__).parent)
    v1 = tf.compat.v1
    config = v1.ConfigProto(
        intra_op_parallelism_threads=job["threads"],
        inter_op_parallelism_threads=job["threads"],
    )
    with v1.Session(graph=tf.Graph(), config=config) as session:
        meta_graph = v1.saved_model.loader.load(
            session, [tf.saved_model.SERVING], job["path"]
        )
        signature = meta_graph.signature_def[job["signature"]]
        print(json.dumps({"tensorflow": tf.__version__}), file=answers)
        for line in sys.stdin:
            request = json.loads(line)
            inputs = session_child.unpack(request["file"])

            def call():
                session_child.answer(session, signature, inputs)

            begin = time.perf_counter()
            call()
            first = time.perf_counter() - begin
            found = durations(call, request["seconds"])
            answer = {"first": first, "durations": found}
            print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
