"""What recipes of videos share: their clips, and the paper's test of them."""

import dataclasses

from recipes import groups, results, sources
from recipes.settings import Positive, option


@dataclasses.dataclass(frozen=True)
class Videos:
    """Videos, and clips of them."""

    source: str | None = groups.data(None, "TFDS name, folder or CSV")
    root: str | None = groups.data(
        None, "what the paths of a CSV begin at", flag="root"
    )
    frames: Positive = option(16, "of a clip")
    stride: Positive = option(4, "from one frame of a clip to the next")
    side: Positive = option(224, "of the square of training, in pixels")
    short_sides: tuple[Positive, Positive] = option(
        (256, 320), "from which the short side is drawn", metavar="PX"
    )
    flip: bool = option(
        True, "mirror half of the clips; not where those are of other classes"
    )
    decoders: Positive | None = option(
        None, "processes that decode; default: processors", decides=False
    )


@dataclasses.dataclass(frozen=True)
class Test:
    """The test of every video."""

    side: Positive = option(
        256, "of the squares of testing, in pixels", flag="test-side"
    )
    clips: Positive = option(10, "of a video, at most", flag="test-clips")
    crops: Positive = option(3, "of a clip", flag="test-crops")


def open_videos(settings):
    """The videos to train on, and those to be judged on."""
    from keras_pyconv import datasets

    small = {"train": 12, "test": 6, "image_size": 48}
    source = sources.source_of(settings, "video", **small)
    return tuple(
        datasets.video_set(
            source, split, settings.run.data_dir, settings.data.root
        )
        for split in ("train", "validation")
    )


def make_clips(settings):
    """What a clip is."""
    from keras_pyconv import tasks

    data = settings.data
    return tasks.Clips(
        frames=data.frames,
        stride=data.stride,
        size=data.side,
        short_sides=data.short_sides,
        resize=settings.test.side,
        flip=data.flip,
    )


def broken_videos(videos, settings, split):
    """Notes what cannot be read, in a report in the work folder."""
    from keras_pyconv import datasets

    report = settings.run.workdir / f"broken_videos_{split}.csv"
    return datasets.BrokenVideos.among(videos, report)


def keep(model, settings, classes):
    """Writes the weights, and exports them where that was asked for."""
    import keras_pyconv

    results.write_weights(model, settings)
    if not settings.run.export_root:
        return
    # A server takes clips of one size.
    side = settings.data.side
    served = keras_pyconv.build_video_classifier(
        settings.variant,
        classes=len(classes),
        input_shape=(settings.data.frames, side, side, 3),
        name=settings.variant,
    )
    served.set_weights(model.get_weights())
    signatures = keras_pyconv.export.video_signatures(served, list(classes))
    results.export_model(
        served, settings, signatures=signatures, batch_sizes=(1, 2)
    )


def test(model, videos, settings):
    """The paper's test of every video; prints and returns the errors."""
    from keras_pyconv import datasets, tasks

    wanted, clips = settings.test, make_clips(settings)
    broken = broken_videos(videos, settings, "test")
    views = datasets.video_views(
        videos,
        clips,
        most_clips=wanted.clips,
        crops=wanted.crops,
        decoders=tasks.Decoders(settings.data.decoders),
        broken=broken,
    )
    errors = tasks.video_errors(model, views, clips, count=videos.count)
    print(errors, broken, sep="\n")
    results.write_record(
        settings.run.workdir / "test.json",
        data=videos.name,
        clips=wanted.clips,
        crops=wanted.crops,
        errors=dataclasses.asdict(errors),
    )
    return errors
