"""Contenders in processes of their own, taking turns.

Each process is started once, asked for a first call (tracing, compiling,
tuning), then for rounds of steady calls: A B C, A B C, ... so that a drift of
the machine meets all alike. What takes longer than its cap is stopped, and
its row says so.
"""

import contextlib
import dataclasses
import importlib.util

from benchmarks.plan import CONTENDERS, ISAS, MEASURES
from keras_pyconv.children import Child, ChildEnded
from keras_pyconv.provenance import instruction_sets


def start(case):
    """The process of one case, which `worker.durations` answers in."""
    return Child("benchmarks.worker:durations", case.environment())


def row_of(case):
    """An empty row of results."""
    return {
        **dataclasses.asdict(case),
        "title": CONTENDERS[case.contender].title,
        "environment": case.environment(),
        "peak_rss_mib": None,
        "peak_rss_mib_after": {},
        "processor_seconds": {measure: [] for measure in MEASURES[case.part]},
        "first_seconds": {},
        "turns": {measure: [] for measure in MEASURES[case.part]},
        "problems": {},
    }


def _problem(case):
    """Why a case cannot be measured here, or None."""
    requires, needs = CONTENDERS[case.contender].requires, ISAS[case.isa][1]
    if importlib.util.find_spec(requires) is None:
        return f"{requires} is not installed"
    if needs not in (None, *instruction_sets()):
        return f"this processor has no {case.isa}"
    return None


def conduct(plan, patience, progress):
    """Yields the rows of group after group; those out of time say so."""
    for group in plan:
        progress.group(group.title)
        if not progress.is_over():
            yield Conductor(group, patience, progress).run()
            continue
        rows = [row_of(case) for case in group.cases]
        for row in rows:
            said = "not measured: out of time"
            row["problems"] = dict.fromkeys(row["turns"], said)
        yield rows


class Conductor:
    """Runs one group; every result lands in the row of its case."""

    def __init__(self, group, patience, progress):
        self.patience, self.progress = patience, progress
        self.rows = {case: row_of(case) for case in group.cases}
        self.alive = {}

    def run(self):
        """Measures and returns the rows."""
        rows = list(self.rows.values())
        with contextlib.ExitStack() as stack:
            self._start(stack)
            for measure in rows[0]["turns"]:
                self._turn(f"first {measure}", measure)
                for number in range(1, self.patience.rounds + 1):
                    self._turn(f"{measure}, round {number}", measure, number)
                    if number > 1 and self.progress.is_late():
                        break
        return rows

    def _start(self, stack):
        """All at once: what they import is not measured."""
        for case in self.rows:
            if problem := _problem(case):
                self._end(case, f"not measured: {problem}")
            else:
                self.alive[case] = stack.enter_context(start(case))
        for case, process in self.alive.items():
            process.send(case)
        for case in list(self.alive):
            self._answer(case, "start", self.patience.start_cap)

    def _turn(self, what, measure, number=0):
        """One turn of everyone; number 0 is the first call."""
        seconds = self.patience.turn if number else 0
        for case, process in list(self.alive.items()):
            row = self.rows[case]
            process.send(case, measure, seconds)
            cap = self.patience.caps[case.precision] + seconds
            answer = self._answer(case, what, cap)
            if not answer:
                continue
            row["peak_rss_mib"] = answer["peak_rss_mib"]
            row["peak_rss_mib_after"][measure] = answer["peak_rss_mib"]
            if number:
                row["turns"][measure].append(answer["seconds"])
                row["processor_seconds"][measure].append(answer["processor"])
            else:
                row["first_seconds"][measure] = answer["seconds"][0]

    def _answer(self, case, what, cap):
        """What a process answers; None, and no more of it, where it fails."""
        title = CONTENDERS[case.contender].title
        self.progress.begin(f"{case.subject}, {title}: {what}")
        try:
            answer = self.alive[case].receive(cap)
        except (ChildEnded, TimeoutError) as ended:
            late = isinstance(ended, TimeoutError)
            reason = str(ended) if late else f"failed: {ended}"
            reason = f"start {reason}" if what == "start" else reason
            self._end(case, reason)
            self.progress.end(reason)
            return None
        seconds = answer.get("seconds")
        self.progress.end(f"{min(seconds):.3g} s" if seconds else "ready")
        return answer

    def _end(self, case, reason):
        """No more of this case; its first measure without turns is to blame."""
        turns, problems = self.rows[case]["turns"], self.rows[case]["problems"]
        measures = [name for name in turns if not turns[name]]
        first, *others = measures or list(turns)[-1:]
        problems[first] = reason
        if reason.startswith(">"):
            reason = f"not tried: {first} {reason}"
        problems |= dict.fromkeys(others, reason)
        self.alive.pop(case, None)
