"""Draws calls of all public callables, in processes with bounds.

    python -m tests.arguments.draws --seed 0 --count 20000

Each batch is a process of its own, drawn from its own seed, so that a run goes
on from any batch (`--seed`), and a crash, a hang or memory that is eaten up is
the fault of the call that the process had begun. Prints each fault once.
"""

import argparse
import collections
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

BATCH = 500
# Of one call, whatever it does, by the clock; of a loaded machine.
PATIENCE = 120
# Of the imports before the first call.
PATIENCE_AT_FIRST = 900
MEMORY = 6 << 30


def run_batch(seed, count, only=None):
    """In a child: draws calls and writes a line before and after each."""
    import hypothesis

    from tests.arguments import law

    rows = {
        name: row
        for name, row in law.ROWS.items()
        if only is None or any(part in name for part in only)
    }

    def say(*words):
        print(json.dumps(words), file=sys.__stdout__, flush=True)

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=(hypothesis.Phase.generate,),
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(law.calls(rows))
    def draw(call):
        say("begin", repr(call))
        begin = time.monotonic()
        outcome = law.outcome(call)
        say(*outcome, round(time.monotonic() - begin, 3))

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        say("start", "")
        draw()
        os.chdir("/")


def _command(seed, count, only):
    only = ["--only", *only] if only else []
    numbers = ["--seed", str(seed), "--count", str(count)]
    return [sys.executable, "-m", __spec__.name, "--batch", *numbers, *only]


def _lines(child):
    """Lines of a child; it is ended where a call takes too long."""
    import selectors

    with selectors.DefaultSelector() as waiting:
        waiting.register(child.stdout, selectors.EVENT_READ)
        patience = PATIENCE_AT_FIRST
        while True:
            if not waiting.select(patience):
                child.kill()
                return
            line = child.stdout.readline()
            if not line:
                return
            yield line
            patience = PATIENCE


def outcomes(seed, count, only=None):
    """Yields `(call, how it ended, words)` of one batch."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    log = tempfile.TemporaryFile()
    child = subprocess.Popen(
        _command(seed, count, only),
        cwd=root,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        stderr=log,
        bufsize=0,
    )
    call = None
    with log, child:
        for line in _lines(child):
            word, text, *seconds = json.loads(line)
            if word == "begin":
                call = text
            elif word != "start":
                yield call, word, text, *seconds
                call = None
        if child.wait():
            how = f"the process ended with {child.returncode}"
            yield call or "no call", "fault", how, 0.0
            if call is None:
                log.seek(0)
                lines = log.read().decode(errors="replace").splitlines()
                known = [line for line in lines if "Error" in line]
                raise SystemExit("\n".join(known[-5:]))


def batches(first, count):
    """`(seed, number of calls)` of each batch."""
    for number, begin in enumerate(range(0, count, BATCH)):
        yield first + number, min(BATCH, count - begin)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="the first batch")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--only", nargs="+", help="parts of names")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--batch", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.batch:
        return run_batch(options.seed, options.count, options.only)
    spent = collections.Counter()
    counts, faults, begin = collections.Counter(), 0, time.monotonic()
    for seed, count in batches(options.seed, options.count):
        for call, word, text, took in outcomes(seed, count, options.only):
            counts[word] += 1
            spent[call.split("(")[0]] += took
            if word == "fault":
                faults += 1
                print(f"FAULT {call}\n    {text}", flush=True)
            elif word == "refused" and "# wrong" not in call:
                counts["refused though it fits"] += 1
                if options.verbose:
                    print(f"REFUSED {call}\n    {text}", flush=True)
            elif options.verbose and word == "refused":
                print(f"ok {call}\n    {text}", flush=True)
        said = ", ".join(f"{n} {word}" for word, n in sorted(counts.items()))
        seconds = time.monotonic() - begin
        print(f"after seed {seed}: {said}; {seconds:.0f} s", flush=True)
    if options.verbose:
        print("Slowest:", spent.most_common(25))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
