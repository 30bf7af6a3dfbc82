"""The folder of a recipe's run is all that its model's answers need."""

import numpy as np
import pytest

from keras_pyconv.commands.doors import recipe
from keras_pyconv.commands.opening import open_model


@pytest.mark.ci
@pytest.mark.parametrize(
    "name, task, classes",
    [
        ("finetune_folder", "classification", 10),
        ("segment_ade20k", "segmentation", 11),
        ("detect_coco", "detection", 10),
        ("recognize_kinetics", "video", 6),
    ],
)
def test_a_run_opens_with_its_weights_and_names(tmp_path, name, task, classes):
    recipe(name).main(["--smoke", "--workdir", str(tmp_path)])
    opened = open_model(str(tmp_path))
    assert opened.task == task and len(opened.class_names) == classes
    # Random weights would be others each time.
    again = open_model(str(tmp_path)).model
    for one, other in zip(opened.model.weights, again.weights):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
