"""One export under load: sixteen clients for a minute, some requests broken.

    python -m benchmarks.serving_load            about 75 seconds
    python -m benchmarks.serving_load --smoke    five seconds of load

Half of the clients ask the loopback server of the tests by REST, half by
gRPC, for the labels of one to four picture files. One request in twenty is
broken, each in one of five ways. Every good answer is compared with what the
export said before, in a clean process; the server's memory is read every
second. Prints a summary and writes one record.

The server here is that of the tests. What
is proved is the export, which runs as in TF Serving, and the client's side.
"""

import argparse
import collections
import dataclasses
import http.client
import json
import pathlib
import random
import tempfile
import threading
import time

import numpy as np

from benchmarks import machine
from benchmarks.records import command_line, write_record
from keras_pyconv.children import call
from keras_pyconv.progress import Bar
from recipes import serve_client

NETWORK, SIDE, CLASSES = "PyConvResNetMini", 64, 10
MODEL = "loaded"
CLIENTS = 16
BROKEN = 0.05  # of the requests
IMAGES = 12
MAX_IMAGES = 4  # in one request
SCORES = 1e-4  # how far a score may be from what it was
FLAT = 1.05  # memory at the end, by what it was after a third of the time
SEED = 7


# The export ----------------------------------------------------------------


def write_model(folder):
    """Writes the export, the pictures and what it says of them."""
    import keras

    from keras_pyconv import export
    from keras_pyconv.export.signatures.images import example_images
    from keras_pyconv.models import build_classifier

    keras.utils.set_random_seed(SEED)
    model = build_classifier(
        NETWORK, input_shape=(SIDE, SIDE, 3), classes=CLASSES
    )
    batches = tuple(range(1, MAX_IMAGES + 1))
    path = export.saved_model(
        model,
        pathlib.Path(folder, "models", MODEL),
        top_k=3,
        batch_sizes=batches,
    )
    files = example_images(IMAGES, 80, 100)
    answer = export.answer_in_clean_process(path, files, "serve_bytes")
    rows = [
        {
            "labels": [label.decode() for label in labels],
            "scores": [float(score) for score in scores],
        }
        for labels, scores in zip(answer["labels"], answer["scores"])
    ]
    for index, data in enumerate(files):
        pathlib.Path(folder, f"{index}.jpg").write_bytes(data)
    pathlib.Path(folder, "answers.json").write_text(json.dumps(rows))


# The clients ---------------------------------------------------------------


@dataclasses.dataclass
class Tally:
    """What one client saw; every client has its own."""

    seconds: list = dataclasses.field(default_factory=list)
    counts: collections.Counter = dataclasses.field(
        default_factory=collections.Counter
    )
    complaints: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Load:
    """What all clients share."""

    files: list
    answers: list
    ports: dict
    until: float


def _options(load, protocol):
    return argparse.Namespace(
        server="127.0.0.1",
        port=load.ports[protocol],
        model=MODEL,
        version=None,
        timeout=60,
        retries=0,
    )


def _is_right(answer, wanted):
    near = np.allclose(answer.scores, wanted["scores"], atol=SCORES)
    return near and list(answer.labels) == wanted["labels"]


def _good(client, load, draw, tally):
    """One good request: every answer must be what it was."""
    count = draw.randint(1, MAX_IMAGES)
    chosen = [draw.randrange(IMAGES) for _ in range(count)]
    begin = time.perf_counter()
    answers = client.ask([load.files[index] for index in chosen])
    tally.seconds.append(time.perf_counter() - begin)
    wanted = [load.answers[index] for index in chosen]
    right = len(answers) == count and all(map(_is_right, answers, wanted))
    tally.counts["right" if right else "wrong"] += 1
    if not right:
        tally.complaints.append(f"{chosen}: {list(map(str, answers))}")


def _broken_picture(client, load, draw):
    """A picture cut short between two good ones, which keep their answers."""
    index = draw.randrange(IMAGES)
    good = load.files[index]
    first, broken, last = client.ask([good, good[: len(good) // 3], good])
    wanted = load.answers[index]
    kept = _is_right(first, wanted) and _is_right(last, wanted)
    return kept and bool(broken.problem)


def _other_client(client, **options):
    options = argparse.Namespace(**{**vars(client.options), **options})
    return type(client)(options)


def _unknown(**options):
    """A request for a model or a version that is not there."""

    def ask(client, load, draw):
        try:
            _other_client(client, **options).ask(load.files[:1])
        except serve_client.ServerError:
            return True
        return False

    return ask


def _posted(load, body):
    """The status and answer of a request that is no client's."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", load.ports["rest"], timeout=60
    )
    try:
        path = f"/v1/models/{MODEL}:predict"
        connection.request("POST", path, body)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    finally:
        connection.close()


def _refused(body):
    """A request whose body is none."""

    def ask(client, load, draw):
        status, reply = _posted(load, body)
        return status == 400 and "error" in reply

    return ask


MISTAKES = {
    "broken picture": _broken_picture,
    "unknown model": _unknown(model="absent"),
    "unknown version": _unknown(version=99),
    "no JSON": _refused(b"{this is no JSON"),
    "wrong shape": _refused(b'{"instances": [[1.0, 2.0]]}'),
}


def _bad(client, load, draw, tally):
    """One broken request: it must fail alone and be told why."""
    name = draw.choice(sorted(MISTAKES))
    refused = MISTAKES[name](client, load, draw)
    tally.counts[f"{name}: {'as it should' if refused else 'wrong'}"] += 1


def ask_until(number, load, tally):
    """The life of one client."""
    protocol = ("rest", "grpc")[number % 2]
    kind = {"rest": serve_client.Rest, "grpc": serve_client.Grpc}[protocol]
    client, draw = kind(_options(load, protocol)), random.Random(number)
    while time.monotonic() < load.until:
        ask = _bad if draw.random() < BROKEN else _good
        try:
            ask(client, load, draw, tally)
        except Exception as error:
            tally.counts["failed"] += 1
            tally.complaints.append(f"{type(error).__name__}: {error}")


# The run -------------------------------------------------------------------


def resident_mib(process):
    """Memory of a process that is in RAM, from Linux."""
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    line = next(x for x in status.splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _watch(process, until):
    """Memory every second: pairs of seconds and MiB."""
    begun, found = time.monotonic(), []
    bar = Bar(max(int(until - begun), 1), unit_name="second")
    while (now := time.monotonic()) < until:
        found.append((round(now - begun, 1), round(resident_mib(process), 1)))
        bar.update(min(int(now - begun), bar.target))
        time.sleep(min(1.0, max(until - now, 0)))
    return found


def _merged(tallies):
    seconds = sorted(s for tally in tallies for s in tally.seconds)
    counts = sum((tally.counts for tally in tallies), collections.Counter())
    complaints = [c for tally in tallies for c in tally.complaints]
    return seconds, counts, complaints


def _growth(memory):
    """Memory of the last third by that of the second, medians."""
    third = max(len(memory) // 3, 1)
    sizes = [mib for _, mib in memory]
    return float(
        np.median(sizes[-third:]) / np.median(sizes[third : 2 * third])
    )


def run(folder, seconds, clients=CLIENTS):
    """Figures of the export in `folder`, by `write_model`, under load."""
    from tests.serving.process import running

    folder = pathlib.Path(folder)
    answers = json.loads((folder / "answers.json").read_text())
    files = [(folder / f"{n}.jpg").read_bytes() for n in range(IMAGES)]
    with running(folder / "models") as server:
        ports = {"rest": server.rest, "grpc": server.grpc}
        warm = Load(files, answers, ports, time.monotonic())
        for protocol, kind in zip(
            ports, (serve_client.Rest, serve_client.Grpc)
        ):
            # The first call of each batch size plans the graph for it.
            client = kind(_options(warm, protocol))
            for count in range(1, MAX_IMAGES + 1):
                client.ask(files[:count])
        load = dataclasses.replace(warm, until=time.monotonic() + seconds)
        tallies = [Tally() for _ in range(clients)]
        threads = [
            threading.Thread(target=ask_until, args=(number, load, tally))
            for number, tally in enumerate(tallies)
        ]
        for thread in threads:
            thread.start()
        memory = _watch(server.process, load.until)
        for thread in threads:
            thread.join()
    return _figures(seconds, clients, tallies, memory)


def _figures(seconds, clients, tallies, memory):
    durations, counts, complaints = _merged(tallies)
    wrong = sum(n for name, n in counts.items() if name.endswith("wrong"))
    p50, p90, p99 = np.percentile(durations, (50, 90, 99)) * 1e3
    good = counts["right"] + counts["wrong"]
    return {
        "seconds": seconds,
        "clients": clients,
        "requests": sum(counts.values()),
        "good": good,
        "good_per_second": round(good / seconds, 1),
        "right": counts["right"],
        "wrong": wrong,
        "failed": counts["failed"],
        "broken_share": round(1 - good / max(sum(counts.values()), 1), 4),
        "counts": dict(sorted(counts.items())),
        "complaints": complaints[:5],
        "milliseconds": {
            "p50": round(p50, 1),
            "p90": round(p90, 1),
            "p99": round(p99, 1),
        },
        "memory_mib": memory,
        "memory_growth": round(_growth(memory), 4),
        "is_flat": _growth(memory) <= FLAT,
    }


def summary(figures):
    """A few sentences."""
    times = figures["milliseconds"]
    memory = figures["memory_mib"]
    return (
        f"{figures['clients']} clients, {figures['seconds']:g} s: "
        f"{figures['requests']} requests, {figures['broken_share']:.1%} of "
        f"them broken, {figures['good_per_second']} good ones a second.\n"
        f"{figures['right']} of {figures['good']} good ones answered right, "
        f"{figures['wrong']} wrong, {figures['failed']} failed.\n"
        f"Latency p50 {times['p50']} ms, p90 {times['p90']}, p99 "
        f"{times['p99']}.\n"
        f"Memory {memory[0][1]:.0f} to {memory[-1][1]:.0f} MiB, last third "
        f"by second {figures['memory_growth']:.3f}: "
        f"{'flat' if figures['is_flat'] else 'not flat'}."
    )


def main(arguments=None):
    """Entry point; returns the record."""
    parser = command_line(__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    options = parser.parse_args(arguments)
    described = machine.description()
    seconds = 5 if options.smoke else options.seconds
    with tempfile.TemporaryDirectory() as folder:
        # Keras's memory and threads are no part of the load.
        call("benchmarks.serving_load:write_model", folder)
        figures = run(folder, seconds, options.clients)
    print("\n" + summary(figures))
    record = {
        "machine": described,
        "smoke": options.smoke,
        "network": NETWORK,
        "side": SIDE,
        **figures,
    }
    write_record(record, "serving-load", options)
    return record


if __name__ == "__main__":
    main()
