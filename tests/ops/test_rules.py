"""Each rule of the convolution stands beside the timings that made it."""

import inspect
import json
import re

import pytest
import tensorflow as tf

from benchmarks import grouped_conv as benchmark
from keras_pyconv.ops import target
from keras_pyconv.ops.conv import choose
from keras_pyconv.ops.target import HERE

SOURCE = inspect.getsource(choose)
ABOVE = re.findall(r"(?m)^    # (.*)\n    Rule\(", SOURCE)
TIMED = [
    pytest.param(number, *words.split(": ")[:2], id=words.rpartition(":")[0])
    for number, words in enumerate(ABOVE)
    if words.split(": ")[0] in benchmark.SETTINGS
]
RECORDS = [
    json.loads(path.read_text())
    for path in (benchmark.HERE / "results").glob("*-grouped-conv.json")
]


def test_something_stands_above_every_rule():
    assert len(ABOVE) == len(choose.RULES)
    assert len(TIMED) > 20


def deciding(setting, name, monkeypatch):
    """The rule of a level in a setting of the benchmark."""
    has = setting != "no oneDNN"
    monkeypatch.setattr(target, "cpu_differentiates_groups", lambda _: has)
    level, dtype = benchmark.LEVELS[name], benchmark.SETTINGS[setting][1]
    inputs, kernel, window = benchmark.tensors(level, 1, dtype)
    with tf.device("CPU:0"):
        inputs = tf.identity(inputs)
        return choose.rule_for(inputs, kernel, window, level[4], HERE)


@pytest.mark.parametrize("number, setting, name", TIMED)
def test_a_rule_decides_the_level_that_made_it(
    number, setting, name, monkeypatch
):
    rule = deciding(setting, name, monkeypatch)
    assert rule is choose.RULES[number]


@pytest.mark.parametrize(
    "setting, name, ways",
    [
        ("oneDNN", "4 to 4, 3x3", ("blocked", "native")),
        ("no oneDNN", "4 to 4, 3x3", ("blocked", "taps")),
        ("oneDNN", "12 to 1, 3x3", ("blocked", "taps")),
        ("oneDNN, bf16", "12 to 1, 3x3", ("blocked", "taps")),
        ("no oneDNN", "12 to 1, 3x3", ("blocked", "taps")),
    ],
)
def test_what_was_timed_by_hand_decides(setting, name, ways, monkeypatch):
    rule = deciding(setting, name, monkeypatch)
    assert (rule.way, rule.gradients) == ways


def test_the_timings_are_those_of_one_record():
    wide = [r for r in RECORDS if "avx512f" in r["machine"]["instruction_sets"]]
    assert [benchmark.renewed(SOURCE, r) for r in wide] == [SOURCE]
    for record in RECORDS:
        for setting, rows in record["results"].items():
            assert setting in benchmark.SETTINGS
            assert {row["level"] for row in rows} <= set(benchmark.LEVELS)


def test_a_new_record_renews_the_timings():
    times = {"rules": [1.0, 2.0], "native": [0.5, 0.25], "split": [9, 9]}
    row = {"level": "stage 2, 7x7", "way": "split", "milliseconds": times}
    before = "# --write` renews them:\n# NOWHERE\n    # oneDNN: stage 2, 7x7: 0"
    machine = {
        "cpu": "CPU",
        "instruction_sets": ["avx512f"],
        "date": "2030-01-01",
    }
    record = {"machine": machine, "results": {"oneDNN": [row]}}
    assert benchmark.renewed(before, record) == (
        "# --write` renews them:\n# CPU with AVX-512, 2030-01-01.\n"
        "    # oneDNN: stage 2, 7x7: 1 + 2, native 0.5 + 0.25"
    )
