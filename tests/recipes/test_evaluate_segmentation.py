"""The evaluation command prints its table and leaves pictures and files."""

import json

import pytest
from PIL import Image

from keras_pyconv import build_segmenter
from keras_pyconv.architectures import make_segmenter
from keras_pyconv.tasks.segmentation import MULTI_SCALE, SINGLE_SCALE
from recipes import evaluate_segmentation
from tests.datasets.mask_folders import write
from tests.recipes.settings_of import settings_of


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


def test_the_classes_of_a_folder_are_named_and_null_is_no_number(
    tmp_path, capsys
):
    write(tmp_path / "data", "validation", [(40, 60)])
    names = [f"class{number}" for number in range(151)]
    small = "--backbone=ResNetMini --head=conv --head-width=8 --no-flip"
    shown = "--window=33 --base-size=33 --pictures=0 --label-rule=from_zero"
    build_segmenter(
        make_segmenter("ResNetMini", "conv", head_width=8), classes=152
    ).save_weights(tmp_path / "mine.weights.h5")
    evaluate_segmentation.main(
        [
            *(*small.split(), *shown.split(), f"--data={tmp_path / 'data'}"),
            *(f"--workdir={tmp_path}", f"--weights={tmp_path}/mine.weights.h5"),
            *("--classes", *names, "never"),
        ]
    )
    said = capsys.readouterr().out
    assert "class150" in said and "wall" not in said and "nan" not in said
    text = (tmp_path / "results.json").read_text()
    *_, never = json.loads(text)["classes"]
    assert never["class"] == "never" and never["accuracy"] is None
    assert "NaN" not in text


def test_the_windows_and_scales_are_the_papers():
    words = ["--weights=w"]
    for more, paper in ([], SINGLE_SCALE), (["--multi-scale"], MULTI_SCALE):
        wanted = settings_of(evaluate_segmentation, *words, *more).protocol
        assert evaluate_segmentation.make_protocol(wanted) == paper


def test_without_weights_nothing_is_evaluated(capsys):
    with pytest.raises(SystemExit):
        evaluate_segmentation.main([])
    assert "--weights" in capsys.readouterr().err
