"""The benchmarks of segmentation compare like with like."""

import dataclasses

import pytest

from benchmarks import segmentation, segmentation_learning
from keras_pyconv.architectures import make_segmenter
from keras_pyconv.complexity import complexity


@pytest.mark.parametrize("head", segmentation.NETWORKS.values())
def test_the_network_in_pytorch_has_our_parameters(head):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    from benchmarks.torch_segmentation import network

    row = make_segmenter("PyConvResNetMini", head)
    ours = complexity(row, (33, 49, 3), auxiliary=False)
    other = network("PyConvResNetMini", head)
    count = sum(parameter.numel() for parameter in other.parameters())
    assert count == ours.parameters
    with torch.inference_mode():
        logits = other(torch.zeros(1, 3, 33, 49))["logits"]
    assert logits.shape == (1, 150, 33, 49)


def test_the_table_divides_by_the_first_network():
    row = {
        "network": "PyConvSegNet",
        "parameters": 32_000_000,
        "multiply_adds": 10**11,
        "crop_rounds": [2.0, 2.2, 9.0],
        "torch_crop_rounds": [],
        "picture": 10.0,
    }
    other = {**row, "network": "PSPNet", "picture": 15.0}
    other["torch_crop_rounds"] = [4.4]
    lines = segmentation.table([row, other]).splitlines()
    assert "1.00 ×" in lines[-2] and "nan" in lines[-2]
    assert "1.50 ×" in lines[-1] and "2.00 ×" in lines[-1]


def test_the_small_backbone_is_pyconvresnets_at_a_quarter():
    small = segmentation_learning.small_backbone()
    assert [stage.width for stage in small.stages] == [16, 32, 64, 128]
    assert [len(stage.levels) for stage in small.stages] == [4, 3, 2, 1]
    assert dataclasses.replace(small, name="Other").total_stride == 32
