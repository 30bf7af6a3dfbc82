"""What a SavedModel holds that a server should not run, read statically.

Three things load and fail at the first request: a function that XLA must
compile, a call into Python, an operation pinned to an accelerator. One works,
on the server's own disk: an operation on files. Nothing is loaded or run.
"""

import dataclasses
import pathlib
import re

from keras_pyconv import arguments
from keras_pyconv.export.serving.versions import taken_versions
from keras_pyconv.lazy import tf
from keras_pyconv.models.nesting import is_graph
from keras_pyconv.reading import explained
from keras_pyconv.typing import PathLike

_EXAMPLE = "saved_models/net/1"
MUST_COMPILE = "_XlaMustCompile"
PYTHON_OPS = ("PyFunc", "PyFuncStateless", "EagerPyFunc")
PINNED = re.compile(r"GPU|TPU|XLA", re.IGNORECASE)
FILES = "file-operation"
FILE_OPS = re.compile(
    r"(Experimental)?(ReadFile|WriteFile|MatchingFiles(Dataset)?"
    r"|(TextLine|WholeFile|FixedLengthRecord|TFRecord|LMDB)(Reader|Dataset)"
    r"|CSVDataset|RecordInput|LoadAndRemapMatrix|DistributedSave"
    r"|(List)?Snapshot(Chunks?)?Dataset(Reader)?|SnapshotNestedDatasetReader"
    r"|(Load|Save)Dataset|DatasetToTFRecord|FileSystemSetConfiguration"
    r"|CreateSummary(File|Db)Writer|(Experimental)?SqlDataset|DTensorRestore"
    r"|DumpTensor|ImmutableConst|GenerateVocabRemapping|Skipgram"
    r"|CalibrationStatisticsSaver)(V2)?"
)
# Attributes that name a file, unless they are empty or say that they do not.
FILE_ATTRIBUTES = ("vocab_file", "descriptor_source")
NO_FILE = re.compile(rb"|local://|bytes://.*", re.DOTALL)
# The saver of every SavedModel has these: only what a request runs counts.
SAVER_OPS = re.compile(r"(Save|Restore)(V2|Slices?)?|MergeV2Checkpoints")
CACHES = re.compile(r"CacheDataset(V2)?")
TABLES = re.compile(r"InitializeTableFromTextFile(V2)?")

CURES = {
    "must-compile": (
        "stock TF Serving does not compile with XLA: convert Keras "
        "convolutions with groups by keras_pyconv.native_groups(model), "
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
    FILES: (
        "a server's graph should not touch the server's files: let the "
        "request bring the bytes, and write nothing"
    ),
}


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing in the graph that would fail in the server.

    Attributes:
        kind: a key of `CURES`.
        where: the node's name, which begins with those of the Keras layers
            that made it.
        what: the function, operation or device that was found.
    """

    kind: str
    where: str
    what: str

    @property
    def cure(self) -> str:
        """What to change in the model."""
        return CURES[self.kind]

    def __str__(self):
        return f"{self.kind}: {self.what} at {self.where}; {self.cure}"


@dataclasses.dataclass(frozen=True)
class SignatureSpec:
    """The `tf.TensorSpec`s of one entry point by name, and its method."""

    inputs: dict
    outputs: dict
    method: str = "predict"


def _meta_graph(path):
    """The first graph of a SavedModel, as a protocol buffer."""
    from tensorflow.core.protobuf import saved_model_pb2

    file = pathlib.Path(path, "saved_model.pb")
    if not file.is_file():
        there = taken_versions(path)
        example = file.with_name(str(max(there))) if there else _EXAMPLE
        raise ValueError(
            f"There is no SavedModel at {path}: {file.name} is missing. Pass "
            f"the folder of one version, such as {example}."
        )
    with explained(f"{file} is damaged"):
        message = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    if not message.meta_graphs:
        raise ValueError(f"{file} contains no graph.")
    graphs = {"serve" in g.meta_info_def.tags: g for g in message.meta_graphs}
    return graphs.get(True, message.meta_graphs[0])


def _called(node):
    """Names of the functions that a node refers to."""
    for attribute in node.attr.values():
        if attribute.HasField("func"):
            yield attribute.func.name
        for function in attribute.list.func:
            yield function.name


def _reached(meta_graph, bodies):
    """Names of nodes and of functions that a request or the loading runs."""
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    left = [
        info.name
        for definition in meta_graph.signature_def.values()
        for info in definition.outputs.values()
    ]
    found = set()
    while left:
        name = left.pop().lstrip("^").split(":")[0]
        if name not in found:
            found.add(name)
            if name in nodes:
                left += [*nodes[name].input, *_called(nodes[name])]
            for node in bodies.get(name, ()):
                left += [node.op, *_called(node)]
    return found


def _constant(name, body):
    """The texts of a constant of a function's body, or None for no constant."""
    for node in body:
        if node.op == "Const" and node.name == name.split(":")[0]:
            return node.attr["value"].tensor.string_val
    return None


def _names_file(attribute, value):
    """Whether a node's attribute names a file."""
    if attribute in FILE_ATTRIBUTES:
        return not NO_FILE.fullmatch(value.s)
    return any(b"file://" in text for text in (value.s, *value.list.s))


def _touches_files(node, body, is_reached, assets):
    """Whether a node of a function's body, or of the graph, uses files."""
    if FILE_OPS.fullmatch(node.op):
        return True
    if SAVER_OPS.fullmatch(node.op):
        return is_reached
    if CACHES.fullmatch(node.op):
        # Without a name it keeps what it has in memory.
        texts = _constant(node.input[1], body)
        return texts is None or any(texts)
    if TABLES.fullmatch(node.op) and node.input[1] not in assets:
        # What comes from outside of the function is an asset of the version.
        return _constant(node.input[1], body) is not None
    return any(_names_file(*each) for each in node.attr.items())


def _node_findings(node, compiled, touches_files):
    """The findings of one node; `compiled` are must-compile functions."""
    found = [name for name in _called(node) if name in compiled]
    if found or node.attr[MUST_COMPILE].b:
        what = ", ".join(found) or node.op
        yield Finding("must-compile", node.name, what)
    if node.op in PYTHON_OPS:
        yield Finding("python-function", node.name, node.op)
    if PINNED.search(node.device):
        yield Finding("pinned-device", node.name, node.device)
    if touches_files:
        yield Finding(FILES, node.name, node.op)


def read_signatures(path):
    """Each `SignatureSpec` of a SavedModel by name, without loading it."""

    def specs(tensors):
        return {
            name: tf.TensorSpec(tf.TensorShape(i.tensor_shape), i.dtype)
            for name, i in sorted(tensors.items())
        }

    return {
        name: SignatureSpec(
            specs(definition.inputs),
            specs(definition.outputs),
            definition.method_name.rsplit("/", 1)[-1] or "predict",
        )
        for name, definition in sorted(_meta_graph(path).signature_def.items())
        if not name.startswith("__")
    }


def audit(path: PathLike) -> list[Finding]:
    """Lists what a server would refuse at the first request, or should.

    Args:
        path: folder of one SavedModel, for example `saved_models/net/1`.

    Returns:
        List of `Finding` with `kind`, `where`, `what` and `cure`; empty
        where nothing was found.

    Raises:
        ValueError: there is no readable SavedModel at `path`.
    """
    meta_graph = _meta_graph(arguments.path("path", path))
    functions = meta_graph.graph_def.library.function
    compiled = {f.signature.name for f in functions if f.attr[MUST_COMPILE].b}
    bodies = {f.signature.name: f.node_def for f in functions}
    reached = _reached(meta_graph, bodies)
    files = meta_graph.asset_file_def
    assets = {one.tensor_info.name.split(":")[0] for one in files}
    found = []
    for name, body in (("", meta_graph.graph_def.node), *bodies.items()):
        for node in body:
            is_reached = (name or node.name) in reached
            on_files = _touches_files(node, body, is_reached, assets)
            found += _node_findings(node, compiled, on_files)
    return list(dict.fromkeys(found))


def _layers_named_in(layers, node):
    """The layers whose names stand in a node's path, in words."""
    # A scope that is entered again has a number behind the layer's name.
    parts = node.split("/")
    names = {*parts, *(re.sub(r"_\d+$", "", part) for part in parts)}
    found = []
    for layer in layers:
        if layer.name in names and not is_graph(layer):
            groups = getattr(layer, "groups", None)
            more = f", groups={groups}" if isinstance(groups, int) else ""
            found.append(f"{layer.name!r} ({type(layer).__name__}{more})")
    return "layer " + " or ".join(found) if found else node


def check_graph(path, seen):
    """Refuses a SavedModel with findings, naming the layers of its model."""
    lines = [
        f"{_layers_named_in(seen.layers, found.where)}: {found.kind}; "
        f"{found.cure}"
        for found in audit(path)
    ]
    if lines:
        raise ValueError(
            f"A server would refuse the model {seen.name!r}, or should:\n  "
            + "\n  ".join(dict.fromkeys(lines))
        )
