"""Clips to train on and views to test with, from files and sets of TFDS.

A video that cannot be read is replaced in training by another one that the same
seed draws; in testing it comes without views, or with weight 0.
"""

import functools
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_pyconv import arguments
from keras_pyconv.datasets.ahead import ahead
from keras_pyconv.datasets.broken import BrokenVideos
from keras_pyconv.datasets.stream import (
    apart,
    evaluation_batches,
    training_stream,
)
from keras_pyconv.datasets.video_sets import VideoSet
from keras_pyconv.lazy import tf
from keras_pyconv.tasks.image import read_image
from keras_pyconv.tasks.preprocessing import normalize
from keras_pyconv.tasks.resizing import resize, resize_window
from keras_pyconv.tasks.video import decoding
from keras_pyconv.tasks.video.averaging import Clips, view_options
from keras_pyconv.tasks.video.files import LEAST_FRAMES, UnreadableVideo
from keras_pyconv.tasks.video.processes import Decoders
from keras_pyconv.typing import Array, Batches, Shard

SUBSTITUTES = 20  # other videos that are tried where one cannot be read
# What the seed of a clip is for.
_PLACE, _SIDE, _SQUARE, _FLIP = range(4)
_FLIP_DRAW = 2  # of the numbers that `decoding.random_clip` takes


def training_clips(
    videos: VideoSet,
    clips: Clips = Clips(),
    *,
    batch_size: int,
    seed: int,
    decoders: Decoders | None = None,
    broken: BrokenVideos | None = None,
    shuffle_buffer: int | None = 256,
    shard: Shard = (0, 1),
) -> Batches:
    """Batches to train on, which can begin at any step.

    Args:
        videos: the `VideoSet`.
        clips: the `Clips`.
        batch_size, seed, shard: as in `training_stream`.
        decoders: the `Decoders`; None makes one a processor.
        broken: a `BrokenVideos`; None makes one for this set.
        shuffle_buffer: of a set of TFDS, how many encoded videos to shuffle
            among; of Kinetics 256 are about 1.5 GB. Files are shuffled all.

    Returns:
        A function `batches(first_step=0)` to a `tf.data.Dataset` of float32
        clips `(batch, frames, size, size, 3)` and int64 labels `(batch,)`.
    """
    arguments.examples("videos", videos)
    arguments.instance("clips", clips, Clips)
    broken = broken or BrokenVideos.among(videos)
    options: dict[str, Any] = {"batch_size": batch_size, "seed": seed}
    options |= {"shard": shard, "digest": videos.digest}
    if videos.paths is None:
        return training_stream(
            videos.examples,
            videos.count,
            _of_frames(clips, _good_frames),
            shuffle_buffer=shuffle_buffer,
            substitute=_of_frames(clips, _damaged_frames(clips, broken)),
            **options,
        )
    read = _reader(videos, clips, decoders or Decoders(), broken)

    def prepare(index, seed):
        pixels, label = tf.numpy_function(
            read, [index, seed], (tf.uint8, tf.int64)
        )
        shape = (clips.frames, clips.size, clips.size, 3)
        label = tf.ensure_shape(label, ())
        return normalize(tf.ensure_shape(pixels, shape), clips), label

    return training_stream(
        lambda epoch: tf.data.Dataset.range(videos.count),
        videos.count,
        prepare,
        shuffle_buffer=videos.count,
        **options,
    )


def _reader(videos, clips, decoders, broken):
    """A function of an index and a seed to a clip and its label."""

    @tf.autograph.experimental.do_not_convert
    def read(index, seed):
        random = np.random.default_rng([int(s) & (2**63 - 1) for s in seed])
        draws = random.random(3 + decoding.ATTEMPTS)
        if not clips.flip:
            draws[_FLIP_DRAW] = 1.0
        low, high = clips.short_sides
        side = int(random.integers(low, high + 1))
        others = random.integers(videos.count, size=SUBSTITUTES)
        for other in (index, *others):
            path = videos.paths[other]
            if path in broken.skipped:
                continue
            try:
                pixels, given_up = decoders(
                    "random_clip",
                    path,
                    draws=draws.tolist(),
                    frames=clips.frames,
                    stride=clips.stride,
                    short_side=side,
                    size=clips.size,
                )
            except UnreadableVideo as error:
                broken.skip(path, error)
                continue
            for reason in given_up:
                broken.retry(path, reason)
            return pixels, np.int64(videos.labels[other])
        raise RuntimeError(
            f"{SUBSTITUTES + 1} videos in a row cannot be read, such as "
            f"{path} ({broken.skipped[path]})"
        )

    return read


# Sets of TFDS ----------------------------------------------------------------


def _of_frames(clips, pixels_of):
    """A function of an example and a seed to a random clip and its label."""

    def prepare(example, seed):
        count = tf.maximum(tf.shape(example["video"], tf.int64)[0], 1)
        pixels = pixels_of(example, _random_numbers(count, seed, clips))
        label = tf.cast(example["label"], tf.int64)
        return _random_square(pixels, seed, clips), label

    return prepare


def _random_numbers(count, seed, clips):
    """Frame numbers of a random clip; a short video begins again."""
    steps = clips.stride * tf.range(clips.frames, dtype=tf.int64)
    places = tf.maximum(count - steps[-1], 1)
    start = tf.random.stateless_uniform(
        [], apart(seed, _PLACE), 0, places, tf.int64
    )
    return (start + steps) % count


def _good_frames(example, numbers):
    return tf.map_fn(
        lambda frame: tf.io.decode_jpeg(frame, 3),
        tf.gather(example["video"], numbers),
        fn_output_signature=tf.TensorSpec((None, None, 3), tf.uint8),
    )


def _damaged_frames(clips, broken):
    """As `_good_frames`, with neighbours of damaged ones or the mean colour."""
    mean = np.round(255 * np.array(clips.mean)).astype("uint8")

    @tf.autograph.experimental.do_not_convert
    def decoded(frames, numbers, name):
        name = name.decode(errors="replace")
        good = decoded_frames(frames, numbers)
        if good is None:
            broken.skip(name, "no frame decodes")
            return np.broadcast_to(mean, (len(numbers), 1, 1, 3))
        broken.retry(name, "a frame does not decode; its neighbour was taken")
        return good

    def pixels_of(example, numbers):
        given = [example["video"], numbers, example["name"]]
        pixels = tf.numpy_function(decoded, given, tf.uint8)
        return tf.ensure_shape(pixels, (clips.frames, None, None, 3))

    return pixels_of


def _random_square(pixels, seed, clips):
    """Scales, crops and flips all frames alike; computes the square alone."""
    low, high = clips.short_sides
    side = tf.random.stateless_uniform(
        [], apart(seed, _SIDE), low, high + 1, tf.int32
    )
    sides = tf.shape(pixels)[1:3]
    scaled = tf.round(side * sides / tf.reduce_min(sides))
    scaled = tf.cast(scaled, tf.float32)
    draws = tf.random.stateless_uniform([2], apart(seed, _SQUARE))
    corner = tf.floor(draws * (scaled - clips.size + 1.0))
    scale = scaled / tf.cast(sides, tf.float32)
    square = resize_window(pixels, [clips.size] * 2, scale, -corner)
    if clips.flip:
        square = tf.cond(
            tf.random.stateless_uniform([], apart(seed, _FLIP)) < 0.5,
            lambda: tf.reverse(square, [2]),
            lambda: square,
        )
    shape = (clips.frames, clips.size, clips.size, 3)
    return normalize(tf.ensure_shape(square, shape), clips)


# Testing ---------------------------------------------------------------------


def evaluation_clips(
    videos: VideoSet,
    clips: Clips = Clips(),
    *,
    batch_size: int,
    shard: Shard = (0, 1),
    decoders: Decoders | None = None,
    broken: BrokenVideos | None = None,
) -> "tf.data.Dataset":
    """The central clip of every video, its central square, in their order.

    For a quick look in the course of training. The last batch is filled up,
    and a video that cannot be read is a clip of zeros: both have weight 0.

    Args:
        videos, clips, shard, decoders, broken: as in `video_views`.
        batch_size: clips in a batch of this worker.

    Returns:
        `tf.data.Dataset` of float32 clips
        `(batch, frames, resize, resize, 3)`, int64 labels `(batch,)` and
        float32 weights `(batch,)`, 1 or 0.
    """
    arguments.examples("videos", videos)
    arguments.instance("clips", clips, Clips)
    arguments.integer("batch_size", batch_size)
    shard = arguments.shard(shard)
    shape = (clips.frames, clips.resize, clips.resize, 3)
    central = {"most_clips": 1, "crops": 1, "shard": shard}
    central |= {"decoders": decoders, "broken": broken}

    def rows():
        for _, pixels, label in video_views(videos, clips, **central):
            is_good = pixels is not None
            clip = pixels[0] if is_good else np.zeros(shape, "uint8")
            yield clip, label, float(is_good)

    signature = (
        tf.TensorSpec(shape, tf.uint8),
        tf.TensorSpec((), tf.int64),
        tf.TensorSpec((), tf.float32),
    )
    dataset = tf.data.Dataset.from_generator(rows, output_signature=signature)
    batches = evaluation_batches(dataset, videos.count, batch_size, shard)
    return batches.map(
        lambda pixels, *rest: (normalize(pixels, clips), *rest)
    ).prefetch(1)


def video_views(
    videos: VideoSet,
    clips: Clips = Clips(),
    *,
    most_clips: int = 10,
    crops: int = 3,
    shard: Shard = (0, 1),
    decoders: Decoders | None = None,
    broken: BrokenVideos | None = None,
) -> Iterator[tuple[str, Array | None, int]]:
    """Every video once, in its views for testing.

    Args:
        videos: the `VideoSet`.
        clips: the `Clips`; its `resize` is the side of the views.
        most_clips: at most so many, evenly over the video.
        crops: squares of each clip, evenly along its long side.
        shard: `(index, workers)`; worker `index` gets every `workers`-th.
        decoders: the `Decoders`; None makes one a processor.
        broken: a `BrokenVideos`; None makes one for this set.

    Yields:
        The name of the video; its views, uint8
        `(views, frames, resize, resize, 3)`, or None where it cannot be
        read; its label. As many are read ahead as there are decoders.
    """
    arguments.examples("videos", videos)
    arguments.instance("clips", clips, Clips)
    options = view_options(clips, most_clips, crops)
    worker, workers = arguments.shard(shard)
    broken = broken or BrokenVideos.among(videos)
    decoders = decoders or Decoders()
    if videos.paths is None:
        rows = videos.examples(None).shard(workers, worker).as_numpy_iterator()
        rows = (
            (row["name"].decode(errors="replace"), row["label"], row["video"])
            for row in rows
        )
    else:
        rows = zip(videos.paths, videos.labels or (), videos.paths)
        rows = itertools.islice(rows, worker, None, workers)

    def views_of(row):
        name, label, video = row
        try:
            if videos.paths is None:
                views, notes = _views_of_frames(video, **options), []
            else:
                views, notes = decoders("view_clips", video, **options)
        except UnreadableVideo as error:
            views, notes = None, str(error)
        return name, views, notes, int(label)

    for name, views, notes, label in ahead(views_of, rows, decoders.processes):
        if views is None:
            broken.skip(name, notes)
        else:
            for reason in notes:
                broken.retry(name, reason)
        yield name, views, label


def _views_of_frames(encoded, *, clips, crops, frames, stride, size):
    """What `decoding.view_clips` does, of encoded frames."""
    if len(encoded) < LEAST_FRAMES:
        raise UnreadableVideo(f"there are {len(encoded)} frames")
    views = []
    for start in decoding.even_starts(len(encoded), clips, frames, stride):
        numbers = decoding.clip_numbers(len(encoded), start, frames, stride)
        pixels = decoded_frames(encoded, numbers)
        if pixels is None:
            raise UnreadableVideo("no frame decodes")
        sides = np.array(pixels.shape[1:3])
        scaled = np.round(size * sides / sides.min()).astype("float32")
        whole = resize(pixels, scaled.astype(int))
        whole = np.clip(np.round(whole), 0, 255).astype("uint8")
        views += decoding.views_of_clip(whole, crops, size)
    return np.stack(views)


def decoded_frames(frames, numbers):
    """Some of encoded frames, or their neighbours; None if all are damaged."""

    @functools.cache
    def pixels(number):
        try:
            return read_image(frames[number], exif=False)
        except ValueError:
            return None

    found = []
    for wanted in map(int, numbers):
        near = sorted(range(len(frames)), key=lambda n: abs(n - wanted))
        good = next((n for n in near if pixels(n) is not None), None)
        if good is None:
            return None
        found.append(pixels(good))
    return np.stack(found)
