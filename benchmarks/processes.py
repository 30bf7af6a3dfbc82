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
    """Runs one group; every result lands in `rows`."""

    def __init__(self, group, patience, progress):
        self.group, self.patience, self.progress = group, patience, progress
        self.rows = [row_of(case) for case in group.cases]
        self.alive = {}

    def run(self):
        """Measures and returns the rows."""
        with contextlib.ExitStack() as stack:
            self._start(stack)
            for measure in MEASURES[self.group.cases[0].part]:
                self._turn(f"first {measure}", measure)
                for number in range(1, self.patience.rounds + 1):
                    self._turn(f"{measure}, round {number}", measure, number)
                    if number > 1 and self.progress.is_late():
                        break
        return self.rows

    def _start(self, stack):
        """All at once: what they import is not measured."""
        for index, case in enumerate(self.group.cases):
            if problem := _problem(case):
                reason = f"not measured: {problem}"
                self._end(index, list(MEASURES[case.part]), reason)
                continue
            self.alive[index] = stack.enter_context(start(case))
        for index, process in self.alive.items():
            process.send(self.group.cases[index])
        for index in list(self.alive):
            self._answer(index, "start", self.patience.start_cap)

    def _turn(self, what, measure, number=0):
        """One turn of everyone; number 0 is the first call."""
        seconds = self.patience.turn if number else 0
        for index, process in list(self.alive.items()):
            row = self.rows[index]
            process.send(self.group.cases[index], measure, seconds)
            cap = self.patience.caps[row["precision"]] + seconds
            answer = self._answer(index, what, cap)
            if not answer:
                continue
            row["peak_rss_mib"] = answer["peak_rss_mib"]
            row["peak_rss_mib_after"][measure] = answer["peak_rss_mib"]
            if number:
                row["turns"][measure].append(answer["seconds"])
                row["processor_seconds"][measure].append(answer["processor"])
            else:
                row["first_seconds"][measure] = answer["seconds"][0]

    def _answer(self, index, what, cap):
        """What a process answers; None, and no more of it, where it fails."""
        row = self.rows[index]
        self.progress.begin(f"{row['subject']}, {row['title']}: {what}")
        try:
            answer = self.alive[index].receive(cap)
        except (ChildEnded, TimeoutError) as ended:
            measures = list(MEASURES[row["part"]])
            unmeasured = [m for m in measures if not row["turns"][m]]
            late = isinstance(ended, TimeoutError)
            reason = str(ended) if late else f"failed: {ended}"
            reason = f"start {reason}" if what == "start" else reason
            self._end(index, unmeasured or measures[-1:], reason)
            self.progress.end(reason)
            return None
        seconds = answer.get("seconds")
        self.progress.end(f"{min(seconds):.3g} s" if seconds else "ready")
        return answer

    def _end(self, index, measures, reason):
        """No more of this case; the first of `measures` is to blame."""
        problems = self.rows[index]["problems"]
        problems |= dict.fromkeys(measures, reason)
        if reason.startswith(">"):
            said = f"not tried: {measures[0]} {reason}"
            problems |= dict.fromkeys(measures[1:], said)
        self.alive.pop(index, None)
