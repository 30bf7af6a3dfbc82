"""The benchmarks of segmentation compare like with like."""

import pytest

from benchmarks import plan, segmentation
from benchmarks.processes import row_of
from keras_pyconv.architectures import make_segmenter
from keras_pyconv.complexity import complexity


@pytest.mark.parametrize("head", segmentation.HEADS)
def test_the_network_in_pytorch_has_our_parameters(head):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    from benchmarks.torch_networks import torch_segmenter

    row = make_segmenter("PyConvResNetMini", head)
    ours = complexity(row, (33, 49, 3), auxiliary=False)
    other = torch_segmenter("PyConvResNetMini", head).eval()
    count = sum(parameter.numel() for parameter in other.parameters())
    assert count == ours.parameters
    with torch.inference_mode():
        logits = other(torch.zeros(1, 3, 33, 49))["logits"]
    assert logits.shape == (1, 150, 33, 49)


def _row(part, head, seconds):
    case = plan.Case(part, f"ResNetMini with {head}", "ours", side=65, batch=1)
    row = row_of(case)
    row["turns"] = {name: [[s] for s in seconds] for name in row["turns"]}
    return row


def test_the_table_divides_by_the_first_network():
    rows = [
        _row("crop", "pyconv", [2.0, 2.2, 9.0]),
        _row("crop", "ppm", [4.4]),
        _row("image", "pyconv", [10.0]),
        _row("image", "ppm", [15.0]),
    ]
    first, other = segmentation.table(rows).splitlines()[2:]
    assert [cell.strip() for cell in first.split("|")[4:8]] == [
        *("2.20", "1.00 ×", "10.00", "1.00 ×")
    ]
    assert [cell.strip() for cell in other.split("|")[4:8]] == [
        *("4.40", "2.00 ×", "15.00", "1.50 ×")
    ]
