"""The README of an exported model: its signatures, and example requests."""

import json
import math
import pathlib

import numpy as np

from keras_pyconv.export.serving.server_files import (
    BATCHING,
    MODELS,
    MONITORING,
)
from keras_pyconv.lazy import tf
from keras_pyconv.writing import write_atomically

FILE = "README.md"
MOST_NUMBERS = 64  # in an example of a request
BROKEN = """\
An unreadable file gets class -1, an empty label and score 0; the other files
of the batch are not affected.
"""
MARK = "<!-- written by keras_pyconv.export; without this line it is kept -->"

# In the folder of the models.
START = f"""\
docker run -p 8500:8500 -p 8501:8501 \\
  --mount type=bind,source=$PWD,target=/models -t tensorflow/serving:2.20.0 \\
  --model_config_file=/models/{MODELS} \\
  --monitoring_config_file=/models/{MONITORING} \\
  --enable_batching --batching_parameters_file=/models/{BATCHING}"""


def _shape(spec):
    if spec.shape.rank is None:
        return "any"
    sizes = ["?" if size is None else str(size) for size in spec.shape[1:]]
    return f"({', '.join(['batch', *sizes])})"


def _table(head, specs, meanings):
    lines = [f"| {head} | shape | type | |", "|---|---|---|---|"]
    for name, spec in specs.items():
        cells = f"`{name}`", f"`{_shape(spec)}`", spec.dtype.name
        lines.append(f"| {' | '.join(cells)} | {meanings.get(name, '')} |")
    return "\n".join(lines)


def _section(signature, spec):
    return f"""\
### `{signature.name}`

{signature.meaning} Method: {signature.method}.

{_table("input", spec.inputs, {})}

{_table("output", spec.outputs, signature.outputs)}
"""


def _row(spec):
    """One example of numbers as JSON, or None where it is long or text."""
    shape = [1 if n is None else n for n in (spec.shape or (1, 65))[1:]]
    if spec.dtype == tf.string or math.prod(shape) > MOST_NUMBERS:
        return None
    return json.dumps(np.zeros(shape, spec.dtype.name).tolist())


def _rest(name, signature, spec):
    """A REST request for one signature, or None where it would be long."""
    # The shell puts the file in its place.
    file = '{"b64": "$(base64 -w0 picture.jpg)"}'
    rows = f'"examples": [{{"image/encoded": {file}}}]'
    if signature.method == "predict":
        values = {
            key: file if key.endswith("_bytes") else _row(one)
            for key, one in spec.inputs.items()
        }
        if None in values.values():
            return None
        row = ", ".join(f'"{key}": {value}' for key, value in values.items())
        rows = f'"instances": [{{{row}}}]'
    url = f"http://localhost:8501/v1/models/{name}:{signature.method}"
    asked = f'{{"signature_name": "{signature.name}",\n {rows}}}'
    return f"```bash\ncurl -s {url} -d @- <<END\n{asked}\nEND\n```\n"


def _grpc(name, signature, spec):
    """A gRPC request in Python for one signature."""
    values = {}
    for key, one in spec.inputs.items():
        shape = tuple(1 if n is None else n for n in one.shape or (1,))
        values[key] = f'np.zeros({shape}, "{one.dtype.name}")'
        if one.dtype == tf.string:
            values[key] = '[open("picture.jpg", "rb").read()]'
    inputs = "\n".join(
        f'request.inputs["{key}"].CopyFrom(\n'
        f"    tf.make_tensor_proto({value})\n)"
        for key, value in values.items()
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
{inputs}
answer = service.Predict(request, timeout=10.0)
for key, value in answer.outputs.items():
    print(key, tf.make_ndarray(value))
```
"""


def _examples(name, signatures, specs):
    """Requests to each signature by REST, and to one by gRPC."""
    requests = {s.name: _rest(name, s, specs[s.name]) for s in signatures}
    parts = [f"REST, `{key}`:\n\n{one}" for key, one in requests.items() if one]

    def takes_files(one):
        names = all(key.endswith("_bytes") for key in one.inputs)
        return names and one.method == "predict"

    # Files are the easiest to send.
    chosen = max(signatures, key=takes_files)
    request = _grpc(name, chosen, specs[chosen.name])
    package = "`pip install tensorflow-serving-api`"
    parts.append(f"gRPC, `{chosen.name}` ({package}):\n\n{request}")
    return "\n".join(parts)


def _pictures(record):
    """What happens to a picture before the network sees it."""
    made = record.preprocessing
    if made is None:
        return ""
    mean = tuple(round(x, 6) for x in made.mean)
    deviation = tuple(round(x, 6) for x in made.deviation)
    steps = record.steps or (
        f"its short side resized to {made.resize} pixels with antialiasing, "
        f"the central {made.size} x {made.size} cut out"
    )
    turns = "" if made.exif else "not "
    # Signatures with steps of their own say themselves what is broken.
    broken = "" if record.steps else BROKEN
    return f"""
## Preprocessing

A file (JPEG or PNG) is decoded,
{steps},
and each channel is normalized: `(pixel / 255 - mean) / deviation`, with
the mean {mean} and the deviation {deviation}.
Rotations stored by the camera (EXIF) are {turns}applied.
{broken}`serving_default` takes the result of these steps, as float32.
"""


def _page(entry, signatures, specs, record):
    """The page of one model, in Markdown."""
    sections = "\n".join(_section(s, specs[s.name]) for s in signatures)
    name, version = entry.name, entry.version
    source = f"\nWeights: {entry.source}." if entry.source else ""
    return f"""\
# {name}

{MARK}

{entry.network}, {entry.parameters:,} parameters; this page describes version
{version} (SHA-256 {entry.checksum[:12]}).{source}

Start the server in the parent folder:

```bash
{START}
```

On processors without AVX512-VNNI or AMX, add `-e TF_ENABLE_ONEDNN_OPTS=1` after
`run` to make the model faster. `-e TF_ONEDNN_ASSUME_FROZEN_WEIGHTS=1` makes
requests of one example faster, but models that compute kernels of convolutions
from their inputs answer wrongly then; none of keras_pyconv does.

## Send requests

{_examples(name, signatures, specs)}
State and signatures: `curl localhost:8501/v1/models/{name}` and
`curl localhost:8501/v1/models/{name}/metadata`.
{_pictures(record)}
## Signatures

{sections}"""


def write_guide(root, entry, signatures, specs, record):
    """Writes the page into a model's folder, unless its owner wrote one."""
    file = pathlib.Path(root, FILE)
    is_ours = not file.is_file() or MARK.encode() in file.read_bytes()
    if is_ours and not file.is_dir():
        write_atomically(file, _page(entry, signatures, specs, record))
