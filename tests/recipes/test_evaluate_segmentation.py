"""The evaluation command prints its table and leaves pictures and files."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from keras_pyconv import build_segmenter
from keras_pyconv.architectures import make_segmenter
from keras_pyconv.tasks.segmentation import MULTI_SCALE, SINGLE_SCALE
from recipes import command_line, evaluate_segmentation
from tests.datasets.mask_folders import picture, write
from tests.recipes.settings_of import settings_of


def test_a_smoke_run_leaves_a_table_pictures_and_files(tmp_path, capsys):
    found = evaluate_segmentation.main(
        [
            *("--smoke", "--workdir", str(tmp_path / "run")),
            *("--data-dir", str(tmp_path / "data"), "--images", "2"),
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
    shown = "--window=33 --base-size=33 --images=0 --label-rule=from_zero"
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


def test_windows_may_be_larger_than_those_of_training(tmp_path):
    # The dagger of Table 5, as docs/segmentation.md has it.
    words = "--weights=w --multi-scale --window 617".split()
    wanted = settings_of(evaluate_segmentation, *words).protocol
    paper = dataclasses.replace(MULTI_SCALE, window=617)
    assert evaluate_segmentation.make_protocol(wanted) == paper
    found = evaluate_segmentation.main(
        [
            *("--smoke", "--workdir", str(tmp_path / "run"), "--multi-scale"),
            *("--data-dir", str(tmp_path / "data"), "--images", "0"),
            *("--window", "81", "--base-size", "64", "--no-flip"),
        ]
    )
    assert found.pictures == 4 and found.matrix.sum() > 0


def test_images_without_masks_get_files_for_the_server(tmp_path, capsys):
    (tmp_path / "testing").mkdir()
    for number, size in enumerate(((40, 30), (20, 64))):
        image = Image.fromarray(picture(size, number))
        image.save(tmp_path / "testing" / f"ADE_test_0000000{number}.jpg")
    small = "--smoke --head=conv --no-flip --images=1".split()
    small += ["--workdir", str(tmp_path / "run")]
    small += ["--unlabelled", str(tmp_path / "testing")]
    with pytest.raises(command_line.Mistake, match="needs --submission"):
        evaluate_segmentation.main(small)
    server = tmp_path / "server"
    evaluate_segmentation.main([*small, "--submission", str(server)])
    assert "2 images\nlabelled" in capsys.readouterr().out
    with Image.open(server / "ADE_test_00000001.png") as written:
        labels = np.asarray(written)
    assert labels.shape == (20, 64)
    assert 1 <= labels.min() and labels.max() <= 150
    record = json.loads((tmp_path / "run" / "results.json").read_text())
    assert record["mean_iou"] is None


def test_without_weights_nothing_is_evaluated(capsys):
    with pytest.raises(SystemExit):
        evaluate_segmentation.main([])
    assert "--weights" in capsys.readouterr().err
