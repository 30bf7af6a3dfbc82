"""The paper's tables come out of the records, beside what it prints."""

import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from keras_pyconv.children import ChildEnded
from keras_pyconv.tables import TABLES, cells, count, render
from keras_pyconv.tables.__main__ import main
from keras_pyconv.tables.measure import conditions, measure
from keras_pyconv.tables.render import FORMATS, layout

ROWS = [
    pytest.param(row, id=f"{key}: {row.label} at {row.size}")
    for key, table in TABLES.items()
    for row in table.rows
]
# Params and GFLOPs, accuracies and speeds, and those of the authors' code, of
# every row of the paper: a transcription of its own.
PRINTED = json.loads(Path(__file__).with_name("printed.json").read_text())
# Where our figures differ from the printed ones: 10^6 parameters, 10^9 ops.
DIFFERENT = {
    ("PyConvResNet3D-50", "+0.46", "+0.00"),
    ("PyConvInception", "-0.05", "+0.00"),
    ("PyConvInception, levels 4, 3, 2", "-0.01", "-0.60"),
    ("pre-act. ResNet-50", "-0.01", "-0.01"),
    ("pre-act. ResNet-101", "-0.01", "-0.01"),
    ("pre-act. ResNet-152", "+0.00", "-0.01"),
}


def test_every_table_of_networks_is_there():
    rows = {key: len(table.rows) for key, table in TABLES.items()}
    assert rows == {
        **{"1": 3, "2": 8, "3": 21, "4": 6, "5": 15},
        **{"s1": 4, "s2": 3, "s4": 8, "s5": 4, "s6": 8},
    }


def test_all_printed_digits_agree_but_those_that_are_explained():
    found = set()
    for table in TABLES.values():
        for row, line in zip(table.rows, cells(table)):
            differences = line["Diff, M"], line["Diff, G"]
            if row.printed and differences != ("+0.00", "+0.00"):
                found.add((row.label, *differences))
                assert row.note
    assert found == DIFFERENT


@pytest.mark.parametrize("key", list(TABLES))
def test_every_printed_figure_is_that_of_the_paper(key):
    found = [
        [
            row.label,
            "{:.2f} {:.2f}".format(*row.printed) if row.printed else "",
            " ".join(row.accuracy),
            " ".join(row.code),
        ]
        for row in TABLES[key].rows
        if row.in_paper
    ]
    assert found == PRINTED[key]


def test_what_the_paper_does_not_have_is_marked():
    ours = {
        row.label
        for table in TABLES.values()
        for row, line in zip(table.rows, cells(table))
        if "target" in line["Printed, M"] + line["Printed, G"]
    }
    assert ours == {
        "PyConvResNet3D-50, 174 classes",
        "PyConvInception, with a branch",
        "PyConvInception, levels 4, 3, 2",
    }
    assert "errors and speeds are those of the" in render([TABLES["s5"]])


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_its_own_cost_and_the_accuracies_are_percentages(row):
    assert not row.network or count(row).parameters > 20e6
    percentages = [float(v) for v in row.accuracy[:2] if v]
    assert all(4 < value < 90 for value in percentages)


def test_the_authors_code_agrees_with_the_paper():
    for key in ("1", "3", "s4"):
        for row in TABLES[key].rows:
            if row.code and row.code[0]:
                assert float(row.code[0]) == pytest.approx(
                    100 - float(row.accuracy[0])
                )
    for row in TABLES["4"].rows:
        assert row.code == (row.accuracy[1], row.accuracy[3])


def test_every_accuracy_says_where_it_comes_from_and_none_is_ours():
    known = (" (paper)", " (authors' code)", " (here)")
    for table in TABLES.values():
        named = set(table.metrics + table.code_metrics)
        for line in cells(table):
            titles = [title.rpartition(" (")[0] for title in line]
            assert set(titles) - {""} == named
            assert all(t.endswith(known) for t in line if t.endswith(")"))
            assert [v for t, v in line.items() if "(here)" in t] == [""]


@pytest.mark.parametrize("style", ["text", "markdown"])
def test_a_table_is_printed_with_its_title_and_notes(style):
    printed = render([TABLES["s2"]], style)
    assert "Supplement, Tables 2 and 3: video networks" in printed
    assert "PyConvResNet3D-50: the printed parameters are those" in printed
    assert "7x9x9, 16, G=16" in printed


def test_the_layout_is_that_of_table_1():
    lines = layout(TABLES["1"]).splitlines()
    assert lines[0].split()[2:] == [row.network for row in TABLES["1"].rows]
    (ninth,) = [line for line in lines if "9x9" in line]
    assert ninth.split() == "9x9, 16, G=16 9x9, 32, G=32".split()


def test_csv_is_one_table_that_a_program_can_read():
    printed = render(list(TABLES.values()), "csv")
    lines = list(csv.DictReader(io.StringIO(printed)))
    assert len(lines) == len(ROWS)
    (line,) = [x for x in lines if x["Record"] == "PyConvInceptionResNetV2"]
    assert line["Table"] == "s5" and line["Params, M"] == "43.43"
    assert line["Note"].startswith("our reconstruction")


def test_no_tables_are_an_empty_text():
    assert [render([], style) for style in FORMATS] == ["", "", ""]


def test_an_accuracy_that_was_measured_here_is_shown_with_its_note():
    first, *others = TABLES["1"].rows
    note = "90 epochs on one GPU"
    first = replace(first, here="24.01", note=note)
    table = replace(TABLES["1"], rows=(first, *others))
    assert [line["top-1 err, % (here)"] for line in cells(table)] == [
        *("24.01", "", "")
    ]
    assert f"ResNet-50: {note}." in render([table])


def test_an_unknown_format_is_refused():
    with pytest.raises(ValueError, match="style='html'"):
        render([TABLES["1"]], "html")


def test_a_row_without_a_record_or_with_too_few_metrics_is_refused():
    row = TABLES["1"].rows[0]
    with pytest.raises(ValueError, match="no record is named 'VGG'"):
        count(replace(row, network="VGG"))
    with pytest.raises(ValueError, match="2 metrics"):
        replace(TABLES["1"], rows=(replace(row, accuracy=("1.00",)),))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"code": ("1", "2")}, "1 metrics of the authors' code"),
        ({"here": "24.01"}, "`note` must say how here='24.01'"),
        ({"in_paper": False}, "not in the paper, but accuracy="),
    ],
    ids=["code", "here", "in_paper"],
)
def test_a_row_that_contradicts_its_table_is_refused(change, message):
    row = replace(TABLES["1"].rows[0], **change)
    with pytest.raises(ValueError, match=message):
        replace(TABLES["1"], rows=(row,))


def test_the_command_prints_the_tables_that_are_asked_for(capsys):
    main(["--table", "2", "--table", "s5", "--format", "markdown"])
    printed = capsys.readouterr().out
    assert printed.startswith("### Table 2: ablation")
    assert "### Supplement, Table 5" in printed
    assert printed.count("###") == 2
    assert "thop" in printed.splitlines()[-1]


@pytest.mark.parametrize("option", ["--batch=0", "--seconds=-1", "--table=9"])
def test_the_command_refuses_what_it_cannot_do(option, capsys):
    with pytest.raises(SystemExit):
        main([option])
    assert option[:7] in capsys.readouterr().err


def test_the_command_says_what_a_number_is(capsys):
    with pytest.raises(SystemExit):
        main(["--batch=abc"])
    assert "invalid positive int value: 'abc'" in capsys.readouterr().err


def test_measuring_shows_progress_and_runs_each_network_once(capsys):
    asked = []

    def one(name, size, batch, seconds):
        asked.append((name, size, batch, seconds))
        return 12.34, 567.8, "CPU"

    rows = [*TABLES["1"].rows, *TABLES["3"].rows[:1]]
    found = measure(rows, 2, 0.1, one)
    names = ["ResNet50", "PyConvResNet50", "PyConvHGResNet50"]
    assert asked == [(name, 224, 2, 0.1) for name in names]
    out, err = capsys.readouterr()
    assert "3/3" in err and not out
    line = cells(TABLES["3"], found)[0]
    assert line["images/s (here)"] == "12.3"
    assert line["Peak MiB (here)"] == "567.8"
    assert line["Device (here)"] == "CPU"
    unmeasured = cells(TABLES["3"], found)[1]
    assert unmeasured["images/s (here)"] == ""


def test_what_cannot_be_run_is_left_empty_and_said(monkeypatch, capsys):
    def call(function, name, *arguments, environment):
        assert environment["TF_ENABLE_ONEDNN_OPTS"] == "1"
        if name == "ResNet50":
            raise ChildEnded(-9, "")
        return 1.0, None, "CPU"

    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    monkeypatch.setattr("keras_pyconv.tables.measure.call", call)
    found = measure(TABLES["1"].rows)
    assert ("ResNet50", 224) not in found and len(found) == 2
    assert (
        "\nResNet50 could not be measured: ended by signal 9 (out of memory?)"
    ) in capsys.readouterr().err
    assert cells(TABLES["1"], found)[1]["Peak MiB (here)"] == ""


def test_what_was_measured_says_how_and_where():
    how = conditions(3, 0.5)
    assert how.startswith("batch 3, 0.5 s each, ")
    assert re.search(r", TF_ENABLE_ONEDNN_OPTS=[01], \d{4}-\d\d-\d\d$", how)
    found = {("ResNet50", 224): (1.0, 2.0, "CPU")}
    printed = render([TABLES["1"]], "text", found, how)
    assert printed.endswith(f"\n\nMeasured here: {how}.")
    printed = render([TABLES["1"]], "csv", found, how)
    lines = list(csv.DictReader(io.StringIO(printed)))
    assert [line["Measured (here)"] for line in lines] == [how, "", ""]


@pytest.mark.slow
def test_a_network_is_measured_in_a_process_of_its_own():
    found = measure(TABLES["1"].rows[:1], 1, 0.1)
    speed, peak, device = found["ResNet50", 224]
    assert speed > 0 and peak > 100 and device


def test_the_tables_need_no_framework():
    # `resource` is missing on Windows.
    script = (
        "import sys, types\n"
        "sys.modules['resource'] = None\n"
        "package = types.ModuleType('keras_pyconv')\n"
        "package.__path__ = [sys.argv[1]]\n"
        "sys.modules['keras_pyconv'] = package\n"
        "from keras_pyconv.tables.__main__ import main\n"
        "import keras_pyconv.tables.measure\n"
        "main(['--format', 'csv'])\n"
        "assert not {'keras', 'tensorflow', 'numpy'} & set(sys.modules)\n"
    )
    folder = Path(__file__).parents[2] / "keras_pyconv"
    done = subprocess.run(
        [sys.executable, "-c", script, folder], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == len(ROWS) + 1
