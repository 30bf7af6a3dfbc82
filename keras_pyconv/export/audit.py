"""What a SavedModel holds that stock TF Serving refuses, read statically.

Three things load without complaint and fail at the first request: a function
that XLA must compile (the server switches XLA off), a call back into Python,
and an operation pinned to an accelerator that the server may not have. Only
`saved_model.pb` is read; nothing is loaded or run.
"""

import dataclasses
import pathlib
import re

MUST_COMPILE = "_XlaMustCompile"
PYTHON_OPS = ("PyFunc", "PyFuncStateless", "EagerPyFunc")
PINNED = re.compile(r"GPU|TPU|XLA", re.IGNORECASE)

CURES = {
    "must-compile": (
        "stock TF Serving does not compile with XLA: replace a Keras "
        "convolution with groups by keras_pyconv.PyConv with one level, "
        "and build layers without jit_compile=True"
    ),
    "python-function": (
        "the server has no Python: express it in TensorFlow operations "
        "instead of tf.py_function or tf.numpy_function"
    ),
    "pinned-device": (
        "the server may not have this device: build and call the model "
        "outside of tf.device"
    ),
}


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing in the graph that would fail in the server.

    Attributes:
        kind: a key of `CURES`.
        where: name of the node in the graph; it starts with the names of
            the Keras layers that made it.
        what: the function, operation or device that was found.
    """

    kind: str
    where: str
    what: str

    @property
    def cure(self):
        """What to change in the model."""
        return CURES[self.kind]

    def __str__(self):
        return f"{self.kind}: {self.what} at {self.where}; {self.cure}"


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """Type and shape of one named input or output; None is any size."""

    dtype: str
    shape: tuple | None


@dataclasses.dataclass(frozen=True)
class SignatureSpec:
    """The named inputs and outputs of one entry point, and its method."""

    inputs: dict
    outputs: dict
    method: str = "predict"


def _meta_graph(path):
    """The first graph of a SavedModel, as a protocol buffer."""
    from tensorflow.core.protobuf import saved_model_pb2

    file = pathlib.Path(path) / "saved_model.pb"
    if not file.is_file():
        raise ValueError(
            f"There is no SavedModel at {path}: {file.name} is missing. "
            "Give the folder of one version, such as saved_models/net/1."
        )
    message = saved_model_pb2.SavedModel()
    try:
        message.ParseFromString(file.read_bytes())
    except Exception as error:
        raise ValueError(f"{file} is damaged: {error}") from error
    if not message.meta_graphs:
        raise ValueError(f"{file} holds no graph.")
    return message.meta_graphs[0]


def _nodes(graph):
    """Every node of the graph and of the functions in its library."""
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _called(node):
    """Names of the functions that a node refers to."""
    for attribute in node.attr.values():
        if attribute.HasField("func"):
            yield attribute.func.name
        for function in attribute.list.func:
            yield function.name


def _node_findings(node, compiled):
    """What is wrong with one node; `compiled` are must-compile functions."""
    found = [name for name in _called(node) if name in compiled]
    if found or node.attr[MUST_COMPILE].b:
        what = ", ".join(found) or node.op
        yield Finding("must-compile", node.name, what)
    if node.op in PYTHON_OPS:
        yield Finding("python-function", node.name, node.op)
    if PINNED.search(node.device):
        yield Finding("pinned-device", node.name, node.device)


def read_signatures(path):
    """The signatures of a SavedModel, without loading it.

    Args:
        path: folder of one SavedModel.

    Returns:
        Dictionary of `SignatureSpec` by name.

    Raises:
        ValueError: there is no readable SavedModel at `path`.
    """
    import tensorflow as tf

    def specs(tensors):
        result = {}
        for name in sorted(tensors):
            info = tensors[name]
            shape = tf.TensorShape(info.tensor_shape)
            known = None if shape.rank is None else tuple(shape.as_list())
            result[name] = TensorSpec(tf.as_dtype(info.dtype).name, known)
        return result

    return {
        name: SignatureSpec(
            specs(definition.inputs),
            specs(definition.outputs),
            definition.method_name.rsplit("/", 1)[-1] or "predict",
        )
        for name, definition in sorted(_meta_graph(path).signature_def.items())
        if not name.startswith("__")
    }


def audit(path):
    """Lists what stock TF Serving would refuse at the first request.

    Args:
        path: folder of one SavedModel, for example `saved_models/net/1`.

    Returns:
        List of `Finding` with `kind`, `where`, `what` and `cure`; empty
        where nothing was found.

    Raises:
        ValueError: there is no readable SavedModel at `path`.
    """
    graph = _meta_graph(path).graph_def
    compiled = {
        function.signature.name
        for function in graph.library.function
        if function.attr[MUST_COMPILE].b
    }
    findings = {
        finding: None
        for node in _nodes(graph)
        for finding in _node_findings(node, compiled)
    }
    return list(findings)
