"""Contenders in processes of their own, taking turns.

Each process is started once, asked for a first call (tracing, compiling,
tuning), then for rounds of steady calls: A B C, A B C, ... so that a drift of
the machine meets all alike. What takes longer than its cap is stopped, and
its row says so.
"""

import contextlib
import dataclasses
import importlib.util

from benchmarks.plan import CONTENDERS, MEASURES
from keras_pyconv.children import Child, ChildEnded


def start(case):
    """The process of one case, which `worker.durations` answers in."""
    return Child("benchmarks.worker:durations", case.environment())


def row_of(case):
    """An empty row of results."""
    contender = CONTENDERS[case.contender]
    row = dataclasses.asdict(case)
    row.update(
        title=contender.title,
        environment=contender.environment,
        peak_rss_mib=None,
        peak_rss_mib_after={},
        processor_seconds={measure: [] for measure in MEASURES[case.part]},
        first_seconds={},
        turns={measure: [] for measure in MEASURES[case.part]},
        problems={},
    )
    return row


def conduct(plan, patience, progress):
    """Yields the rows of group after group; those out of time say so."""
    for group in plan:
        progress.group(group.title)
        if not progress.is_over():
            yield Conductor(group, patience, progress).run()
            continue
        rows = [row_of(case) for case in group.cases]
        for row in rows:
            row["problems"] = dict.fromkeys(
                row["turns"], "not measured: out of time"
            )
        yield rows


class Conductor:
    """Runs one group; every result lands in `rows`."""

    def __init__(self, group, patience, progress):
        self.group = group
        self.patience = patience
        self.progress = progress
        self.rows = [row_of(case) for case in group.cases]
        self.alive = {}

    def run(self):
        """Measures and returns the rows."""
        with contextlib.ExitStack() as stack:
            self._start(stack)
            for measure in MEASURES[self.group.cases[0].part]:
                self._first(measure)
                for number in range(1, self.patience.rounds + 1):
                    if not self._round(measure, number):
                        break
        return self.rows

    def _start(self, stack):
        """All at once: what they import is not measured."""
        for index, case in enumerate(self.group.cases):
            requires = CONTENDERS[case.contender].requires
            if importlib.util.find_spec(requires) is None:
                reason = f"not measured: {requires} is not installed"
                self._end(index, list(MEASURES[case.part]), reason)
                continue
            self.alive[index] = stack.enter_context(start(case))
        for index, process in self.alive.items():
            process.send(self.group.cases[index])
        for index, process in list(self.alive.items()):
            self._try(index, "start", process, self.patience.start_cap)

    def _first(self, measure):
        for index, process in list(self.alive.items()):
            row = self.rows[index]
            cap = self.patience.caps[row["precision"]]
            process.send(self.group.cases[index], measure)
            answer = self._try(index, f"first {measure}", process, cap)
            if answer:
                row["first_seconds"][measure] = answer["seconds"][0]
                self._note_peak(row, measure, answer)

    def _round(self, measure, number):
        """One turn of everyone; whether another round may follow."""
        for index, process in list(self.alive.items()):
            row = self.rows[index]
            cap = self.patience.caps[row["precision"]] + self.patience.turn
            case = self.group.cases[index]
            process.send(case, measure, self.patience.turn)
            what = f"{measure}, round {number}"
            answer = self._try(index, what, process, cap)
            if answer:
                row["turns"][measure].append(answer["seconds"])
                row["processor_seconds"][measure].append(answer["processor"])
                self._note_peak(row, measure, answer)
        return number < 2 or not self.progress.is_late()

    def _note_peak(self, row, measure, answer):
        row["peak_rss_mib"] = answer["peak_rss_mib"]
        row["peak_rss_mib_after"][measure] = answer["peak_rss_mib"]

    def _try(self, index, what, process, cap):
        row = self.rows[index]
        self.progress.begin(f"{row['subject']}, {row['title']}: {what}")
        try:
            answer = process.receive(cap)
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
        for measure in measures:
            problems[measure] = reason
        if reason.startswith(">"):
            for measure in measures[1:]:
                problems[measure] = f"not tried: {measures[0]} {reason}"
        self.alive.pop(index, None)
