"""What reads images is measured alike, and records are named and drawn."""

import json

import numpy as np
import pytest
from PIL import Image

from benchmarks import drawings, input_pipeline, reading_parts, records


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("sklearn")
    root = tmp_path_factory.mktemp("pictures")
    return input_pipeline.write_folder(root, 64)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(input_pipeline.CONTENDERS)[::3])
def test_batches_of_ours_are_normalized_squares(name, folder):
    pictures = next(input_pipeline.CONTENDERS[name](str(folder), 1))[0].numpy()
    assert pictures.shape == (64, 224, 224, 3)
    assert -2.2 < pictures.min() < pictures.max() < 2.7


@pytest.mark.slow
def test_the_rival_in_pytorch_crops_by_the_same_rule(folder):
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    rival = input_pipeline.Folder(sorted(folder.rglob("*.jpg")))
    picture, label = rival[1]
    assert picture.shape == (3, 224, 224) and label == 1
    assert -2.2 < picture.min() < picture.max() < 2.7
    boxes = np.array([rival.box(375, 500, torch) for _ in range(200)])
    left, top, right, bottom = boxes.T
    assert left.min() >= 0 and right.max() <= 500
    assert top.min() >= 0 and bottom.max() <= 375
    shares = (right - left) * (bottom - top) / (375 * 500)
    assert 0.07 < shares.min() < 0.12 and shares.max() > 0.8


def test_the_table_gives_speeds_a_core_and_ratios():
    rows = {
        "ours": [{"processor": 1 / 128, "clock": 1 / 256}],
        "TFDS": [{"processor": n / 128, "clock": 0.01} for n in (1, 2, 9)],
        "PyTorch": [],
    }
    lines = input_pipeline.table(rows).splitlines()
    assert lines[2].split() == ["ours", "128", "256"]
    assert lines[3].split() == ["TFDS", "64", "2.00", "×", "100"]
    assert "not measured" in lines[4]


def test_the_parts_of_an_image_are_operations_that_were_run():
    tf = pytest.importorskip("tensorflow")
    encoded = tf.io.encode_jpeg(np.zeros((240, 320, 3), "uint8"))

    def batches(count):
        images = tf.data.Dataset.from_tensors(encoded).repeat()
        images = images.map(tf.io.decode_jpeg).batch(4)
        return reading_parts.parts(images.map(lambda x: (x,)), count)

    found = batches(8)
    assert found["decode"] > 0.1 > found["turn, blur"] == 0
    lines = reading_parts.table({"images": found, "masks": found}).splitlines()
    assert lines[0].split()[-2:] == ["images", "masks"]
    total = float(lines[-1].split()[-1])
    assert abs(total - sum(found.values())) < 0.01


def test_a_record_is_named_by_processor_and_measurement(monkeypatch, tmp_path):
    monkeypatch.setattr(records, "HERE", tmp_path / "benchmarks")
    parser = records.command_line("What for.")
    places = {
        (): "benchmarks/results/some-cpu-r-avx512-bf16-4-cores-learning.json",
        (
            "--smoke",
        ): "runs/benchmarks/some-cpu-r-avx512-bf16-4-cores-learning.json",
        (f"--results={tmp_path / 'mine.json'}",): "mine.json",
    }
    for words, place in places.items():
        options = parser.parse_args(words)
        sets = ["avx2", "avx512f", "avx512_bf16"]
        options.machine = {"cpu": "Some CPU (R)", "cores": 4}
        options.machine["instruction_sets"] = sets
        record = records.write_record(options, "learning", rows=[1])
        assert json.loads((tmp_path / place).read_text()) == record
        assert record["rows"] == [1] and record["machine"] == options.machine


def test_records_stand_under_the_names_of_their_processors():
    for path in (records.HERE / "results").glob("*.json"):
        machine = json.loads(path.read_text())["machine"]
        assert path.name.startswith(records.file_name(machine, "")[:-5])


@pytest.mark.ci
def test_the_sheet_of_drawings_comes_from_its_command(tmp_path):
    path, data = tmp_path / "sheet.png", tmp_path / "data"
    drawings.main([f"--write={path}", f"--data-dir={data}"])
    with Image.open(path) as image:
        assert image.width == drawings.WIDTH and image.height > 600
