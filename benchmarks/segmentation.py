"""How long do PyConvSegNet and its rivals take for a crop and for a picture?

    python -m benchmarks.segmentation            over 4 minutes on two cores
    python -m benchmarks.segmentation --smoke    a minute, small and untrained

Question: is PyConvSegNet cheaper than PSPNet and DeepLabv3 (ASPP), as the
paper's supplement, Table 6 claims by counting, in seconds too; and how does it
compare with the same network in PyTorch?

All have ResNet-50 as backbone, random weights, batch 1, float32. "Crop" is one
forward pass of 473 x 473 at output stride 8, and in PyTorch the same, eager and
channels last; networks take turns. "Picture" is the paper's multi-scale
protocol (six scales, windows of 473, mirror images) on one of 683 x 512 at
output stride 16, at 8 it would be three times as long.

The auxiliary head takes no time here; the
paper's GFLOPs count it.
"""

import statistics
import time

import numpy as np

from benchmarks import machine
from benchmarks.records import (
    command_line,
    in_turns,
    write_record,
)

NETWORKS = {
    "PyConvSegNet": "pyconv",
    "PSPNet": "ppm",
    "DeepLabv3": "aspp",
}
PICTURE = (512, 683)
ROUNDS = 3
FULL = {"backbone": "ResNet50", "side": 473, "picture": PICTURE}
SMOKE = {"backbone": "ResNetMini", "side": 65, "picture": (60, 80)}


def keras_steps(backbone, head, side):
    """Functions that parse one crop, ours; and what it costs."""
    import tensorflow as tf

    import keras_pyconv
    from keras_pyconv.architectures import make_segmenter
    from keras_pyconv.complexity import complexity

    row = make_segmenter(backbone, head)
    model = keras_pyconv.build_segmenter(
        row, input_shape=(side, side, 3), auxiliary=False
    )
    function = tf.function(model)
    images = tf.random.stateless_normal((1, side, side, 3), (1, 2))
    cost = complexity(row, (side, side, 3), auxiliary=False)
    return lambda: function(images, training=False), cost


def picture_seconds(backbone, head, side, picture):
    """Seconds for the multi-scale protocol, after the first window."""
    import dataclasses

    import keras_pyconv
    from keras_pyconv.tasks.segmentation import MULTI_SCALE, SlidingWindows

    model = keras_pyconv.PyConvSegNet(
        backbone, head=head, output_stride=16, auxiliary=False
    )
    base = max(picture) * MULTI_SCALE.base_size // max(PICTURE)
    rule = dataclasses.replace(MULTI_SCALE, window=side, base_size=base)
    image = np.random.default_rng(0).integers(0, 256, (*picture, 3), "uint8")
    small = dataclasses.replace(rule, scales=(0.5,))
    SlidingWindows(model, small).labels(image)
    sliding = SlidingWindows(model, rule)
    # Tracing is paid once a set, not once a picture.
    warm = dataclasses.replace(rule, scales=(0.1,))
    sliding.protocol = warm
    sliding.labels(image)
    sliding.protocol = rule
    begin = time.perf_counter()
    sliding.labels(image)
    return time.perf_counter() - begin


def torch_step(backbone, head, side):
    """The same crop in PyTorch, or None where that is not installed."""
    try:
        from benchmarks import torch_segmentation
    except ImportError:
        return None
    step, _ = torch_segmentation.crop_step(
        backbone, head, 8, side, machine.cores()
    )
    return step


def crops(options):
    """Seconds of each round for every contender, in turns."""
    steps, costs = {}, {}
    for network, head in NETWORKS.items():
        step, costs[network] = keras_steps(options.backbone, head, options.side)
        steps[network, "ours"] = step
        other = torch_step(options.backbone, head, options.side)
        if other is not None:
            steps[network, "PyTorch"] = other
    return in_turns(steps, options.rounds), costs


def rows_of(options):
    """A row of the table for each network."""
    seconds, costs = crops(options)
    rows = []
    for network, head in NETWORKS.items():
        print(f"picture, {network} ...", flush=True)
        taken = picture_seconds(
            options.backbone, head, options.side, options.picture
        )
        row = {
            "network": network,
            "parameters": costs[network].parameters,
            "multiply_adds": costs[network].multiply_adds,
            "crop_rounds": seconds[network, "ours"],
            "torch_crop_rounds": seconds.get((network, "PyTorch"), []),
            "picture": round(taken, 2),
        }
        rows.append(row)
        print(f"{network}: {row}", flush=True)
    return rows


def _median(rounds):
    return statistics.median(rounds) if rounds else float("nan")


def table(rows):
    """The rows as Markdown, with ratios to the first."""
    from keras_pyconv.complexity.grid import grid

    first, lines = rows[0], []
    for row in rows:
        crop, other = map(
            _median, (row["crop_rounds"], row["torch_crop_rounds"])
        )
        lines.append(
            [
                row["network"],
                f"{row['parameters'] / 1e6:.2f}",
                f"{row['multiply_adds'] / 1e9:.1f}",
                f"{crop:.2f}",
                f"{crop / _median(first['crop_rounds']):.2f} ×",
                f"{other:.2f}",
                f"{other / crop:.2f} ×",
                f"{row['picture']:.1f}",
                f"{row['picture'] / first['picture']:.2f} ×",
            ]
        )
    header = [
        "network",
        "parameters, M",
        "multiply-adds, G",
        "crop, s",
        "of PyConvSegNet's",
        "in PyTorch, s",
        "of ours",
        "picture, s",
        "of PyConvSegNet's",
    ]
    return grid(header, lines, "markdown", words=("network",))


def main(arguments=None):
    """Entry point; returns the record."""
    parser = command_line(__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    vars(options).update(SMOKE if options.smoke else FULL)
    rows = rows_of(options)
    described = machine.description()
    record = {
        "machine": described,
        "backbone": options.backbone,
        "side": options.side,
        "picture": options.picture,
        "rows": rows,
    }
    write_record(record, "segmentation", options)
    print(table(rows))
    return record


if __name__ == "__main__":
    main()
