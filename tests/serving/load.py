"""One export under load: sixteen clients for a minute, some requests broken.

    python -m tests.serving.load            about 75 seconds
    python -m tests.serving.load --smoke    five seconds of load

That is on the loopback server. Any other one is asked so:

    python -m tests.serving.load FOLDER --write
    tensorflow_model_server --port=8500 --rest_api_port=8501 \\
        --model_name=loaded --model_base_path=FOLDER/models/loaded
    python -m tests.serving.load FOLDER --process PID

Half of the clients ask by REST, half by gRPC, for the labels of one to four
image files. One request in twenty is broken, each in one of five ways. Every
good answer is compared with what the export said before, in a clean process.
The server's memory is read every second where its process is named.
"""

import argparse
import collections
import contextlib
import dataclasses
import itertools
import json
import pathlib
import random
import sys
import tempfile
import threading
import time
from http.client import HTTPConnection

import numpy as np

from benchmarks.records import command_line, write_record
from keras_pyconv.children import call
from keras_pyconv.progress import Bar
from recipes import serve_client
from tests.serving.process import running

NETWORK, SIDE, CLASSES = "PyConvResNetMini", 64, 10
MODEL = "loaded"
CLIENTS = 16
BROKEN = 0.05  # of the requests
IMAGES = 12
MAX_IMAGES = 4  # in one request
SCORES = 1e-4  # how far a score may be from what it was
FLAT = 1.05  # memory at the end, by what it was after a third of the time
SEED = 7
KINDS = {"rest": serve_client.Rest, "grpc": serve_client.Grpc}


def write_model(folder):
    """Writes the export, the images and what it says of them."""
    import keras

    from keras_pyconv import export
    from keras_pyconv.export.signatures.images import example_images
    from keras_pyconv.models import build_classifier

    keras.utils.set_random_seed(SEED)
    model = build_classifier(
        NETWORK, input_shape=(SIDE, SIDE, 3), classes=CLASSES
    )
    path = export.saved_model(
        model,
        pathlib.Path(folder, "models", MODEL),
        top_k=3,
        batch_sizes=tuple(range(1, MAX_IMAGES + 1)),
    )
    files = example_images(IMAGES, 80, 100)
    answer = export.answer_in_clean_process(path, files, "serve_bytes")
    labels = [[label.decode() for label in row] for row in answer["labels"]]
    rows = list(zip(labels, np.asarray(answer["scores"], float).tolist()))
    for index, data in enumerate(files):
        pathlib.Path(folder, f"{index}.jpg").write_bytes(data)
    pathlib.Path(folder, "answers.json").write_text(json.dumps(rows))


@dataclasses.dataclass
class Load:
    """What all clients share; `events` are triples of what was asked for and
    how it went, the seconds of a good answer, and a complaint."""

    files: list
    answers: list
    server: argparse.Namespace
    until: float = 0.0
    events: list = dataclasses.field(default_factory=list)

    def client(self, protocol):
        """A client of the protocol."""
        given = {"server": "127.0.0.1", "model": MODEL, "version": None}
        given |= {"port": getattr(self.server, protocol), "timeout": 60}
        return KINDS[protocol](argparse.Namespace(**given))

    def is_right(self, answer, index):
        """Whether an image has the answer that it had."""
        labels, scores = self.answers[index]
        near = np.allclose(answer.scores, scores, atol=SCORES)
        return near and list(answer.labels) == labels


def _good(load, client, draw):
    """One good request: every answer must be what it was."""
    chosen = draw.choices(range(IMAGES), k=draw.randint(1, MAX_IMAGES))
    begin = time.perf_counter()
    answers = client.ask([load.files[index] for index in chosen])
    seconds = time.perf_counter() - begin
    right = len(answers) == len(chosen)
    right = right and all(map(load.is_right, answers, chosen))
    said = None if right else f"{chosen}: {list(map(str, answers))}"
    load.events.append(("right" if right else "wrong", seconds, said))


def _keeps_good_answers(load, client, draw):
    """An image cut short between two good ones."""
    index = draw.randrange(IMAGES)
    good = load.files[index]
    first, broken, last = client.ask([good, good[: len(good) // 3], good])
    kept = load.is_right(first, index) and load.is_right(last, index)
    return kept and bool(broken.problem)


def _knows_none(load, client, draw, **options):
    """A request for a model or a version that is not there."""
    options = {**vars(client.options), **options}
    try:
        type(client)(argparse.Namespace(**options)).ask(load.files[:1])
    except serve_client.ServerError:
        return True
    return False


def _refuses(load, client, draw, body):
    """A request whose body is none."""
    where = "127.0.0.1", load.server.rest
    with contextlib.closing(HTTPConnection(*where, timeout=60)) as connection:
        connection.request("POST", f"/v1/models/{MODEL}:predict", body)
        reply = connection.getresponse()
        return reply.status == 400 and "error" in json.loads(reply.read())


MISTAKES = {
    "broken picture": (_keeps_good_answers, {}),
    "unknown model": (_knows_none, {"model": "absent"}),
    "unknown version": (_knows_none, {"version": 99}),
    "no JSON": (_refuses, {"body": b"{this is no JSON"}),
    "wrong shape": (_refuses, {"body": b'{"instances": [[1.0, 2.0]]}'}),
}


def _bad(load, client, draw):
    """One broken request: it must fail alone and be told why."""
    name = draw.choice(sorted(MISTAKES))
    ask, options = MISTAKES[name]
    went = ask(load, client, draw, **options)
    went = "as it should" if went else "wrong"
    load.events.append((f"{name}: {went}", None, None))


def _ask_until(number, load):
    """The life of one client."""
    client = load.client(list(KINDS)[number % 2])
    draw = random.Random(number)
    while time.monotonic() < load.until:
        ask = _bad if draw.random() < BROKEN else _good
        try:
            ask(load, client, draw)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            load.events.append(("failed", None, said))


def _resident_mib(process):
    """Memory of a process that is in RAM, from Linux."""
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    line = next(x for x in status.splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _watch(process, until):
    """Memory every second: pairs of seconds and MiB."""
    begun, found = time.monotonic(), []
    bar = Bar(max(int(until - begun), 1), unit_name="second")
    while (now := time.monotonic()) < until:
        if process:
            mib = round(_resident_mib(process), 1)
            found.append((round(now - begun, 1), mib))
        bar.update(min(int(now - begun), bar.target))
        time.sleep(min(1.0, max(until - now, 0)))
    return found


def growth(memory):
    """Memory of the last third by that of the second, medians."""
    if not memory:
        return None
    third = max(len(memory) // 3, 1)
    last, second = memory[-third:], memory[third : 2 * third]
    middles = [np.median([mib for _, mib in part]) for part in (last, second)]
    return float(middles[0] / middles[1])


def run(folder, server, seconds, clients=CLIENTS):
    """Figures of the export in `folder`, by `write_model`, under load.

    `server` has the ports `rest` and `grpc`, and `process`, which may be None.
    """
    folder = pathlib.Path(folder)
    answers = json.loads((folder / "answers.json").read_text())
    files = [(folder / f"{n}.jpg").read_bytes() for n in range(IMAGES)]
    load = Load(files, answers, server)
    sizes = range(1, MAX_IMAGES + 1)
    for protocol, count in itertools.product(KINDS, sizes):
        # The first call of each batch size plans the graph for it.
        load.client(protocol).ask(files[:count])
    load.until = time.monotonic() + seconds
    threads = [
        threading.Thread(target=_ask_until, args=(number, load))
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    memory = _watch(server.process, load.until)
    for thread in threads:
        thread.join()
    figures = _figures(load.events, seconds)
    grown = growth(memory)
    return {
        "seconds": seconds,
        "clients": clients,
        **figures,
        "memory_mib": memory,
        "memory_growth": grown and round(grown, 4),
        "is_flat": grown and grown <= FLAT,
    }


def _figures(events, seconds):
    counts = collections.Counter(name for name, _, _ in events)
    durations = [took for _, took, _ in events if took is not None]
    good, asked = counts["right"] + counts["wrong"], len(events)
    times = np.percentile(durations, (50, 90, 99)) * 1e3
    return {
        "requests": asked,
        "good": good,
        "good_per_second": round(good / seconds, 1),
        "right": counts["right"],
        "wrong": sum(n for name, n in counts.items() if name.endswith("wrong")),
        "failed": counts["failed"],
        "broken_share": round(1 - good / max(asked, 1), 4),
        "counts": dict(sorted(counts.items())),
        "complaints": [said for _, _, said in events if said][:5],
        "milliseconds": dict(
            zip(("p50", "p90", "p99"), times.round(1).tolist())
        ),
    }


def summary(figures):
    """A few sentences."""
    times, memory = figures["milliseconds"], figures["memory_mib"]
    said = (
        f"{figures['clients']} clients, {figures['seconds']:g} s: "
        f"{figures['requests']} requests, {figures['broken_share']:.1%} of "
        f"them broken, {figures['good_per_second']} good ones a second.\n"
        f"{figures['right']} of {figures['good']} good ones answered right, "
        f"{figures['wrong']} wrong, {figures['failed']} failed.\n"
        f"Latency p50 {times['p50']} ms, p90 {times['p90']}, p99 "
        f"{times['p99']}."
    )
    if memory:
        flat = "flat" if figures["is_flat"] else "not flat"
        said += (
            f"\nMemory {memory[0][1]:.0f} to {memory[-1][1]:.0f} MiB, last "
            f"third by second {figures['memory_growth']:.3f}: {flat}."
        )
    return said


def _asked(options, server, folder):
    """Asks a server, prints and writes what came of it; the record."""
    seconds = 5 if options.smoke else options.seconds
    figures = run(folder, server, seconds, options.clients)
    print(f"\n{summary(figures)}")
    figures |= {"network": NETWORK, "side": SIDE}
    return write_record(options, "serving-load", **figures)


def main(arguments=None):
    """Entry point; returns the record, or None where it only writes."""
    parser = command_line(__doc__)
    parser.add_argument("folder", nargs="?", help="for another server")
    parser.add_argument("--write", action="store_true", help="it, and end")
    for name, port in serve_client.PORTS.items():
        parser.add_argument(f"--{name}", type=int, default=port, help="port")
    parser.add_argument("--process", type=int, help="of the server")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    options = parser.parse_args(arguments)
    # Keras's memory and threads are no part of the load.
    write = "tests.serving.load:write_model"
    if options.write:
        return call(write, options.folder)
    if options.folder:
        return _asked(options, options, options.folder)
    with tempfile.TemporaryDirectory() as folder:
        call(write, folder)
        with running(f"{folder}/models") as server:
            return _asked(options, server, folder)


if __name__ == "__main__":
    record = main()
    sys.exit(bool(record and record["wrong"] + record["failed"]))
