"""The evaluation command prints its table and leaves pictures and files."""

import json

import pytest
from PIL import Image

from recipes import evaluate_segmentation


def test_a_smoke_run_leaves_a_table_pictures_and_files(tmp_path, capsys):
    found = evaluate_segmentation.main(
        [
            *("--smoke", "--workdir", str(tmp_path / "run")),
            *("--data-dir", str(tmp_path / "data"), "--pictures", "2"),
            *("--submission", str(tmp_path / "server"), "--no-flip"),
            *("--head", "conv"),
        ]
    )
    assert found.pictures == 4 and found.matrix.shape == (11, 11)
    said = capsys.readouterr().out
    assert "mean of classes" in said and "background" in said
    record = json.loads((tmp_path / "run" / "results.json").read_text())
    assert record["mean_iou"] == pytest.approx(found.mean_iou)
    assert record["protocol"]["window"] == 64
    with Image.open(tmp_path / "run" / "pictures.png") as drawn:
        assert min(drawn.size) > 200
    files = sorted((tmp_path / "server").glob("*.png"))
    assert [file.name for file in files] == [
        f"test_{number:06d}.png" for number in range(4)
    ]
    with Image.open(files[0]) as written:
        assert written.size == (96, 96)


def test_without_weights_nothing_is_evaluated(capsys):
    with pytest.raises(SystemExit):
        evaluate_segmentation.main([])
    assert "--weights" in capsys.readouterr().err
