"""Times every way to convolve with groups, beside what the rules choose.

    python -m benchmarks.grouped_conv           about 20 minutes
    python -m benchmarks.grouped_conv --smoke   a minute

The rules in `keras_pyconv/ops/conv/choose.py` come from its record, and
`--write` renews the timings that stand above each rule there. Milliseconds of
processor time on one thread, which other processes disturb little, of the
forward pass and of both gradients; "fastest" is the way with the least sum.
"""

import json
import pathlib
import re
import sys
import time

import tensorflow as tf

from benchmarks.records import HERE, command_line, write_record
from keras_pyconv.children import Child, ChildEnded
from keras_pyconv.complexity.grid import grid
from keras_pyconv.ops import target
from keras_pyconv.ops.conv import choose
from keras_pyconv.ops.conv.dense import Window

# name: (input sizes, channels, filters, kernel, groups, stride, and dilation
# where there is one)
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
    "HG stage 1, 9x9, strided": ((112, 112), 128, 32, (9, 9), 32, 2),
    "HG stage 2, 7x7": ((28, 28), 256, 64, (7, 7), 64, 1),
    "HG stage 4, 3x3": ((7, 7), 1024, 1024, (3, 3), 32, 1),
    "depthwise, 3x3": ((56, 56), 64, 64, (3, 3), 64, 1),
    "4 to 4, 3x3": ((56, 56), 64, 64, (3, 3), 16, 1),
    "12 to 1, 3x3": ((56, 56), 96, 8, (3, 3), 8, 1),
    "64 to 1, 3x3, strided": ((56, 56), 256, 4, (3, 3), 4, 2),
    "one image, 512 deep": ((60, 60), 512, 512, (3, 3), 1, 1),
    "one image, 1024 deep": ((60, 60), 1024, 256, (3, 3), 1, 1),
    "one image, dilated by 24": ((60, 60), 2048, 256, (3, 3), 1, 1, 24),
    "steps, 9": ((3136,), 64, 64, (9,), 8, 1),
    "steps, 9, one filter": ((3136,), 64, 16, (9,), 16, 1),
    "video stage 1, 7x9x9": ((16, 56, 56), 64, 16, (7, 9, 9), 16, 1),
    "video stage 1, 5x7x7": ((16, 56, 56), 64, 16, (5, 7, 7), 8, 1),
    "video stage 1, 3x5x5": ((16, 56, 56), 64, 16, (3, 5, 5), 4, 1),
    "video stage 1, 3x3x3": ((16, 56, 56), 64, 16, (3, 3, 3), 1, 1),
    "video stage 2, 5x7x7": ((16, 28, 28), 128, 64, (5, 7, 7), 8, 1),
    "video stage 2, 3x5x5": ((16, 28, 28), 128, 32, (3, 5, 5), 4, 1),
    "video stage 2, 3x3x3": ((16, 28, 28), 128, 32, (3, 3, 3), 1, 1),
    "video stage 3, 3x5x5": ((8, 14, 14), 256, 128, (3, 5, 5), 4, 1),
    "video stage 3, strided": ((16, 28, 28), 256, 128, (3, 5, 5), 4, 2),
    "video stage 4, 3x3x3": ((4, 7, 7), 512, 512, (3, 3, 3), 1, 1),
    "video in space, 32": ((16, 56, 56), 128, 32, (3, 3, 3), 1, (1, 2, 2)),
    "video in space, 128": ((8, 28, 28), 128, 128, (3, 3, 3), 1, (1, 2, 2)),
}
HOUR = 3600
RULES_FILE = HERE.parent / "keras_pyconv/ops/conv/choose.py"
_NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}
_ON = _NO_GPU | {"TF_ENABLE_ONEDNN_OPTS": "1"}
_AVX2 = _ON | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
# name: (environment, dtype, what the machine must have: instructions, or a
# GPU), each in a process of its own
SETTINGS = {
    "oneDNN": (_ON, "float32", None),
    "oneDNN, AVX2": (_AVX2, "float32", "avx512f"),
    "oneDNN, bf16": (_ON, "bfloat16", "avx512_bf16"),
    "no oneDNN": (_NO_GPU | {"TF_ENABLE_ONEDNN_OPTS": "0"}, "float32", None),
    "GPU": ({}, "float32", "gpu"),  # in TF32, as TensorFlow has it
    "GPU, bf16": ({}, "bfloat16", "gpu"),
}


def milliseconds(function, *arrays, repeats):
    """The least processor time of a call after a first; a GPU's by the clock.

    A GPU gets several calls at a time, so that it need not wait for Python.
    """
    gpu = tf.config.list_logical_devices("GPU")
    clock, calls = (time.perf_counter, 8) if gpu else (time.process_time, 1)
    durations = []
    for _ in range(repeats + 1):
        start = clock()
        for _ in range(calls):
            function(*arrays)
        tf.test.experimental.sync_devices()
        durations.append((clock() - start) / calls)
    return round(1e3 * min(durations[1:]), 2)


def tensors(level, batch, dtype):
    """Inputs and kernel of a level, and the `Window` of the kernel."""
    sizes, channels, filters, kernel, groups, stride, *rest = level
    inputs = tf.random.stateless_normal((batch, *sizes, channels), (1, 2))
    weights = (*kernel, channels // groups, filters)
    weights = tf.random.stateless_normal(weights, (3, 4))
    rank = len(kernel)
    strides = (stride,) * rank if isinstance(stride, int) else stride
    (dilation,) = rest or (1,)
    pads = tuple(n // 2 * dilation for n in kernel)
    window = Window(pads, strides, (dilation,) * rank)
    return tf.cast(inputs, dtype), tf.cast(weights, dtype), window


def measure(level, way, batch, dtype, repeats):
    """Milliseconds of the forward pass and of both gradients."""
    convolver = choose.Convolver()
    inputs, weights, window = tensors(level, batch, dtype)

    @tf.function(autograph=False)
    def forward(inputs, weights):
        problem = inputs, weights, window, level[4]
        if way == "rules":
            return convolver(*problem)
        return convolver.by(way, *problem)

    @tf.function(autograph=False)
    def gradients(inputs, weights):
        with tf.GradientTape() as tape:
            tape.watch([inputs, weights])
            outputs = forward.python_function(inputs, weights)
        return tape.gradient(outputs, [inputs, weights])

    return [
        milliseconds(function, inputs, weights, repeats=repeats)
        for function in (forward, gradients)
    ]


def timed(setting, batch, name, repeats):
    """A level's rule and its times by way; the process has the setting."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    level, dtype = LEVELS[name], SETTINGS[setting][1]
    size = 1 if level[4] == 1 or len(level[0]) == 3 else batch
    inputs, weights, window = tensors(level, size, dtype)
    rule = choose.rule_for(inputs, weights, window, level[4], target.HERE)
    ways = [way for way in choose.WAYS if choose.is_possible(way, window)]
    if level[4] == 1:
        ways = ["split", "taps" if len(level[0]) == 3 else "points"]
    times, problems = {}, {}
    for way in ("rules", *ways):
        try:
            times[way] = measure(level, way, size, dtype, repeats)
        except tf.errors.OpError as error:  # such as too little memory
            problems[way] = str(error).partition("\n")[0]
    return {
        "level": name,
        "rule": choose.RULES.index(rule) + 1,
        "way": rule.way,
        "batch": size,
        "milliseconds": times,
        "problems": problems,
    }


def table(setting, found):
    """The rows of a setting in Markdown."""
    ways = sorted({way for row in found for way in row["milliseconds"]})
    lines = []
    for row in found:
        times = row["milliseconds"]
        cells = [
            "{:.1f} + {:.1f}".format(*times[way]) if way in times else ""
            for way in ways
        ]
        fastest = min(times, key=lambda way: sum(times[way]))
        rule = f"{row['rule']}, {row['way']}"
        lines.append([row["level"], rule, *cells, fastest])
    header = [setting, "rule", *ways, "fastest"]
    return grid(header, lines, "markdown", words=(setting, "rule"))


def cell(results, setting, name):
    """The timings of a level by its rule and by the best other way."""
    (row,) = (row for row in results[setting] if row["level"] == name)
    times = row["milliseconds"]
    others = [way for way in times if way not in ("rules", row["way"])]
    ways = "rules", min(others, key=lambda way: sum(times[way]))
    ours, other = (
        " + ".join(f"{time:.3g}" for time in times[way]) for way in ways
    )
    return f"{setting}: {name}: {ours}, {ways[1]} {other}"


def renewed(source, record):
    """The source of the rules with the timings of a record above them."""
    known = "|".join(map(re.escape, record["results"]))
    pattern = rf"(?m)^    # ({known}): ([^:\n]+):.*$"

    def renew(match):
        return f"    # {cell(record['results'], *match.groups())}"

    machine = record["machine"]
    avx512 = any("512" in name for name in machine["instruction_sets"])
    has = "AVX-512" if avx512 else "AVX2"
    said = f"{machine['cpu']} with {has}, {machine['date']}."
    return re.sub(
        r"(?m)(--write` renews them:\n# ).*$",
        lambda match: match[1] + said,
        re.sub(pattern, renew, source),
    )


def measured(options):
    """The rows of the settings and levels that are chosen."""
    chosen = [
        name
        for name in LEVELS
        if not options.levels or any(part in name for part in options.levels)
    ]
    if options.smoke:
        chosen, options.batch, options.repeats = chosen[:2], 1, 1
    known = [None, *options.machine["instruction_sets"]]
    known += ["gpu"] * bool(options.machine["gpus"])
    results = {}
    for setting, (environment, _, needs) in SETTINGS.items():
        if options.setting not in (None, setting) or needs not in known:
            continue
        results[setting] = []
        with Child("benchmarks.grouped_conv:timed", environment) as process:
            try:
                for name in chosen:
                    asked = setting, options.batch, name, options.repeats
                    results[setting].append(process.ask(*asked, timeout=HOUR))
            except (ChildEnded, KeyboardInterrupt) as ended:
                print(f"Ended at {name}: {ended}", file=sys.stderr)
        print(f"{table(setting, results[setting])}\n", flush=True)
    return results


def main(argv=None):
    """Entry point; returns the record."""
    parser = command_line(__doc__)
    parser.add_argument("levels", nargs="*", help="parts of their names")
    parser.add_argument("--batch", type=int, default=16, help="of images")
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--setting", choices=SETTINGS, help="only this one")
    parser.add_argument("--write", action="store_true", help="to the rules")
    parser.add_argument("--record", type=pathlib.Path, help="not to measure")
    options = parser.parse_args(argv)
    if options.record:
        record = json.loads(options.record.read_text())
    else:
        results = measured(options)
        record = write_record(options, "grouped conv", results=results)
    if options.write:
        RULES_FILE.write_text(renewed(RULES_FILE.read_text(), record))
    return record


if __name__ == "__main__":
    main()
