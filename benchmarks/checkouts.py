"""Is this checkout as fast as another one? Networks side by side.

    git worktree add ../before COMMIT
    python -m benchmarks.checkouts ../before            15 minutes, two cores
    python -m benchmarks.checkouts ../before --smoke    a minute

Each network runs in three processes that take turns: this checkout, the other
one, and this one again, which shows how far a commit is from itself. A ratio
is the time of the other by that of this one, turn by turn: above 1, this one
is faster. "slower" stands where the median ratio is below all that this
checkout has to itself.

Networks have at most two blocks a stage, the strided and a following one, so
that each kind of layer is there and tracing takes half as long; `--whole`
takes all. Cases that the minutes do not suffice for are named at the end.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

# The order of the cases; name: batch.
SUBJECTS = {
    "PyConvResNet50": 8,
    "PyConvHGResNet50": 8,
    "PyConvSSD-50": 2,
    "PyConvResNet3D50": 1,
}
SETTINGS = {
    "oneDNN, fp32": ("1", "float32"),
    "no oneDNN, fp32": ("0", "float32"),
    "oneDNN, bf16": ("1", "mixed_bfloat16"),
    "no oneDNN, bf16": ("0", "mixed_bfloat16"),
}
MEASURES = "inference", "training"
CONTENDERS = "this", "other", "again"
SIDE, CLIP = 224, (16, 112, 112, 3)
TURNS, SECONDS = 5, 0.8


def _short(architecture, whole):
    import dataclasses

    if whole:
        return architecture
    stages = [
        dataclasses.replace(stage, blocks=min(stage.blocks, 2))
        for stage in architecture.stages
    ]
    return dataclasses.replace(architecture, stages=tuple(stages))


def _model(subject, whole):
    import dataclasses

    import keras_pyconv
    from keras_pyconv.architectures import (
        get_architecture,
        get_video_architecture,
    )

    if subject == "PyConvSSD-50":
        backbone = _short(get_architecture("PyConvResNet50"), whole)
        return keras_pyconv.PyConvSSD(backbone)
    if subject == "PyConvResNet3D50":
        video = get_video_architecture(subject)
        video = dataclasses.replace(video, base=_short(video.base, whole))
        return keras_pyconv.build_video_classifier(
            video, input_shape=CLIP, classes=400
        )
    architecture = _short(get_architecture(subject), whole)
    return keras_pyconv.build_classifier(
        architecture, input_shape=(SIDE, SIDE, 3)
    )


def _steps(subject, policy, whole):
    """One step of each measure, by name."""
    import keras
    import tensorflow as tf

    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(1)
    model = _model(subject, whole)
    shape = (SUBJECTS[subject], *model.input_shape[1:])
    images = tf.random.stateless_normal(shape, (1, 2))
    optimizer = keras.optimizers.SGD(1e-6)
    optimizer.build(model.trainable_variables)

    @tf.function
    def train():
        with tf.GradientTape() as tape:
            outputs = keras.tree.flatten(model(images, training=True))
            loss = sum(
                tf.reduce_mean(tf.cast(output, "float32") ** 2)
                for output in outputs
            )
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]))
        return loss

    return {
        "inference": lambda: model.predict_on_batch(images),
        "training": lambda: train().numpy(),
    }


def child(subject, policy, whole):
    """Answers each `measure seconds` with the durations of its steps."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    steps = _steps(subject, policy, whole)
    for line in sys.stdin:
        measure, seconds = line.split()
        durations = []
        while not durations or sum(durations) < float(seconds):
            start = time.perf_counter()
            steps[measure]()
            durations.append(time.perf_counter() - start)
        print(json.dumps(durations), file=answers)


def _start(root, subject, setting, whole):
    onednn, policy = SETTINGS[setting]
    here = pathlib.Path(__file__).resolve()
    command = [sys.executable, str(here), str(root), "--child", subject, policy]
    return subprocess.Popen(
        command + ["--whole"] * whole,
        env={
            **os.environ,
            "PYTHONPATH": str(root),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "TF_ENABLE_ONEDNN_OPTS": onednn,
            "CUDA_VISIBLE_DEVICES": "",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _ask(process, measure, seconds):
    print(measure, seconds, file=process.stdin, flush=True)


def _answer(process):
    """The median of the durations."""
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("A contender ended; its last words are above.")
    return statistics.median(json.loads(line))


def measure(roots, subject, setting, options):
    """Seconds of a step by measure and contender, one for every turn."""
    processes = {
        name: _start(root, subject, setting, options.whole)
        for name, root in roots.items()
    }
    found = {}
    try:
        for kind in MEASURES:
            # All at once: what tracing takes is not measured.
            for process in processes.values():
                _ask(process, kind, 0)
            for process in processes.values():
                _answer(process)
            found[kind] = {name: [] for name in processes}
            for _ in range(1 if options.smoke else TURNS):
                for name, process in processes.items():
                    _ask(process, kind, 0 if options.smoke else SECONDS)
                    found[kind][name].append(_answer(process))
    finally:
        for process in processes.values():
            process.kill()
            process.communicate()
    return found


def ratios(seconds, name):
    """Of a contender's time by this one's, turn by turn, in order."""
    return sorted(b / a for a, b in zip(seconds["this"], seconds[name]))


def row(title, seconds):
    """A line of the table."""
    other, again = (ratios(seconds, name) for name in ("other", "again"))
    middle = statistics.median(other)
    spread = [f"{n[0]:.3f} to {n[-1]:.3f}" for n in (other, again)]
    now = 1000 * statistics.median(seconds["this"])
    verdict = "slower" if middle < min(1, again[0]) else ""
    cells = title, f"{now:.0f}", f"{middle:.3f}", *spread, verdict
    return f"| {' | '.join(cells)} |"


def _command_line():
    # Not at the top: a child runs beside another checkout's package.
    from benchmarks.records import command_line

    parser = command_line(__doc__)
    parser.add_argument("other", type=pathlib.Path, help="the other checkout")
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS)
    parser.add_argument("--settings", nargs="+", choices=SETTINGS)
    parser.add_argument("--whole", action="store_true", help="all blocks")
    parser.add_argument("--minutes", type=float, default=15)
    return parser


def main(argv=None):
    from benchmarks import machine
    from benchmarks.records import HERE, write_record

    options = _command_line().parse_args(argv)
    roots = dict.fromkeys(CONTENDERS, HERE.parent)
    roots["other"] = options.other.resolve()
    cases = [
        (setting, subject)
        for setting in options.settings or SETTINGS
        for subject in options.subjects or SUBJECTS
    ]
    if options.smoke:
        cases = cases[:1]
    print("| | ms | other / this | from, to | again / this | |")
    print("|---|---|---|---|---|---|")
    start, longest = time.monotonic(), 0
    record = {"machine": machine.description(), "results": [], "left_out": []}
    for setting, subject in cases:
        begin = time.monotonic()
        if begin + longest - start > 60 * options.minutes:
            record["left_out"].append(f"{subject}, {setting}")
            continue
        found = measure(roots, subject, setting, options)
        longest = max(longest, time.monotonic() - begin)
        for kind, seconds in found.items():
            print(row(f"{subject}, {setting}, {kind}", seconds), flush=True)
        record["results"].append(
            {"subject": subject, "setting": setting, "seconds": found}
        )
    if record["left_out"]:
        print("Not measured, out of time:", "; ".join(record["left_out"]))
    write_record(record, "checkouts", options)


if __name__ == "__main__":
    if "--child" in sys.argv:
        parser = argparse.ArgumentParser()
        parser.add_argument("other")
        parser.add_argument("--child", nargs=2)
        parser.add_argument("--whole", action="store_true")
        options = parser.parse_args()
        child(*options.child, options.whole)
    else:
        main()
