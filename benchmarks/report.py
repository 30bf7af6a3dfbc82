"""From records to tables, ratios and verdicts, in Markdown.

A ratio is taken round by round, between neighbours in time, and its median is
printed; it need not equal the ratio of the two medians beside it.
"""

import statistics

from benchmarks.plan import (
    CONTENDERS,
    FIRST,
    GPU_PRECISIONS,
    MEASURES,
    TARGETS,
    said_of,
)
from benchmarks.records import rows_of
from keras_pyconv.complexity.grid import grid

_TABLE = ("part", "device", "subject", "batch", "side", "frames")
# What a ratio has in common on both sides, one run included.
_SAME = (*_TABLE, "precision", "threads", "onednn", "isa", "kind", "measured")


def steady(row, measure):
    """Median seconds of each round."""
    return [statistics.median(turn) for turn in row["turns"][measure]]


def middle(row, measure):
    """Median seconds over the rounds, or None."""
    found = steady(row, measure)
    return statistics.median(found) if found else None


def ratios(ours, other, measure):
    """Of the other's time by ours, round by round, in order."""
    pairs = zip(steady(ours, measure), steady(other, measure))
    return sorted(theirs / mine for mine, theirs in pairs)


def speedup(ours, other, measure):
    """How many times as fast ours is: median over rounds, or None."""
    found = ratios(ours, other, measure)
    return statistics.median(found) if found else None


def _beside(rows, row, contender):
    """The row of a contender in the same conditions, or None."""
    wanted = {"contender": contender, **{key: row[key] for key in _SAME}}
    same = (one for one in rows if wanted.items() <= one.items())
    return next(same, None)


def _number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _speed_cell(row, measure):
    """Median and range."""
    unit, seconds = MEASURES[row["part"]][measure], steady(row, measure)
    if not seconds:
        return row["problems"].get(measure, "not measured")
    values = [value * (1000 if unit[:2] == "ms" else 1) for value in seconds]
    if unit == "images/s":
        values = [row["batch"] / value for value in seconds]
    shown = _number(statistics.median(values))
    if len(values) == 1:
        return shown
    return f"{shown} ({_number(min(values))}–{_number(max(values))})"


def _ratio_cell(rows, row, measure):
    ours = _beside(rows, row, "ours")
    if ours is None or ours is row:
        return ""
    ratio = speedup(ours, row, measure)
    return "" if ratio is None else f"{ratio:.2f} ×"


def _first_cell(row, measure):
    seconds = row["first_seconds"].get(measure)
    if seconds is None:
        return row["problems"].get(measure, "not measured")
    return _number(seconds)


def processor(row):
    """What computed a row."""
    return f"{row['kind']}{said_of(row['onednn'], row['isa'])}"


def _order(row):
    place = list(CONTENDERS).index(row["contender"])
    return GPU_PRECISIONS.index(row["precision"]), place, row["kind"]


def _table(rows):
    """A table of rows that differ in contender, precision and processor."""
    part = rows[0]["part"]
    first, title = FIRST.get(part, (None, None))
    head = ["", "precision", "processor"]
    for measure, unit in MEASURES[part].items():
        head += [f"{measure}, {unit}", "ours is"]
    head += [title] * bool(first) + ["peak memory, GiB"]
    lines = []
    for row in sorted(rows, key=_order):
        made = [processor(row), row["measured"][:10]]
        made += [row["commit"]] if "commit" in row else []
        cells = [row["title"], row["precision"], ", ".join(made)]
        for measure in MEASURES[part]:
            cells.append(_speed_cell(row, measure))
            cells.append(_ratio_cell(rows, row, measure))
        cells += [_first_cell(row, first)] if first else []
        peak = row["peak_rss_mib"]
        cells.append("" if peak is None else f"{peak / 1024:.1f}")
        lines.append(cells)
    return grid(head, lines, "markdown", words=head[:3])


def _judged(target, rows, ours):
    """What was measured and whether it reaches the target."""
    if target.against is None:
        seconds = ours["first_seconds"].get(target.measure)
        if seconds is None:
            return ours["problems"].get(target.measure, "not measured"), "no"
        shown, reached = f"{seconds:.1f} s", seconds <= target.bound
    else:
        other = _beside(rows, ours, target.against)
        ratio = other and speedup(ours, other, target.measure)
        if ratio is None:
            return _unmeasured(target, ours, other)
        shown, reached = f"{ratio:.2f} ×", ratio >= target.bound
    return shown, "yes" if reached else "no"


def _unmeasured(target, ours, other):
    """What to say where there is no ratio.

    A rival that was stopped in its first call bounds that call's ratio.
    """
    measure = target.measure
    first = ours["first_seconds"].get(measure)
    problem = other["problems"].get(measure, "") if other else ""
    in_first = other and measure not in other["first_seconds"]
    if first and in_first and problem.startswith("> "):
        least = float(problem.split()[1]) / first
        reached = "yes" if least >= target.bound else "not comparable"
        return f"> {least:.2f} × at the first call", reached
    for row in (ours, other):
        if row and (problem := row["problems"].get(measure)):
            return f"{row['title']} {problem}", "not comparable"
    return "not measured", "not comparable"


def verdicts(rows):
    """One record per target and network or layer that was measured."""
    found = []
    for target in TARGETS:
        # Targets are the same for all processors, with oneDNN.
        wanted = {"contender": "ours", "part": target.part, "onednn": "1"}
        wanted |= target.only
        for ours in (row for row in rows if wanted.items() <= row.items()):
            shared = ("subject", "batch", "precision", "device")
            verdict = {key: str(ours[key]) for key in shared}
            verdict = {"target": target.claim, **verdict}
            verdict |= {"processor": processor(ours), "needed": target.needed}
            judged = zip(("measured", "reached"), _judged(target, rows, ours))
            found.append(verdict | dict(judged))
    return found


def conclusion(found):
    """One sentence about the verdicts."""
    count = sum(verdict["reached"] == "yes" for verdict in found)
    missed = "; ".join(
        f"{verdict['target']}, {verdict['subject']} {verdict['precision']}, "
        f"{verdict['processor']}: {verdict['measured']}"
        for verdict in found
        if verdict["reached"] == "no"
    )
    sentence = f"{count} of {len(found)} targets are reached"
    return f"{sentence}; missed: {missed}." if missed else f"{sentence}."


def devices(*records):
    """A paragraph on the machine of each record."""
    return [f"**Device.** {_headline(one['machine'])}" for one in records]


def _headline(machine):
    sets = ", ".join(machine["instruction_sets"]) or "unknown instruction sets"
    pairs = [pair for pair in machine["versions"].items() if pair[1]]
    versions = ", ".join(map(" ".join, pairs))
    return (
        f"{machine['cpu']}, {machine['cores']} cores ({sets}), "
        f"{machine['memory_gib']:g} GiB; {machine['system']}, Python "
        f"{machine['python']}; {versions}. Measured {machine['date']} at "
        f"commit {machine['commit']}; load {machine['load_at_start']} before."
    )


def _titled(row):
    frames = f"{row['frames']} frames, " * (row["frames"] > 1)
    size = f"{frames}batch {row['batch']}, {row['side']} × {row['side']}"
    return f"**{row['subject']}, {row['device'].upper()}, {size}**"


def tables(*records):
    """All tables of records of one measurement, as Markdown."""
    rows, parts = rows_of(*records), devices(*records)
    found = verdicts(rows)
    if found:
        parts.append(f"**Conclusion.** {conclusion(found)}")
    by_table = {}
    for row in rows:
        key = tuple(row[name] for name in _TABLE)
        by_table.setdefault(key, []).append(row)
    for rows in by_table.values():
        parts += [_titled(rows[0]), _table(rows)]
    for problem in {record.get("gpu_problem") for record in records} - {None}:
        parts.append(f"GPU: not measured ({problem}).")
    if found:
        head, lines = list(found[0]), [list(one.values()) for one in found]
        parts += ["**Targets**", grid(head, lines, "markdown", words=head)]
    return "\n\n".join(parts) + "\n"
