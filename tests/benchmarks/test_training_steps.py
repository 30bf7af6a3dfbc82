"""Contenders are compared turn by turn."""

from benchmarks import checkouts, training_steps
from benchmarks.plan import Case
from benchmarks.processes import row_of


def _row(part, subject, contender, **seconds):
    row = row_of(Case(part, subject, contender))
    row["turns"] |= {
        name: [[s] for s in turns] for name, turns in seconds.items()
    }
    return row


def test_ratios_are_of_the_same_turn():
    rows = [
        _row("steps", "dense", "run", turn=[0.2, 2.0, 0.4]),
        _row("steps", "dense", "alone", turn=[0.4, 4.0, 0.2]),
    ]
    run, alone = training_steps.show({"rows": rows}).splitlines()
    assert run == (
        "dense in a run: 2.00 ms a step, 1.000 of the run's (1.000 to 1.000)"
    )
    assert alone == (
        "dense fit alone: 2.00 ms a step, 2.000 of the run's (0.500 to 2.000)"
    )


def test_a_checkout_is_slower_where_it_is_so_beyond_its_own_spread():
    """The other's time by this one's, and by this one again."""
    this = {"inference": [1.0, 1.0, 1.0], "training": [1.0, 1.0, 1.0]}
    other = {"inference": [0.9, 0.8, 0.9], "training": [0.9, 0.8, 0.9]}
    again = {"inference": [0.95, 1.0, 1.1], "training": [0.8, 1.0, 1.1]}
    rows = [
        _row("checkout", "PyConvResNet50", name, **seconds)
        for name, seconds in zip(
            ("this", "other", "again"), (this, other, again)
        )
    ]
    lines = checkouts.table({"rows": rows}).splitlines()[2:]
    cells = [[c.strip() for c in line.split("|")[1:-1]] for line in lines]
    assert cells == [
        [
            *("PyConvResNet50, oneDNN, fp32, inference", "1000", "0.900"),
            *("0.800 to 0.900", "0.950 to 1.100", "slower"),
        ],
        [
            *("PyConvResNet50, oneDNN, fp32, training", "1000", "0.900"),
            *("0.800 to 0.900", "0.800 to 1.100", ""),
        ],
    ]
