"""What runs in the process of one contender; no framework but its own."""

import functools
import importlib
import resource
import sys
import time

from benchmarks.plan import CONTENDERS

_PEAK_UNIT = 1024 ** (2 if sys.platform == "darwin" else 1)


@functools.cache
def _steps(case):
    module = CONTENDERS[case.contender].module(case.part)
    return importlib.import_module(module).steps(case)


def _repeated(step, seconds):
    found = []
    while not found or sum(found) < seconds:
        begin = time.perf_counter()
        step()
        found.append(round(time.perf_counter() - begin, 6))
    return found


def durations(case, measure=None, seconds=0):
    """Repeats the step of a measure for some seconds, at least once.

    Gives the seconds of each, those of the processors on average, and the most
    MiB that the process has held. Without a measure the case is only built.
    """
    steps = _steps(case)
    begin = time.process_time()
    found = _repeated(steps[measure], seconds) if measure else []
    processor = (time.process_time() - begin) / max(len(found), 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": found,
        "processor": round(processor, 6),
        "peak_rss_mib": peak / _PEAK_UNIT,
    }
