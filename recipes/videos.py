"""What recipes of videos share: their clips, and the paper's test of them."""

import dataclasses
import functools

from . import groups, reporting, results, sources
from .lazy import datasets, export, keras_pyconv, tasks
from .settings import Positive, option


@dataclasses.dataclass(frozen=True)
class Videos:
    """Videos and clips."""

    source: str | None = groups.data(None, "folder, CSV or TFDS name")
    root: str | None = groups.data(
        None, "folder that the paths in a CSV are relative to", flag="root"
    )
    frames: Positive = option(16, "frames per clip")
    stride: Positive = option(4, "take every Nth frame")
    side: Positive = option(224, "crop size in training, in pixels")
    short_sides: tuple[Positive, Positive] = option(
        (256, 320), "range of the random short side in pixels", metavar="PX"
    )
    flip: bool = option(
        True, "mirror half of the clips; turn off if left and right matter"
    )
    decoders: Positive | None = option(
        None, "decoding processes; default: one per core", decides=False
    )


@dataclasses.dataclass(frozen=True)
class Test:
    """Test of every video."""

    side: Positive = option(
        256, "crop size in testing, in pixels", flag="test-side"
    )
    clips: Positive = option(
        10, "maximum number of clips per video", flag="test-clips"
    )
    crops: Positive = option(3, "crops per clip", flag="test-crops")


def open_videos(settings):
    """The videos to train on, and those to be judged on."""
    small = {"train": 12, "test": 6, "image_size": 48}
    source = sources.source_of(settings, "video", **small)
    return tuple(
        datasets.video_set(
            source, split, settings.run.data_dir, settings.data.root
        )
        for split in ("train", "validation")
    )


def load_data(settings, strategy):
    """Videos as `sources.Data`, one clip of each to judge by."""
    train, validation = open_videos(settings)
    clips, broken = make_clips(settings), broken_videos(train, settings)
    decoders = tasks.Decoders(settings.data.decoders)
    batches = datasets.training_clips(
        train,
        clips,
        decoders=decoders,
        broken=broken,
        **sources.batching(settings, strategy, train),
    )
    judged = functools.partial(
        datasets.evaluation_clips, validation, clips, decoders=decoders
    )
    return sources.Data(train, validation, batches, judged, broken=broken)


def make_network(settings, classes, weights=None, side=None):
    """The network for frames of any side, for the test's are larger."""
    return keras_pyconv.build_video_classifier(
        settings.variant,
        weights=weights,
        classes=classes,
        input_shape=(settings.data.frames, side, side, 3),
        name=settings.variant,
    )


def make_clips(settings):
    """What a clip is."""
    data = settings.data
    return tasks.Clips(
        frames=data.frames,
        stride=data.stride,
        size=data.side,
        short_sides=data.short_sides,
        resize=settings.test.side,
        flip=data.flip,
    )


def broken_videos(videos, settings, split="train"):
    """Notes what cannot be read, in a report in the work folder."""
    report = settings.run.workdir / f"broken_videos_{split}.csv"
    return datasets.BrokenVideos.among(videos, report)


def keep(model, settings, classes):
    """Writes the weights, and exports them where that was asked for."""
    results.write_weights(model, settings)
    if not settings.run.export_root:
        return
    # A server takes clips of one size.
    served = make_network(settings, len(classes), side=settings.data.side)
    served.set_weights(model.get_weights())
    signatures = export.video_signatures(served, list(classes))
    results.export_model(
        served, settings, signatures=signatures, batch_sizes=(1, 2)
    )


def test(model, videos, settings):
    """The paper's test of every video; prints and returns the errors."""
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
    kept = reporting.Scores() if settings.report.wanted else None
    errors = tasks.video_errors(
        model,
        views,
        clips,
        count=videos.count,
        on_video=kept and kept.add_video,
    )
    if kept:
        made = kept.report(kept.labels, videos, videos.name)
        reporting.write(made, settings)
    print(errors, broken, sep="\n")
    results.write_record(
        settings.run.workdir / "test.json",
        data=videos.name,
        clips=wanted.clips,
        crops=wanted.crops,
        errors=dataclasses.asdict(errors),
    )
    return errors
