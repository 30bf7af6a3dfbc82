"""One network as a file in the runtimes that serve it, on CPU.

A SavedModel runs in a Session, as TF Serving runs it, and gives all outputs
of its default signature. bf16 is the export of a bfloat16 model, of stock
layers what `--mixed_precision=bfloat16` of the server makes of float32,
OpenVINO's hint, and `torch.autocast`; ONNX Runtime has none.
OpenVINO computes in fp32 all the same where the processor has no bf16.
"""

import os
import pathlib

import numpy as np

from benchmarks.plan import SERVING_FILES


def _saved_model(case, path, images):
    import tensorflow as tf

    v1 = tf.compat.v1
    config = v1.ConfigProto(
        intra_op_parallelism_threads=case.threads,
        inter_op_parallelism_threads=case.threads,
    )
    if case.precision == "bf16" and case.contender == "stock":
        rewriting = config.graph_options.rewrite_options
        rewriting.auto_mixed_precision_onednn_bfloat16 = rewriting.ON
    session = v1.Session(graph=tf.Graph(), config=config)
    meta_graph = v1.saved_model.loader.load(
        session, [tf.saved_model.SERVING], str(path)
    )
    signature = meta_graph.signature_def["serving_default"]
    (feed,) = (info.name for info in signature.inputs.values())
    fetches = [info.name for info in signature.outputs.values()]
    call = session.make_callable(fetches, [feed])
    return lambda: call(images)


def _openvino(case, path, images):
    import openvino

    core = openvino.Core()
    model = core.read_model(str(path))
    model.reshape(list(images.shape))
    hint = {"fp32": "f32", "bf16": "bf16"}[case.precision]
    settings = {
        "INFERENCE_NUM_THREADS": case.threads,
        "INFERENCE_PRECISION_HINT": hint,
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = core.compile_model(model, "CPU", settings)
    return lambda: compiled([images])


def _onnxruntime(case, path, images):
    import onnxruntime

    if case.precision == "bf16":
        raise SystemExit("ONNX Runtime has no bf16 convolution on CPUs")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = case.threads
    session = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: images})


def _torch(case, _, images):
    import torch
    import torch._inductor.config

    from benchmarks import torch_networks

    torch.set_num_threads(case.threads)
    torch._inductor.config.freezing = True
    torch.manual_seed(1)
    model = torch_networks.torch_network(case.subject).eval()
    model = torch.compile(torch_networks.channels_last(model))
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)

    def call():
        precision = torch_networks.precision_of(case, "cpu")
        with torch.inference_mode(), precision:
            model(pixels)

    return call


# How each is asked, and its file.
RUNTIMES = {
    "ours": (_saved_model, "ours-{precision}/1"),
    "ours_frozen": (_saved_model, "frozen-{precision}/1"),
    "stock": (_saved_model, "stock/1"),
    "openvino": (_openvino, "ours.onnx"),
    "onnxruntime": (_onnxruntime, "ours.onnx"),
    "torch_compiled": (_torch, ""),
}


def steps(case):
    """The inference step of one contender."""
    shape = (case.batch, case.side, case.side, 3)
    images = np.random.default_rng(1).normal(size=shape).astype("float32")
    make, place = RUNTIMES[case.contender]
    place = place.format(precision=case.precision)
    path = pathlib.Path(os.environ[SERVING_FILES], place)
    return {"inference": make(case, path, images)}
