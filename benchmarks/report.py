"""From the record of a run to its tables, ratios and verdicts, in Markdown.

A ratio is taken round by round, between
neighbours in time, and its median is printed; it need not equal the ratio of
the two medians beside it.
"""

import statistics

from benchmarks.plan import MEASURES, PRECISIONS, TARGETS

MARKERS = (
    "<!-- begin: written by `python -m benchmarks.run --write` -->",
    "<!-- end -->",
)
PARTS = {
    "network": "images/s",
    "video": "ms a call",
}


def steady(row, measure):
    """Median seconds of each round."""
    return [statistics.median(turn) for turn in row["turns"][measure]]


def speedup(ours, other, measure):
    """How many times as fast ours is: median over rounds, or None."""
    pairs = list(zip(steady(ours, measure), steady(other, measure)))
    if not pairs:
        return None
    return statistics.median(theirs / mine for mine, theirs in pairs)


def _beside(rows, row, contender):
    """The row of a contender in the same conditions, or None."""
    keys = ("part", "subject", "precision", "device")
    wanted = {"contender": contender, **{key: row[key] for key in keys}}
    return next((one for one in rows if wanted.items() <= one.items()), None)


def _number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _spread(values):
    """Median and range."""
    middle = _number(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({_number(min(values))}–{_number(max(values))})"


def _speed_cell(row, measure):
    seconds = steady(row, measure)
    if not seconds:
        return row["problems"].get(measure, "not measured")
    if row["part"] == "network":
        return _spread([row["batch"] / value for value in seconds])
    return _spread([1000 * value for value in seconds])


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


def _memory_cell(row):
    peak = row["peak_rss_mib"]
    return "" if peak is None else f"{peak / 1024:.1f}"


def _line(cells):
    return "| " + " | ".join(cells) + " |"


def _table(rows, part, device, subject):
    measures = MEASURES[part]
    head = ["", "precision"]
    for measure in measures:
        head += [f"{measure}, {PARTS[part]}", "ours is"]
    if part == "network":
        head.append("first training step, s")
    head.append("peak memory, GiB")
    lines = [_line(head), _line(["---"] * len(head))]
    for precision in PRECISIONS:
        for row in rows:
            keys = ("part", "device", "subject", "precision")
            if [row[key] for key in keys] != [part, device, subject, precision]:
                continue
            cells = [row["title"], precision]
            for measure in measures:
                cells.append(_speed_cell(row, measure))
                cells.append(_ratio_cell(rows, row, measure))
            if part == "network":
                cells.append(_first_cell(row, "training"))
            lines.append(_line([*cells, _memory_cell(row)]))
    return lines


def _verdict(target, rows, ours):
    """What was measured and whether it reaches the target."""
    if target.against is None:
        seconds = ours["first_seconds"].get(target.measure)
        if seconds is None:
            return ours["problems"].get(target.measure, "not measured"), "no"
        reached = seconds <= target.bound
        return f"{seconds:.1f} s", "yes" if reached else "no"
    other = _beside(rows, ours, target.against)
    ratio = other and speedup(ours, other, target.measure)
    if ratio is None:
        return _unmeasured(target, ours, other)
    reached = ratio >= target.bound
    return f"{ratio:.2f} ×", "yes" if reached else "no"


def _cap_of_first_call(row, measure):
    """Seconds after which the first call was stopped, or None."""
    problem = row["problems"].get(measure, "")
    if measure in row["first_seconds"] or not problem.startswith("> "):
        return None
    return float(problem.split()[1])


def _unmeasured(target, ours, other):
    """What to say where there is no ratio.

    A rival that was stopped in its first call bounds that call's ratio.
    """
    first = ours["first_seconds"].get(target.measure)
    cap = _cap_of_first_call(other, target.measure) if other else None
    if first and cap:
        least = cap / first
        reached = "yes" if least >= target.bound else "not comparable"
        return f"> {least:.2f} × at the first call", reached
    for row in (ours, other):
        problem = row and row["problems"].get(target.measure)
        if problem:
            return f"{row['title']} {problem}", "not comparable"
    return "not measured", "not comparable"


def verdicts(rows):
    """One record per target and network or layer that was measured."""
    found = []
    for target in TARGETS:
        for ours in rows:
            if ours["contender"] != "ours" or ours["part"] != target.part:
                continue
            if target.subjects and ours["subject"] not in target.subjects:
                continue
            measured, reached = _verdict(target, rows, ours)
            bound = f"{target.bound:g} ×"
            if target.against is None:
                bound = f"≤ {target.bound:g} s"
            found.append(
                {
                    "target": target.claim,
                    "subject": ours["subject"],
                    "precision": ours["precision"],
                    "device": ours["device"],
                    "needed": bound,
                    "measured": measured,
                    "reached": reached,
                }
            )
    return found


def conclusion(found):
    """One sentence about the verdicts."""
    count = sum(verdict["reached"] == "yes" for verdict in found)
    missed = "; ".join(
        f"{verdict['target']}, {verdict['subject']} {verdict['precision']}: "
        f"{verdict['measured']}"
        for verdict in found
        if verdict["reached"] == "no"
    )
    sentence = f"{count} of {len(found)} targets are reached"
    return f"{sentence}; missed: {missed}." if missed else f"{sentence}."


def _headline(machine):
    sets = ", ".join(machine["instruction_sets"]) or "unknown instruction sets"
    versions = ", ".join(
        f"{name} {version}"
        for name, version in machine["versions"].items()
        if version
    )
    return (
        f"{machine['cpu']}, {machine['cores']} cores ({sets}), "
        f"{machine['memory_gib']:g} GiB; {machine['system']}, Python "
        f"{machine['python']}; {versions}. Measured {machine['date']} at "
        f"commit {machine['commit']}."
    )


def tables(record):
    """All tables of a record, as Markdown."""
    rows = record["rows"]
    found = verdicts(rows)
    lines = [f"**Device.** {_headline(record['machine'])}", ""]
    lines += [f"**Conclusion.** {conclusion(found)}", ""]
    seen = []
    for row in rows:
        key = (row["part"], row["device"], row["subject"])
        if key in seen:
            continue
        seen.append(key)
        size = f"batch {row['batch']}, {row['side']} × {row['side']}"
        if row["frames"] > 1:
            size = f"{row['frames']} frames, {size}"
        title = f"**{row['subject']}, {row['device'].upper()}, {size}**"
        lines += [title, "", *_table(rows, *key), ""]
    if record["gpu_problem"]:
        lines += [f"GPU: not measured ({record['gpu_problem']}).", ""]
    lines += ["**Targets**", ""]
    head = ["target", "subject", "precision", "device"]
    head += ["needed", "measured", "reached"]
    lines += [_line(head), _line(["---"] * len(head))]
    lines += [_line(verdict.values()) for verdict in found]
    return "\n".join(lines) + "\n"
