"""The README of an exported model: its signatures, and how to ask them."""

import pathlib

from keras_pyconv.export.ledger import replace_file
from keras_pyconv.export.server_files import BATCHING, MODELS, MONITORING

FILE = "README.md"
MARK = "<!-- written by keras_pyconv.export; without this line it is kept -->"


def _shape(spec):
    if spec.shape is None:
        return "any"
    sizes = ["?" if size is None else str(size) for size in spec.shape[1:]]
    return f"({', '.join(['batch', *sizes])})"


def _rows(specs, meanings):
    for name, spec in specs.items():
        meaning = meanings.get(name, "")
        yield f"| `{name}` | `{_shape(spec)}` | {spec.dtype} | {meaning} |"


def _signature(signature, spec):
    """The section of one signature."""
    inputs = "\n".join(_rows(spec.inputs, {}))
    outputs = "\n".join(_rows(spec.outputs, signature.outputs))
    return f"""\
### `{signature.name}`

{signature.meaning} Method: {signature.method}.

| takes | shape | type | |
|---|---|---|---|
{inputs}

| gives | shape | type | |
|---|---|---|---|
{outputs}
"""


def _rest(name, signature, spec):
    """A REST request with curl for one signature, or None."""
    verb = "classify" if signature.method == "classify" else "predict"
    url = f"http://localhost:8501/v1/models/{name}:{verb}"
    names = list(spec.inputs)
    if verb == "classify":
        return f"""\
```bash
curl -s {url} -d @- <<END
{{"signature_name": "{signature.name}",
 "examples": [{{"image/encoded": {{"b64": "$(base64 -w0 picture.jpg)"}}}}]}}
END
```
"""
    if names and all(key.endswith("_bytes") for key in names):
        rows = ", ".join(
            f'"{key}": {{"b64": "\'$(base64 -w0 picture.jpg)\'"}}'
            for key in names
        ).replace("'", "")
        return f"""\
```bash
curl -s {url} -d @- <<END
{{"signature_name": "{signature.name}", "instances": [{{{rows}}}]}}
END
```
"""
    return None


def _grpc(name, signature, spec):
    """A gRPC request in Python for one signature."""
    takes = next(iter(spec.inputs))
    is_file = spec.inputs[takes].dtype == "string"
    shape = [1 if n is None else n for n in spec.inputs[takes].shape or (1,)]
    dtype = spec.inputs[takes].dtype
    value = (
        '[open("picture.jpg", "rb").read()]'
        if is_file
        else f'np.zeros({tuple(shape)}, "{dtype}")'
    )
    return f"""\
```python
import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

channel = grpc.insecure_channel("localhost:8500")
service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
request = predict_pb2.PredictRequest()
request.model_spec.name = "{name}"
request.model_spec.signature_name = "{signature.name}"
request.inputs["{takes}"].CopyFrom(tf.make_tensor_proto({value}))
answer = service.Predict(request, timeout=10.0)
print({{key: tf.make_ndarray(value) for key, value in answer.outputs.items()}})
```
"""


def _asked_first(signatures):
    """The signature of the examples: files travel best."""
    files = [
        signature
        for signature in signatures
        if signature.method == "predict"
        and all(name.endswith("_bytes") for name in signature.inputs)
    ]
    return (files or list(signatures))[0]


def _examples(name, signatures, specs):
    parts = []
    for signature in signatures:
        request = _rest(name, signature, specs[signature.name])
        if request:
            parts.append(f"REST, `{signature.name}`:\n\n{request}")
    chosen = _asked_first(signatures)
    request = _grpc(name, chosen, specs[chosen.name])
    parts.append(
        f"gRPC, `{chosen.name}` (`pip install tensorflow-serving-api`):\n\n"
        + request
    )
    return "\n".join(parts)


def _pictures(preprocessing):
    """What happens to a picture before the network sees it."""
    if preprocessing is None:
        return ""
    made = preprocessing
    mean = tuple(round(x, 6) for x in made.mean)
    deviation = tuple(round(x, 6) for x in made.deviation)
    return f"""
## Pictures

A file is decoded (JPEG or PNG), its short side resized to {made.resize} pixels
with antialiasing, the central {made.size} x {made.size} cut out, and each
channel made `(pixel / 255 - mean) / deviation` with the mean {mean}
and the deviation {deviation}. Turns noted by cameras (EXIF) are not applied.
A file that cannot be read gives class -1, an empty label and score 0; the
others of its batch get their answers. `serving_default` takes what comes out
of these steps.
"""


def write_guide(root, text):
    """Writes the page into a model's folder, unless its owner wrote one.

    Args:
        root: the model's folder.
        text: of the page.
    """
    file = pathlib.Path(root, FILE)
    if not file.exists() or MARK in file.read_text(encoding="utf-8"):
        replace_file(file, text)


def guide(entry, signatures, specs, preprocessing=None):
    """The page of one model.

    Args:
        entry: the `Entry` of the version that is described.
        signatures: sequence of `Signature`.
        specs: what `read_signatures` says of the export.
        preprocessing: `Preprocessing` of the signatures that take files, or
            None.

    Returns:
        Text in Markdown.
    """
    sections = "\n".join(
        _signature(signature, specs[signature.name]) for signature in signatures
    )
    name, version = entry.name, entry.version
    source = f"\nWeights: {entry.source}." if entry.source else ""
    return f"""\
# {name}

{MARK}

{entry.network}, {entry.parameters:,} parameters; this page is about version
{version} (SHA-256 {entry.checksum[:12]}).{source}

Start the server in the folder above this one:

```bash
docker run -p 8500:8500 -p 8501:8501 \\
  --mount type=bind,source=$PWD,target=/models -t tensorflow/serving:2.20.0 \\
  --model_config_file=/models/{MODELS} \\
  --monitoring_config_file=/models/{MONITORING} \\
  --enable_batching --batching_parameters_file=/models/{BATCHING}
```

On processors without AVX512-VNNI or AMX add `-e TF_ENABLE_ONEDNN_OPTS=1` after
`run`.

## Ask it

{_examples(name, signatures, specs)}
State and signatures: `curl localhost:8501/v1/models/{name}` and
`curl localhost:8501/v1/models/{name}/metadata`.
{_pictures(preprocessing)}
## Signatures

{sections}"""
