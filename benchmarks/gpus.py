"""How fast are networks on GPUs, and what share of a GPU's limit is that?

    benchmarks/gpus.sh                   runs this and more, part by part
    python -m benchmarks.gpus --smoke    on the CPU, tiny, two minutes

PyConvResNet-50, PyConvHGResNet-50 and PyConvResNet3D-50 in bf16, TF32 and fp32,
beside PyTorch with cuDNN, channels last. The limit is the fastest product of
two matrices; training counts three times the operations of inference. "On 2" is
a step on two GPUs under MirroredStrategy, with as many images for each as on 1.
"""

import sys

from benchmarks import machine, report, run
from benchmarks.plan import GPU_PRECISIONS, MEASURES, Patience, Suite
from keras_pyconv.complexity import complexity
from keras_pyconv.complexity.grid import grid

PASSES = {"inference": 1, "training": 3}
_BY = ("ours", "ours_jax", "torch", "torch_compile")


def _mappings(precisions, images, clips, side, product, batches, devices):
    """What matters most is first: the time may be short."""
    for precision in precisions:
        shared = {"precision": precision, "side": side, "contender": _BY}
        matrix = {"part": "product", "subject": "matrices", "batch": 1}
        yield {**shared, **matrix, "side": product}
        for many, few in batches:
            network = {**shared, "part": "network", "batch": many}
            yield {**network, "subject": images}
            clip = {**shared, "part": "video_network", "batch": few}
            yield {**clip, "subject": clips[0], "frames": clips[1]}
    shared = {"part": "mirrored", "precision": precisions[0], "side": side}
    for count in devices:
        subject, batch = f"{images[0]} on {count}", count * batches[0][0]
        yield {**shared, "subject": subject, "batch": batch}


SUITE = Suite(
    name="gpus",
    doc=__doc__,
    full=tuple(
        _mappings(
            precisions=("bf16", "tf32", "fp32"),
            images=["PyConvResNet50", "PyConvHGResNet50"],
            clips=("PyConvResNet3D50", 16),
            side=224,
            product=8192,
            batches=((128, 8), (32, 2)),
            devices=(1, 2, 4, 8),
        )
    ),
    smoke=tuple(
        _mappings(
            precisions=("bf16", "tf32"),
            images=["PyConvResNetMini"],
            clips=("PyConvResNet3DMini", 4),
            side=32,
            product=256,
            batches=((2, 1),),
            devices=(1, 2),
        )
    ),
    patience=Patience(
        rounds=3, start_cap=120.0, caps=dict.fromkeys(GPU_PRECISIONS, 120.0)
    ),
    minutes=9,
    devices=("gpu", "cpu"),
)


def limits(rows):
    """By precision the operations a second of the fastest product."""
    found = {}
    for row in rows:
        if row["part"] == "product" and row["turns"]["product"]:
            speed = 2 * row["side"] ** 3 / min(report.steady(row, "product"))
            found.setdefault(row["precision"], []).append(speed)
    return {precision: max(speeds) for precision, speeds in found.items()}


def _shares(row, peak):
    """TFLOP/s of each measure, and their share of the peak."""
    frames = [row["frames"]] * (row["part"] == "video_network")
    shape = (*frames, row["side"], row["side"], 3)
    work = 2 * complexity(row["subject"], shape).multiply_adds * row["batch"]
    for measure, passes in PASSES.items():
        seconds = report.middle(row, measure)
        speed = seconds and passes * work / seconds
        share = f" ({speed / peak:.0%})" if speed and peak else ""
        yield f"{speed / 1e12:.3g}{share}" if speed else ""


def _efficiencies(row, one):
    """Of each measure the speed, by that of so many times one GPU."""
    for measure in PASSES:
        pair = [report.middle(of, measure) for of in (one, row)]
        yield f"{pair[0] / pair[1]:.0%}" if all(pair) else ""


def show(record):
    """The tables, and those of shares and efficiencies."""
    peaks, lines = limits(record["rows"]), []
    rows = [row for row in record["rows"] if row["part"] != "product"]
    rows.sort(key=lambda row: list(MEASURES).index(row["part"]))
    mirrored = [row for row in rows if row["part"] == "mirrored"]
    for row in rows:
        if row in mirrored:
            cells = _efficiencies(row, mirrored[0])
        else:
            cells = _shares(row, peaks.get(row["precision"]))
        lines.append([row["subject"], row["precision"], row["title"], *cells])
    heads = ["", "precision", "contender", *PASSES]
    said = ", ".join(f"{k} {v / 1e12:.3g} TFLOP/s" for k, v in peaks.items())
    return (
        f"{report.tables(record)}\nLimit: {said or 'not measured'}. TFLOP/s "
        "and share of it; on several GPUs, efficiency:\n\n"
        f"{grid(heads, lines, 'markdown', words=heads[:3])}"
    )


def main(arguments=None):
    """Entry point; returns the record."""
    options = run.parser_of(SUITE).parse_args(arguments)
    options.devices = options.devices or ["cpu" if options.smoke else "gpu"]
    if "gpu" in options.devices and machine.gpu_problem():
        sys.exit("There is no NVIDIA GPU here; --smoke tries it on the CPU.")
    return run.conduct_suite(SUITE, options, show)


if __name__ == "__main__":
    main()
