"""Times every way to convolve with groups, and says which is the fastest.

    python -m benchmarks.grouped_conv [--batch 2] [--dtype float32] [levels]

The rules in `keras_pyconv/ops/conv_ways.py` come from its tables, one with
`TF_ENABLE_ONEDNN_OPTS=1` and one with `0`. Milliseconds of processor time on
one thread, which other processes disturb little: "forward / gradients". The
last column is what the rules choose, beside the best of the sums.
"""

import argparse
import time

import tensorflow as tf

from keras_pyconv.ops import conv_ways
from keras_pyconv.ops.grouped_conv import WAYS, grouped_conv

# name: (input sizes, channels, filters, kernel, groups, stride)
LEVELS = {
    "stage 1, 9x9": ((56, 56), 64, 16, (9, 9), 16, 1),
    "stage 1, 7x7": ((56, 56), 64, 16, (7, 7), 8, 1),
    "stage 1, 5x5": ((56, 56), 64, 16, (5, 5), 4, 1),
    "stage 1, 9x9, strided": ((112, 112), 64, 16, (9, 9), 16, 2),
    "stage 1, 7x7, strided": ((112, 112), 64, 16, (7, 7), 8, 2),
    "stage 2, 7x7": ((28, 28), 128, 64, (7, 7), 8, 1),
    "stage 2, 5x5": ((28, 28), 128, 32, (5, 5), 4, 1),
    "stage 2, 7x7, strided": ((56, 56), 128, 64, (7, 7), 8, 2),
    "stage 3, 5x5": ((14, 14), 256, 128, (5, 5), 4, 1),
    "stage 3, 5x5, strided": ((28, 28), 256, 128, (5, 5), 4, 2),
    "HG stage 1, 9x9": ((56, 56), 128, 32, (9, 9), 32, 1),
    "HG stage 2, 7x7": ((28, 28), 256, 64, (7, 7), 64, 1),
    "HG stage 4, 3x3": ((7, 7), 1024, 1024, (3, 3), 32, 1),
    "video stage 1, 7x9x9": ((16, 56, 56), 64, 16, (7, 9, 9), 16, 1),
    "video stage 1, 5x7x7": ((16, 56, 56), 64, 16, (5, 7, 7), 8, 1),
    "video stage 1, 3x5x5": ((16, 56, 56), 64, 16, (3, 5, 5), 4, 1),
    "video stage 2, 5x7x7": ((16, 28, 28), 128, 64, (5, 7, 7), 8, 1),
    "video stage 2, 3x5x5": ((16, 28, 28), 128, 32, (3, 5, 5), 4, 1),
    "video stage 3, 3x5x5": ((8, 14, 14), 256, 128, (3, 5, 5), 4, 1),
    "video stage 3, strided": ((16, 28, 28), 256, 128, (3, 5, 5), 4, 2),
}


def milliseconds(function, *arrays, repeats=4):
    """The least processor time of a call after a first."""
    function(*arrays)
    durations = []
    for _ in range(repeats):
        start = time.process_time()
        tf.nest.map_structure(lambda result: result.numpy(), function(*arrays))
        durations.append(time.process_time() - start)
    return 1e3 * min(durations)


def measure(level, way, batch, dtype):
    """Milliseconds of the forward pass and of both gradients."""
    sizes, channels, filters, kernel, groups, stride = level
    inputs = tf.cast(tf.random.normal((batch, *sizes, channels)), dtype)
    weights = tf.random.normal((*kernel, channels // groups, filters))
    weights = tf.cast(weights, dtype)

    def forward(inputs, weights):
        return grouped_conv(
            inputs, weights, groups=groups, strides=stride, way=way
        )

    def gradients(inputs, weights):
        with tf.GradientTape() as tape:
            tape.watch([inputs, weights])
            outputs = forward(inputs, weights)
        return tape.gradient(outputs, [inputs, weights])

    return [
        milliseconds(tf.function(f, autograph=False), inputs, weights)
        for f in (forward, gradients)
    ]


def ways(level):
    """The ways that can compute the level, the choice of the rules first."""
    *_, kernel, groups, stride = level
    window = conv_ways.Window(
        tuple(size // 2 for size in kernel),
        (stride,) * len(kernel),
        (1,) * len(kernel),
    )
    return [None, *(way for way in WAYS if conv_ways.can(way, window))]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("levels", nargs="*", help="parts of their names")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--dtype", default="float32")
    options = parser.parse_args(argv)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    print(f"| level | {' | '.join(WAYS)} | chosen | fastest |")
    print("|---|" + "---|" * (len(WAYS) + 2))
    for name, level in LEVELS.items():
        if options.levels and not any(part in name for part in options.levels):
            continue
        batch = 1 if len(level[0]) == 3 else options.batch
        times = {
            w: measure(level, w, batch, options.dtype) for w in ways(level)
        }
        cells = {w: f"{t[0]:.1f} / {t[1]:.1f}" for w, t in times.items()}
        chosen = cells.pop(None), times.pop(None)
        fastest = min(times, key=lambda way: sum(times[way]))
        row = [cells.get(way, "") for way in WAYS] + [chosen[0], fastest]
        print(f"| {name} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
