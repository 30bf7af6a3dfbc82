"""Proves that the benchmarks compare like with like and report honestly."""

import contextlib
import dataclasses
import importlib
import io
import json
import math

import keras
import numpy as np
import pytest

from benchmarks import keras_networks, plan, processes, records, report, run
from benchmarks.progress import Progress
from keras_pyconv.models import build_classifier
from tests.benchmarks.measured import MACHINE

# Those of which README.md has the tables of all processors.
SUITES = (
    *("run", "resnext", "video_network", "growth", "serving"),
    *("segmentation", "detection"),
)
LEVEL = plan.Case("video", "level7x9x9", "ours", side=8, frames=4, batch=1)


def _kernel(shape):
    """Values that depend on nothing but the shape (Keras layout)."""
    size = np.prod(shape)
    values = np.sin(1 + np.arange(size)).reshape(shape)
    return (values * (2 / np.prod(shape[:-1])) ** 0.5).astype("float32")


def _fill(model):
    for variable in model.weights:
        if len(variable.shape) > 1:
            variable.assign(_kernel(tuple(variable.shape)))
        elif variable.name == "bias":
            variable.assign(keras.ops.zeros_like(variable))
    return model


def _images(side=32):
    images = np.random.default_rng(3).normal(size=(2, side, side, 3))
    return images.astype("float32")


@pytest.fixture(scope="module")
def our_answer():
    model = build_classifier("PyConvResNetMini", input_shape=(32, 32, 3))
    return model.count_params(), _fill(model).predict_on_batch(_images())


def test_stock_layers_make_the_same_network_as_ours(our_answer):
    model = keras_networks.stock_network("PyConvResNetMini", 32)
    answer = _fill(model).predict_on_batch(_images())
    assert model.count_params() == our_answer[0]
    np.testing.assert_allclose(answer, our_answer[1], rtol=1e-3, atol=1e-6)


def test_torch_makes_the_same_network_as_ours(our_answer):
    torch = pytest.importorskip("torch")
    from benchmarks.torch_networks import torch_network

    model = torch_network("PyConvResNetMini").eval()
    for parameter in model.parameters():
        shape = parameter.shape
        if len(shape) > 1:
            values = _kernel((*shape[2:], shape[1], shape[0]))
            order = (len(shape) - 1, len(shape) - 2, *range(len(shape) - 2))
            parameter.data = torch.from_numpy(values.transpose(order).copy())
    model.fc.bias.data.zero_()
    images = torch.from_numpy(_images().transpose(0, 3, 1, 2).copy())
    answer = torch.softmax(model(images), -1).detach().numpy()
    np.testing.assert_allclose(answer, our_answer[1], rtol=1e-3, atol=1e-6)


def test_the_command_measures_and_writes_a_record(tmp_path, capsys):
    record = run.main(
        "--smoke --parts video --subjects level7x9x9 --contenders ours torch "
        f"--devices cpu --results {tmp_path / 'tried.json'}".split()
    )
    written = json.loads((tmp_path / "tried.json").read_text())
    assert written == record
    ours, _ = record["rows"]
    assert set(ours["first_seconds"]) == {"forward", "gradients"}
    assert ours["turns"]["gradients"] and not ours["problems"]
    assert "level7x9x9, CPU, 4 frames" in capsys.readouterr().out


class Scripted:
    """A process that gives prepared answers, the last of them an end."""

    def __init__(self, answers):
        self.answers = iter(answers)

    def __call__(self, case):
        return contextlib.nullcontext(self)

    def send(self, *request):
        pass

    def receive(self, cap):
        answer = next(self.answers)
        if isinstance(answer, str):
            raise TimeoutError(answer)
        return answer


def _conduct(case, patience=plan.SMOKE):
    progress = Progress([1], 60, io.StringIO())
    conductor = processes.Conductor(plan.Group((case,)), patience, progress)
    (row,) = conductor.run()
    return row


@pytest.mark.parametrize(
    "calls, problems",
    [
        (0, {"forward": "> 9 s", "gradients": "not tried: forward > 9 s"}),
        (2, {"gradients": "> 9 s"}),
    ],
    ids=["first measure", "second measure"],
)
def test_a_first_call_beyond_its_cap_is_said(monkeypatch, calls, problems):
    answers = [{"seconds": [0.5], "processor": 1, "peak_rss_mib": 1}] * calls
    script = Scripted([{"ready": []}, *answers, "> 9 s"])
    monkeypatch.setattr(processes, "start", script)
    row = _conduct(LEVEL)
    assert row["problems"] == problems
    assert len(row["first_seconds"]) == calls / 2


def test_a_process_that_does_not_start_is_stopped():
    patience = dataclasses.replace(plan.SMOKE, start_cap=0.001)
    row = _conduct(LEVEL, patience)
    assert set(row["problems"].values()) == {"start > 0 s"}


def test_a_framework_that_is_missing_is_said(monkeypatch):
    torch = dataclasses.replace(
        plan.CONTENDERS["torch"], requires="no_such_package"
    )
    monkeypatch.setitem(plan.CONTENDERS, "torch", torch)
    row = _conduct(dataclasses.replace(LEVEL, contender="torch"))
    reason = "not measured: no_such_package is not installed"
    assert row["problems"] == {"forward": reason, "gradients": reason}


def _row(contender, inference, training, first):
    case = plan.Case("network", "PyConvResNet50", contender)
    return {
        **dataclasses.asdict(case),
        "title": contender,
        "peak_rss_mib": 1024,
        "first_seconds": {"inference": 1.0, "training": first},
        "turns": {"inference": inference, "training": training},
        "problems": {},
    }


def _verdicts(*rows):
    return report.verdicts(records.rows_of({"machine": MACHINE, "rows": rows}))


def test_ratios_are_taken_between_neighbours_in_time():
    ours = _row("ours", [[1.0], [2.0], [1.0]], [], 1)
    torch = _row("torch", [[2.0], [4.0], [9.0]], [], 1)
    assert report.speedup(ours, torch, "inference") == 2


@pytest.mark.parametrize(
    "seconds, first, reached",
    [(1.2, 29, ["yes", "yes"]), (1.3, 31, ["no", "no"])],
    ids=["faster", "slower"],
)
def test_targets_are_judged_by_what_was_measured(seconds, first, reached):
    ours = _row("ours", [[1.0]], [[seconds]], first)
    torch = _row("torch", [[1.4]], [[2.0]], 1)
    verdicts = _verdicts(ours, torch)
    found = {row["target"]: row["reached"] for row in verdicts}
    assert found["inference against stock Keras layers"] == "not comparable"
    assert found["inference against PyTorch"] == "yes"
    assert found["first training step"] == reached[0]
    assert found["training against PyTorch"] == reached[1]
    sentence = report.conclusion(verdicts)
    assert sentence.startswith(f"{1 + reached.count('yes')} of 4 targets")
    assert ("missed" in sentence) == ("no" in reached)


@pytest.mark.parametrize(
    "first, judged",
    [
        (24.0, ("> 2.50 × at the first call", "yes")),
        (80.0, ("> 0.75 × at the first call", "not comparable")),
    ],
    ids=["faster", "perhaps slower"],
)
def test_a_rival_that_was_stopped_bounds_the_ratio(first, judged):
    ours = _row("ours", [[1.0]], [[5.0]], first)
    torch = _row("torch", [[1.0]], [], 1)
    del torch["first_seconds"]["training"]
    torch["problems"]["training"] = "> 60 s"
    (verdict,) = (
        verdict
        for verdict in _verdicts(ours, torch)
        if verdict["target"] == "training against PyTorch"
    )
    assert (verdict["measured"], verdict["reached"]) == judged


@pytest.mark.parametrize("name", SUITES)
def test_the_readme_shows_the_newest_record_of_each_processor(name):
    module = importlib.import_module(f"benchmarks.{name}")
    show = getattr(module, "show", report.tables)
    page = run.README.read_text()
    begin, end = run.markers(module.SUITE)
    shown = page.partition(begin)[2].partition(end)[0]
    found = records.newest(module.SUITE.name)
    assert shown.strip() == show(*found).strip()
    assert all(records.kind(one["machine"]) in shown for one in found)


def test_an_onednn_of_each_kind_makes_a_group_of_its_own():
    chosen = {"device": ["cpu"], "onednn": ["1", "0"], "isa": ["all", "AVX2"]}
    mapping = {"part": "network", "subject": ("ResNet50",)}
    found = plan.groups([mapping], 2, chosen)
    kernels = [(g.cases[0].onednn, g.cases[0].isa) for g in found]
    assert kernels == [("1", "all"), ("1", "AVX2"), ("0", "all")]
    limits = [g.cases[0].environment()["ONEDNN_MAX_CPU_ISA"] for g in found]
    assert limits == [None, "AVX2", None]
    names = [[case.contender for case in group.cases] for group in found]
    assert (
        names[0]
        == names[1]
        == [*("ours", "ours_no_onednn", "stock", "torch", "resnet50")]
    )
    assert "ours_no_onednn" not in names[2]
    assert found[1].title.endswith("batch 16, oneDNN limited to AVX2")


def test_what_the_processor_lacks_is_not_measured(monkeypatch):
    monkeypatch.setattr(processes, "instruction_sets", lambda: ["avx2"])
    row = _conduct(dataclasses.replace(LEVEL, isa="AVX512"))
    reason = "not measured: this processor has no AVX512"
    assert row["problems"] == {"forward": reason, "gradients": reason}


def test_a_partial_run_keeps_the_other_rows_and_their_date(tmp_path):
    path = tmp_path / "record.json"
    earlier = [_row("ours", [[1.0]], [], 1), _row("torch", [[2.0]], [], 1)]
    path.write_text(json.dumps({"machine": MACHINE, "rows": earlier}))
    about = {"measured": "2026-12-01T10:00", "commit": "0123abc"}
    row = {**_row("ours", [[0.5]], [], 1), **about}
    ours, torch = rows = records.with_earlier([row], path)
    assert (ours["turns"], torch["turns"]) == (
        row["turns"],
        earlier[1]["turns"],
    )
    table = report.tables({"machine": MACHINE, "rows": rows})
    cells = [[c.strip() for c in line.split("|")] for line in table.split("\n")]
    ours, torch = (cell for cell in cells if cell[1:2] in (["ours"], ["torch"]))
    assert ours[3:5] == ["AVX2, 2026-12-01, 0123abc", "32"]
    # Not a ratio of two days.
    assert torch[3:6] == ["AVX2, 2026-11-29", "8", ""]


def test_a_record_of_before_there_were_suites_is_replaced(tmp_path):
    path, row = tmp_path / "record.json", _row("ours", [[0.5]], [], 1)
    for rows in ({"SSD-50": {"ours": [1.5]}}, [{"network": "PSPNet"}]):
        path.write_text(json.dumps({"machine": MACHINE, "rows": rows}))
        assert records.with_earlier([row], path) == [row]


def test_processors_stand_beside_each_other():
    wide = {**MACHINE, "instruction_sets": ["avx2", "avx512f", "avx512_bf16"]}
    shown = [
        {"machine": machine, "rows": [_row("ours", [[seconds]], [], 1)]}
        for machine, seconds in ((MACHINE, 1.0), (wide, 0.5))
    ]
    lines = report.tables(*shown).splitlines()
    cells = [[c.strip() for c in line.split("|")] for line in lines]
    rows = [cell[3:5] for cell in cells if cell[1:2] == ["ours"]]
    assert rows == [
        ["AVX2, 2026-11-29", "16"],
        ["AVX512-BF16, 2026-11-29", "32"],
    ]


def test_resnext_is_measured_beside_the_same_from_stock_layers():
    from benchmarks import resnext
    from keras_pyconv.complexity import complexity

    (group,) = plan.groups(resnext.SUITE.full, 2, {"device": ["cpu"]})
    contenders = [case.contender for case in group.cases]
    assert contenders == ["ours", "stock", "torch", "resnet50"]
    model = keras_networks.stock_network("ResNeXt50", 32)
    counted = complexity("ResNeXt50").parameters
    assert sum(math.prod(v.shape) for v in model.trainable_variables) == (
        counted
    )
    groups = [getattr(layer, "groups", 1) for layer in model.layers]
    assert groups.count(32) == 16


def test_the_video_network_is_measured_with_one_clip_and_with_more():
    from benchmarks import video_network

    smoke = video_network.SUITE.smoke
    one, four = plan.groups(smoke, 2, {"device": ["cpu"]})
    assert [case.contender for case in four.cases] == ["ours", "torch"]
    assert [case.batch for case in one.cases] == [1, 1]
    assert one.title == "CPU PyConvResNet3DMini fp32, batch 1"
    assert four.title == "CPU PyConvResNet3DMini fp32, batch 4"
    rows = [processes.row_of(case) for case in four.cases]
    for row, seconds in zip(rows, ([2.0, 2.1, 2.0], [4.4, 4.2, 3.6])):
        row["turns"]["inference"] = [[value] for value in seconds]
        row["peak_rss_mib_after"]["inference"] = 1024
    inference, training = _verdicts(*rows)
    assert (inference["measured"], inference["reached"]) == ("2.00 ×", "yes")
    assert (training["measured"], training["reached"][:3]) == (
        "not measured",
        "not",
    )
    assert "4 frames, batch 4, 32 × 32**" in report.tables(
        {"machine": MACHINE, "rows": rows}
    )
