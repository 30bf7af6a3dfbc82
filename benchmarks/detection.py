"""How many pictures a second do PyConvSSD and SSD take, and how long decoding?

    python -m benchmarks.detection            about 3 minutes on two cores
    python -m benchmarks.detection --smoke    a minute, small

Question: what do the two detectors of 50 layers cost at 300 x 300, with and
without decoding, beside the same networks in PyTorch, and which share of the
time does decoding take?

Weights are random and float32. Random weights find nothing, so decoding is
fed with drawn outputs, the same for all: in each picture so many boxes that a
class of theirs is above the score, the rest background. Contenders take turns
in one process; PyTorch is eager, channels last. torchvision's SSD300, whose
backbone is VGG-16, has a row of its own where torchvision can be imported: the
network alone, without what it does to pictures before and to boxes after.

Decoding depends on how much is found. A
crowded picture takes longer than an empty one; the number is in the record.
"""

import statistics

import numpy as np

from benchmarks import machine
from benchmarks.records import (
    command_line,
    in_turns,
    write_record,
)

NETWORKS = {
    "PyConvSSD-50": ("PyConvSSD", "PyConvResNet50"),
    "SSD-50": ("SSD", "ResNet50"),
}
SMOKE = {
    "PyConvSSD Mini": ("PyConvSSD", "PyConvResNetMini"),
    "SSD Mini": ("SSD", "ResNetMini"),
}
SSD300 = "SSD300, VGG-16"
BY = {"ours": "ours", "torch": "PyTorch", "torchvision": "torchvision"}
CLASSES = 81
BATCH = 4
ROUNDS = 5
STANDING_OUT = 400  # boxes of a picture that some class is found in


def drawn_outputs(batch, boxes, seed=1):
    """Offsets and logits in which a part of the boxes stands out."""
    rng = np.random.default_rng(seed)
    offsets = rng.normal(size=(batch, boxes, 4)).astype("float32")
    logits = np.zeros((batch, boxes, CLASSES), "float32")
    logits[..., 0] = 9.0
    for row in logits:
        chosen = rng.permutation(boxes)[: min(STANDING_OUT, boxes // 4)]
        labels = rng.integers(1, CLASSES, len(chosen))
        row[chosen, labels] = rng.uniform(6.5, 12.0, len(chosen))
    return offsets, logits


def keras_steps(head, backbone, batch):
    """Ours: the network, and the decoding of drawn outputs."""
    import tensorflow as tf

    import keras_pyconv
    from keras_pyconv.tasks import DecodeDetections, default_boxes

    model = getattr(keras_pyconv, head)(backbone)
    layer = DecodeDetections.for_model(model)
    images = tf.random.stateless_normal((batch, *model.input_shape[1:]), (1, 2))
    boxes = default_boxes(model)
    drawn = [tf.constant(x) for x in drawn_outputs(batch, len(boxes))]
    network, decode = tf.function(model), tf.function(layer)
    return (
        lambda: network(images, training=False)["logits"].numpy(),
        lambda: decode(dict(zip(("offsets", "logits"), drawn)))[
            "count"
        ].numpy(),
        boxes,
    )


def torch_steps(head, backbone, batch, side, boxes):
    """The same in PyTorch; nothing where that is not installed."""
    try:
        import torch

        from benchmarks import torch_detection
    except ImportError:
        return ()
    torch.set_num_threads(machine.cores())
    torch.manual_seed(1)
    model = torch_detection.torch_detector(f"{head}{backbone}", CLASSES)
    model = model.eval().to(memory_format=torch.channels_last)
    images = torch.randn(batch, 3, side, side)
    images = images.to(memory_format=torch.channels_last)
    defaults = torch.from_numpy(boxes)
    drawn = [torch.from_numpy(x) for x in drawn_outputs(batch, len(boxes))]

    def network():
        with torch.inference_mode():
            model(images)

    def decode():
        with torch.inference_mode():
            torch_detection.decode(defaults, *drawn)

    return network, decode


def torchvision_step(batch):
    """torchvision's SSD300 at its own size, or None without torchvision."""
    try:
        import torch
        from torchvision.models.detection import ssd300_vgg16
    except (ImportError, RuntimeError) as error:  # the latter: damaged
        print(f"torchvision is not measured: {error}", flush=True)
        return None
    model = ssd300_vgg16(
        weights=None, weights_backbone=None, num_classes=CLASSES
    )
    model = model.eval().to(memory_format=torch.channels_last)
    images = torch.randn(batch, 3, 300, 300)
    images = images.to(memory_format=torch.channels_last)

    def network():
        with torch.inference_mode():
            model.head(list(model.backbone(images).values()))

    return network


def measure(networks, batch, rounds):
    """A row for each network: seconds of every round, in turns."""
    from keras_pyconv.architectures import DETECTORS

    steps, rows = {}, {}
    for name, (head, backbone) in networks.items():
        side = DETECTORS[f"{head}{backbone}"].input_size
        *ours, boxes = keras_steps(head, backbone, batch)
        theirs = torch_steps(head, backbone, batch, side, boxes)
        rows[name] = {"batch": batch, "side": side, "boxes": len(boxes)}
        kinds = ("ours", "ours_decoding", "torch", "torch_decoding")
        for kind, step in zip(kinds, (*ours, *theirs)):
            steps[name, kind] = step
    if step := torchvision_step(batch):
        rows[SSD300] = {"batch": batch, "side": 300}
        steps[SSD300, "torchvision"] = step
    for (name, kind), seconds in in_turns(steps, rounds).items():
        rows[name][kind] = seconds
    return rows


def speeds(row):
    """Pictures a second without and with decoding, and decoding's share.

    The latter two are None where decoding was not measured.
    """
    found = {}
    for kind in row.keys() & BY.keys():
        network = statistics.median(row[kind])
        speed, decoded = row["batch"] / network, (None, None)
        if f"{kind}_decoding" in row:
            decoding = statistics.median(row[f"{kind}_decoding"])
            whole = network + decoding
            decoded = row["batch"] / whole, decoding / whole
        found[kind] = speed, *decoded
    return found


def table(rows):
    """The rows as Markdown, with ratios to PyTorch."""
    from keras_pyconv.complexity.grid import grid

    lines = []
    for name, row in rows.items():
        found = speeds(row)
        for kind in (kind for kind in BY if kind in found):
            bare, whole, share = found[kind]
            both = kind != "ours" and "ours" in found
            lines.append(
                [
                    name,
                    BY[kind],
                    f"{bare:.2f}",
                    f"{whole:.2f}" if whole else "",
                    f"{share:.1%}" if whole else "",
                    f"{found['ours'][1] / whole:.2f} ×" if both else "",
                ]
            )
    header = [
        "network",
        "by",
        "images/s",
        "with decoding",
        "decoding's share",
        "ours is",
    ]
    return grid(header, lines, "markdown", words=("network", "by"))


def conclusion(rows):
    """One sentence a network."""
    said = []
    for name, row in rows.items():
        found = speeds(row)
        if "ours" not in found:
            said.append(f"{name}: {found['torchvision'][0]:.1f}, torchvision's")
            continue
        bare, whole, share = found["ours"]
        text = (
            f"{name}: {bare:.1f} pictures a second, {whole:.1f} with "
            f"decoding, which takes {share:.1%} of the time"
        )
        if "torch" in found:
            text += (
                f"; {bare / found['torch'][0]:.2f} and "
                f"{whole / found['torch'][1]:.2f} times PyTorch's"
            )
        said.append(text)
    return ". ".join(said) + "."


def main(arguments=None):
    """Entry point; returns the record."""
    parser = command_line(__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--batch", type=int, default=BATCH)
    options = parser.parse_args(arguments)
    networks, batch, rounds = NETWORKS, options.batch, options.rounds
    if options.smoke:
        networks, batch, rounds = SMOKE, 1, 1
    described = machine.description()
    rows = measure(networks, batch, rounds)
    record = {
        "machine": described,
        "smoke": options.smoke,
        "standing_out": STANDING_OUT,
        "rows": rows,
        "conclusion": conclusion(rows),
    }
    print(f"\n{table(rows)}\n\n{record['conclusion']}")
    write_record(record, "detection", options)
    return record


if __name__ == "__main__":
    main()
