"""Do PyConvResNet3D and ResNet3D learn motion, from real video files?

    python -m benchmarks.video_learning            about 8 minutes on two cores
    python -m benchmarks.video_learning --smoke    a minute, few steps

Trains two small networks of about the same cost with
`recipes.recognize_kinetics` on video files that are made here: how a digit
moves over a photograph is the label, which no frame alone tells. One seed: this
shows that the networks learn, and not which is better.
"""

import dataclasses

from benchmarks.records import learned, learning_command_line, write_record
from keras_pyconv.complexity import complexity
from keras_pyconv.complexity.grid import grid

NETWORKS = ("PyConvResNet3DMini", "ResNet3DMini")
FILMS = {"image_size": 36, "train_examples": 900, "test_examples": 120}
FILMS |= {"smallest": 0.4}
SMOKE_FILMS = {**FILMS, "train_examples": 24, "test_examples": 12}
OPTIONS = {
    "frames": 8,
    "stride": 2,
    "side": 32,
    "test-side": 32,
    "test-clips": 2,
    "batch-size": 16,
    "epochs": 6,
    "learning-rate": 0.02,  # for 64 clips
}
SHORT_SIDES = ("32", "36")


def write_films(root, films):
    """The clips as `root/{train,val}/{motion}/{number}.mp4`."""
    import av

    from keras_pyconv.datasets import prepare_digits_in_photos

    builder = prepare_digits_in_photos("video", data_dir=root / "tfds", **films)
    names = builder.info.features["label"].names
    codecs = [c for c in ("libx264", "mpeg4") if c in av.codecs_available]
    for split, folder in {"train": "train", "test": "val"}.items():
        for number, example in enumerate(builder.as_dataset(split=split)):
            label = names[int(example["label"])]
            path = root / "films" / folder / label / f"{number}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_film(av, path, example["video"].numpy(), codecs[0])
    return root / "films"


def _write_film(av, path, pixels, codec):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = pixels.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 1_000_000
        for frame in pixels:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        container.mux(stream.encode())


def train(network, films, workdir, epochs):
    """The figures of each epoch, the test's errors, and the seconds."""
    from recipes import recognize_kinetics

    options = {"epochs": epochs, "data": films, "workdir": workdir / network}
    run, (history, errors) = learned(
        recognize_kinetics,
        network,
        {**OPTIONS, **options},
        *("--short-sides", *SHORT_SIDES),
    )
    return {**run, "epochs": history, "test": dataclasses.asdict(errors)}


def _cells(run):
    shape = (OPTIONS["frames"], OPTIONS["side"], OPTIONS["side"], 3)
    cost = complexity(run["network"], shape, 6).cost
    return [
        run["network"],
        f"{cost.parameters / 1e6:.2f}",
        f"{cost.multiply_adds / 1e9:.2f}",
        f"{run['epochs'][-1]['loss']:.2f}",
        f"{100 * run['test']['top1_error']:.1f}",
        f"{run['seconds']:.0f}",
    ]


def table(runs):
    """The runs as Markdown."""
    header = [
        *("network", "parameters, M", "multiply-adds, G", "training loss"),
        *("top-1 error of the test, %", "seconds"),
    ]
    return grid(header, list(map(_cells, runs)), "markdown", words=header[:1])


def main(arguments=None):
    """Entry point; returns the record."""
    parser = learning_command_line(__doc__, "runs/video", OPTIONS["epochs"])
    options = parser.parse_args(arguments)
    made = SMOKE_FILMS if options.smoke else FILMS
    films = write_films(options.workdir, made)
    epochs = 1 if options.smoke else options.epochs
    runs = [train(name, films, options.workdir, epochs) for name in NETWORKS]
    print(table(runs))
    return write_record(options, "video-learning", films=made, runs=runs)


if __name__ == "__main__":
    main()
