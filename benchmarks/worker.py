"""The process of one contender: builds it once, then runs steps on demand.

It reads one JSON request a line from standard input and answers one JSON line
to standard output. `{"measure": name, "seconds": s}` repeats the step of that
measure for `s` seconds, at least once, and answers the duration of each.

The fact a reader would get wrong: what libraries print must not reach the
answers, so standard output is moved aside before anything is imported.
"""

import importlib
import json
import os
import resource
import sys
import time

from benchmarks.plan import CONTENDERS, Case


def peak_rss_mib():
    """The most memory this process has held so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 ** (2 if sys.platform == "darwin" else 1)


def durations(step, seconds):
    """Seconds of each call of `step` until `seconds` are over."""
    found = []
    while not found or sum(found) < seconds:
        begin = time.perf_counter()
        step()
        found.append(round(time.perf_counter() - begin, 6))
    return found


def main():
    """Answers requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**values):
        print(json.dumps(values), file=answers)

    case = Case(**json.loads(sys.argv[1]))
    module = CONTENDERS[case.contender].modules[case.part]
    steps = importlib.import_module(module).steps(case)
    answer(ready=sorted(steps))
    for line in sys.stdin:
        request = json.loads(line)
        found = durations(steps[request["measure"]], request["seconds"])
        answer(seconds=found, peak_rss_mib=peak_rss_mib())


if __name__ == "__main__":
    main()
