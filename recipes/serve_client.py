"""Label images with a model on TensorFlow Serving.

Command: python -m recipes.serve_client photos/ --model digits
         python -m recipes.serve_client cat.jpg --model net --protocol grpc

Sends image files, or all images of a folder, in batches to the signature
`serve_bytes`, which `keras_pyconv.export.saved_model` writes for a classifier,
and prints the best labels of each file. The server decodes, resizes and
normalizes, so files are sent unchanged. If the server is starting or busy, the
client retries. A file that is not an image fails alone.

REST needs no extra package; gRPC needs `pip install ".[export]"` in the clone.
Exit status: 0 on success, 1 if a file could not be read as an image, 2 if the
server did not answer.
"""

import argparse
import base64
import dataclasses
import http.client
import importlib.util
import json
import pathlib
import sys
import time
import urllib.error
import urllib.request

SIGNATURE = "serve_bytes"
PORTS = {"rest": 8501, "grpc": 8500}
FIRST_WAIT = 0.5  # seconds before the second attempt; doubled for each other
MOST_BYTES = 256 * 2**20  # of one gRPC message; its own limit is 4 MiB
MOST_SAID = 200  # characters of a server's reply in a message
OUTPUTS = ("labels", "scores", "classes")
NO_CLASS = -1  # what the export answers for a file that is no picture


class ServerError(Exception):
    """The server gives no answers; the message is for the user."""


class Refused(Exception):
    """This request was refused; another one may be answered."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """The best labels of one picture, best first, or why there are none."""

    labels: tuple = ()
    scores: tuple = ()
    problem: str = ""

    def __str__(self):
        pairs = zip(self.labels, self.scores)
        best = ", ".join(f"{label} ({score:.3f})" for label, score in pairs)
        return self.problem or best or "no label"


def _answers(where, files, columns):
    """One answer a file; `columns()` gives labels, scores, classes by rows."""
    try:
        labels, scores, classes = columns()
        if not len(files) == len(labels) == len(scores) == len(classes):
            raise ValueError(f"{len(labels)} rows for {len(files)} files")
        return list(map(_answer, labels, scores, classes))
    # A reply may be anything that another program says.
    except (
        *(AttributeError, IndexError, KeyError, RecursionError),
        *(TypeError, ValueError),
    ) as error:
        raise ServerError(
            f"The server at {where} is not TensorFlow Serving with a "
            f"classifier of keras_pyconv.export: {type(error).__name__}, "
            f"{str(error)[:MOST_SAID]!r}."
        ) from error


def _answer(labels, scores, classes):
    # Of several labels none may be found, but their scores are above 0.
    if classes[0] == NO_CLASS and not scores[0]:
        return Answer(problem="the server reads no picture in it")
    count = sum(number != NO_CLASS for number in classes)
    return Answer(tuple(labels[:count]), tuple(map(float, scores[:count])))


# REST ----------------------------------------------------------------------


class Rest:
    """Asks by HTTP; strings of bytes travel as base64."""

    def __init__(self, options):
        self.where = f"http://{options.server}:{options.port}"
        version = f"/versions/{options.version}" if options.version else ""
        self.url = f"{self.where}/v1/models/{options.model}{version}:predict"
        self.options = options

    def ask(self, files):
        """Answers for the bytes of some files."""
        rows = [{"b64": base64.b64encode(file).decode()} for file in files]
        body = {"signature_name": SIGNATURE, "instances": rows}
        request = urllib.request.Request(
            self.url,
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(
                request, timeout=self.options.timeout
            ) as response:
                reply = response.read()
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            raise _http_error(error.code, text, self.options) from error
        except OSError as error:
            raise ConnectionError(getattr(error, "reason", error)) from error
        except http.client.HTTPException as error:
            raise ConnectionError(f"no HTTP, {error!r}") from error

        def columns():
            predictions = json.loads(reply)["predictions"]
            return [[row[name] for row in predictions] for name in OUTPUTS]

        return _answers(self.where, files, columns)


def _http_error(code, text, options):
    if code == 404:
        return ServerError(_unknown(options, text))
    if code in (408, 429, 500, 502, 503, 504):
        return ConnectionError(f"HTTP {code}: {text}")
    return Refused(text)


def _unknown(options, text):
    version = f" in version {options.version}" if options.version else ""
    return (
        f"The server at {options.server}:{options.port} has no model "
        f"{options.model!r}{version}: {text.strip()}. Its name is that of the "
        "folder above the versions."
    )


# gRPC ----------------------------------------------------------------------


class Grpc:
    """Asks by gRPC, which sends the files' bytes as they are."""

    def __init__(self, options):
        import grpc
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        self.where = f"{options.server}:{options.port}"
        limits = [
            (f"grpc.max_{way}_message_length", MOST_BYTES)
            for way in ("send", "receive")
        ]
        channel = grpc.insecure_channel(self.where, limits)
        self.stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self.options = options

    def ask(self, files):
        """Answers for the bytes of some files."""
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        request.model_spec.name = self.options.model
        request.model_spec.signature_name = SIGNATURE
        if self.options.version:
            request.model_spec.version.value = self.options.version
        proto = tf.make_tensor_proto(list(files), tf.string, [len(files)])
        request.inputs["image_bytes"].CopyFrom(proto)
        try:
            reply = self.stub.Predict(request, self.options.timeout)
        except grpc.RpcError as error:
            raise _grpc_error(error, self.options) from error

        def columns():
            labels, *numbers = (
                tf.make_ndarray(reply.outputs[name]).tolist()
                for name in OUTPUTS
            )
            labels = [[name.decode() for name in row] for row in labels]
            return labels, *numbers

        return _answers(self.where, files, columns)


def _grpc_error(error, options):
    import grpc

    code, text = error.code(), error.details()
    if code == grpc.StatusCode.NOT_FOUND:
        return ServerError(_unknown(options, text))
    again = "UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"
    return ConnectionError(text) if code.name in again else Refused(text)


# Files ---------------------------------------------------------------------


def _listing():
    """`keras_pyconv.listing` alone: all others need TensorFlow."""
    package = importlib.util.find_spec("keras_pyconv")
    path = pathlib.Path(package.origin).with_name("listing.py")
    spec = importlib.util.spec_from_file_location("_listing", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its data classes are looked up
    spec.loader.exec_module(module)
    return module


def find_images(paths):
    """Files as given, and the images of folders, sorted.

    Raises:
        ServerError: nothing is there, or no file that can be sent.
    """
    listing, found = _listing(), []
    for path in map(pathlib.Path, paths):
        if path.is_dir():
            inside = listing.Listing(path, listing.IMAGES)
            try:
                found += map(pathlib.Path, inside.files())
            except OSError as error:
                raise ServerError(str(error)) from None
            if str(inside):
                print(f"{path}: {inside}", file=sys.stderr)
        elif path.is_file():
            found.append(path)
        elif path.exists():
            raise ServerError(f"{path} is a device or a pipe, not a file.")
        else:
            raise ServerError(f"There is no file {path}.")
    if not found:
        endings = ", ".join(listing.IMAGES.endings)
        raise ServerError(f"No {endings} in {', '.join(paths)}.")
    return found


def _bytes(path):
    """The bytes of a file; none, which is no image, where it is locked."""
    try:
        return path.read_bytes()
    except OSError as error:
        print(f"{path}: {error.strerror}", file=sys.stderr)
        return b""


def ask_again(client, files):
    """Asks until the server answers, as often as the options say."""
    wait = FIRST_WAIT
    for attempt in range(client.options.retries + 1):
        try:
            return client.ask(files)
        except ConnectionError as error:
            problem = error
        if attempt < client.options.retries:
            time.sleep(wait)
            wait *= 2
    raise ServerError(
        f"No answer from {client.where} after {client.options.retries + 1} "
        f"attempts: {problem}. Is TensorFlow Serving running there?"
    )


def label_batch(client, files):
    """Answers for one batch; a refused one is asked picture by picture."""
    try:
        return ask_again(client, files)
    except Refused as error:
        if len(files) == 1:
            return [Answer(problem=f"refused: {error}")]
    return [answer for f in files for answer in label_batch(client, [f])]


def label_pictures(client, paths, batch):
    """Yields each path with its answer, a batch at a time."""
    for begin in range(0, len(paths), batch):
        some = paths[begin : begin + batch]
        files = [_bytes(path) for path in some]
        yield from zip(some, label_batch(client, files))


def _command_line():
    purpose, _, details = __doc__.partition("\n")
    parser = argparse.ArgumentParser(
        description=purpose,
        epilog=details.strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("paths", nargs="+", help="image files or folders")
    add("--model", required=True, help="model name on the server")
    add("--version", type=int, help="model version (default: the largest)")
    protocol = "(default: %(default)s)"
    add("--protocol", choices=PORTS, default="rest", help=protocol)
    host = "host name (default: %(default)s)"
    add("--server", default="localhost", help=host)
    add("--port", type=int, help="port (default: 8501 for REST, 8500 for gRPC)")
    batch = "files per request (default: %(default)s)"
    add("--batch", type=int, default=16, help=batch)
    timeout = "seconds per request (default: %(default)s)"
    add("--timeout", type=float, default=30, help=timeout)
    retries = "attempts after the first (default: %(default)s)"
    add("--retries", type=int, default=4, help=retries)
    return parser


def main(arguments=None):
    """Prints a line for each picture; returns the exit status."""
    options = _command_line().parse_args(arguments)
    options.port = options.port or PORTS[options.protocol]
    broken = 0
    try:
        paths = find_images(options.paths)
        client = {"rest": Rest, "grpc": Grpc}[options.protocol](options)
        for path, answer in label_pictures(client, paths, options.batch):
            broken += bool(answer.problem)
            print(f"{path}: {answer}", flush=True)
    except ServerError as error:
        print(error, file=sys.stderr)
        return 2
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
