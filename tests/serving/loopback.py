"""A small server of exported models, for tests: gRPC and REST on loopback.

    python -P tests/serving/loopback.py FOLDER [REST_PORT GRPC_PORT]

FOLDER holds `<name>/<version>/` as TF Serving's does, and the largest version
of each name is served. The models run in Sessions with XLA switched off, and
neither Keras nor this package can be imported: what answers here answers in
the real server. It is no other way like that: one request is one run, without
batching. It prints `{"rest": port, "grpc": port}` and ends with its standard
input.
"""

import base64
import http.server
import importlib.util
import json
import pathlib
import re
import sys
import threading
from concurrent import futures

import numpy as np

ROOT = pathlib.Path(__file__).parents[2]
REST_PATH = re.compile(
    r"/v1/models/(?P<name>[^/:]+)(/versions/(?P<version>\d+))?"
    r"(?P<what>/metadata|:predict|:classify)?"
)
DEFAULT = "serving_default"
THREADS = 32


def _child():
    """The script that the checker runs, without the package around it."""
    path = ROOT / "keras_pyconv" / "export" / "proof" / "child.py"
    spec = importlib.util.spec_from_file_location("child", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


child = _child()


class Missing(Exception):
    """No such model: NOT_FOUND, or HTTP 404."""


class Invalid(Exception):
    """A request that cannot be answered: INVALID_ARGUMENT, or HTTP 400."""


class Served:
    """One version of one model, loaded."""

    def __init__(self, tf, path):
        self.tf, self.name = tf, path.parent.name
        self.version = int(path.name)
        v1 = tf.compat.v1
        self.session = v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            meta_graph = v1.saved_model.loader.load(
                self.session, [tf.saved_model.SERVING], str(path)
            )
        self.signatures = dict(meta_graph.signature_def)

    def signature(self, name):
        if (name or DEFAULT) not in self.signatures:
            raise Invalid(f'Serving signature key "{name}" not found.')
        return self.signatures[name or DEFAULT]

    def answer(self, name, inputs):
        """Outputs by name for inputs by name."""
        signature = self.signature(name)
        if sorted(inputs) != sorted(signature.inputs):
            raise Invalid(
                f"The inputs are {sorted(signature.inputs)}, and not "
                f"{sorted(inputs)}."
            )
        try:
            return child.answer(self.session, signature, inputs)
        except (ValueError, TypeError, self.tf.errors.OpError) as error:
            raise Invalid(str(error)) from error


class Models:
    """The largest version of every name below a folder."""

    def __init__(self, tf, folder):
        self.models = {}
        for root in sorted(p for p in folder.iterdir() if p.is_dir()):
            versions = [int(p.name) for p in root.iterdir() if p.name.isdigit()]
            if versions:
                path = root / str(max(versions))
                self.models[root.name] = Served(tf, path)

    def find(self, name, version=None):
        model = self.models.get(name)
        if model is None or version not in (None, 0, model.version):
            which = f"Specific({name}, {version})" if version else None
            which = which or f"Latest({name})"
            raise Missing(f"Servable not found for request: {which}")
        return model


# REST ----------------------------------------------------------------------


def _plain(value):
    """JSON with {"b64": ...} replaced by bytes, and text by bytes."""
    if isinstance(value, dict) and set(value) == {"b64"}:
        return base64.b64decode(value["b64"])
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.encode() if isinstance(value, str) else value


def _array(tf, value, info):
    dtype = tf.as_dtype(info.dtype)
    kind = object if dtype == tf.string else dtype.as_numpy_dtype
    try:
        return np.array(_plain(value), kind)
    except (ValueError, TypeError) as error:
        raise Invalid(f"JSON Value: is not {dtype.name}: {error}") from error


def _json(name, array):
    """An output as JSON; the ending `_bytes` says what is no text."""
    if array.dtype != object:
        return array.tolist()

    def write(item):
        if isinstance(item, list):
            return [write(one) for one in item]
        if name.endswith("_bytes"):
            return {"b64": base64.b64encode(item).decode()}
        return item.decode()

    return write(array.tolist())


def rest_predict(tf, model, body):
    """Rows ("instances") or columns ("inputs") to the like."""
    name = body.get("signature_name", DEFAULT)
    infos = model.signature(name).inputs
    if "instances" in body:
        rows = body["instances"]
        named = all(isinstance(r, dict) and set(r) != {"b64"} for r in rows)
        if not named:
            rows = [{next(iter(infos)): row} for row in rows]
        columns = {key: [row[key] for row in rows] for key in rows[0]}
    elif "inputs" in body:
        columns = body["inputs"]
        if not isinstance(columns, dict) or set(columns) == {"b64"}:
            columns = {next(iter(infos)): columns}
    else:
        raise Invalid("Missing 'inputs' or 'instances' key")
    inputs = {
        key: _array(tf, value, infos[key])
        for key, value in columns.items()
        if key in infos
    }
    outputs = model.answer(name, inputs)
    written = {key: _json(key, array) for key, array in outputs.items()}
    if "inputs" in body:
        only = next(iter(written.values()))
        return {"outputs": only if len(written) == 1 else written}
    rows = [dict(zip(written, row)) for row in zip(*written.values())]
    if len(written) == 1:
        rows = [next(iter(row.values())) for row in rows]
    return {"predictions": rows}


def rest_classify(tf, model, body):
    """Examples as dictionaries of features to pairs of label and score."""
    serialized = []
    for features in body["examples"]:
        example = tf.train.Example()
        for key, value in features.items():
            values = _plain(value)
            values = values if isinstance(values, list) else [values]
            example.features.feature[key].bytes_list.value.extend(values)
        serialized.append(example.SerializeToString())
    name = body.get("signature_name", "classify")
    outputs = model.answer(name, {"inputs": np.array(serialized, object)})
    return {
        "results": [
            [[label.decode(), float(score)] for label, score in zip(*row)]
            for row in zip(outputs["classes"], outputs["scores"])
        ]
    }


def _status(model):
    version = {
        "version": str(model.version),
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    return {"model_version_status": [version]}


def _metadata(model):
    from google.protobuf import json_format

    signatures = {
        name: json_format.MessageToDict(definition)
        for name, definition in model.signatures.items()
    }
    return {
        "model_spec": {"name": model.name, "version": str(model.version)},
        "metadata": {"signature_def": {"signature_def": signatures}},
    }


def handler(tf, models):
    """The class that answers HTTP."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self, methods, body=None):
            try:
                match = REST_PATH.fullmatch(self.path)
                if not match or match["what"] not in methods:
                    raise Missing(f"Malformed request: {self.path}")
                version = int(match["version"] or 0)
                model = models.find(match["name"], version)
                code, reply = 200, methods[match["what"]](model, body)
            except Missing as error:
                code, reply = 404, {"error": str(error)}
            except (Invalid, LookupError, TypeError, ValueError) as error:
                code, reply = 400, {"error": str(error)}
            data = json.dumps(reply).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self):
            self._answer(
                {
                    None: lambda model, _: _status(model),
                    "/metadata": lambda model, _: _metadata(model),
                }
            )

        def do_POST(self):
            data = self.rfile.read(int(self.headers["Content-Length"]))

            def with_body(function):
                return lambda model, _: function(tf, model, json.loads(data))

            self._answer(
                {
                    ":predict": with_body(rest_predict),
                    ":classify": with_body(rest_classify),
                }
            )

        def log_message(self, *_):
            pass

    return Handler


def serve_rest(tf, models, port):
    """Starts the REST server; returns its port."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", port), handler(tf, models)
    )
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


# gRPC ----------------------------------------------------------------------


def _with_status(grpc, method):
    """Errors become the status codes of the real server."""

    def answer(self, request, context):
        try:
            return method(self, request)
        except Missing as error:
            context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        except (Invalid, LookupError, ValueError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

    return answer


def services(tf, models):
    """The two gRPC services."""
    import grpc
    from tensorflow_serving.apis import (
        classification_pb2,
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_service_pb2_grpc,
    )

    def find(request):
        spec = request.model_spec
        return models.find(spec.name, spec.version.value)

    class Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
        def predict(self, request):
            model = find(request)
            inputs = {k: tf.make_ndarray(v) for k, v in request.inputs.items()}
            name = request.model_spec.signature_name
            reply = predict_pb2.PredictResponse()
            for key, array in model.answer(name, inputs).items():
                reply.outputs[key].CopyFrom(tf.make_tensor_proto(array))
            reply.model_spec.name = model.name
            reply.model_spec.version.value = model.version
            return reply

        def classify(self, request):
            model = find(request)
            examples = request.input.example_list.examples
            array = np.empty(len(examples), object)
            array[:] = [example.SerializeToString() for example in examples]
            name = request.model_spec.signature_name or "classify"
            outputs = model.answer(name, {"inputs": array})
            reply = classification_pb2.ClassificationResponse()
            for row in zip(outputs["classes"], outputs["scores"]):
                classes = reply.result.classifications.add().classes
                for label, score in zip(*row):
                    classes.add(label=label.decode(), score=float(score))
            return reply

        def metadata(self, request):
            model = find(request)
            reply = get_model_metadata_pb2.GetModelMetadataResponse()
            reply.model_spec.name = model.name
            reply.model_spec.version.value = model.version
            known = get_model_metadata_pb2.SignatureDefMap()
            for name, definition in model.signatures.items():
                known.signature_def[name].CopyFrom(definition)
            reply.metadata["signature_def"].Pack(known)
            return reply

        Predict = _with_status(grpc, predict)
        Classify = _with_status(grpc, classify)
        GetModelMetadata = _with_status(grpc, metadata)

    class Status(model_service_pb2_grpc.ModelServiceServicer):
        def status(self, request):
            reply = get_model_status_pb2.GetModelStatusResponse()
            version = find(request).version
            reply.model_version_status.add(version=version, state="AVAILABLE")
            return reply

        GetModelStatus = _with_status(grpc, status)

    server = grpc.server(
        futures.ThreadPoolExecutor(THREADS),
        options=[("grpc.max_receive_message_length", -1)],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        Prediction(), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(Status(), server)
    return server


def main(folder, rest="0", grpc="0"):
    """Serves until standard input ends; port 0 is any that is free."""
    tf = child.import_tensorflow()
    if not child.disable_xla(tf):
        sys.exit("XLA could not be switched off.")
    models = Models(tf, pathlib.Path(folder))
    server = services(tf, models)
    port = server.add_insecure_port(f"127.0.0.1:{grpc}")
    server.start()
    ports = {"rest": serve_rest(tf, models, int(rest)), "grpc": port}
    print(json.dumps(ports), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
