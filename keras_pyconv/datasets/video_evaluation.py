"""Views of every video to test with, from files and from sets of TFDS.

At most ten clips that lie evenly over a video, in three squares each
(supplement, section 2), or the central one alone for a quick look.

The fact a reader would get wrong: a video that cannot be read is not left
out in silence: it comes without views, or with weight 0, so that the number
of those that are counted says so.
"""

import numpy as np
import tensorflow as tf

from keras_pyconv import arguments
from keras_pyconv.datasets.ahead import ahead
from keras_pyconv.datasets.broken import BrokenVideos
from keras_pyconv.tasks.image import read_image
from keras_pyconv.tasks.video.clips import Clips, check_views, normalized
from keras_pyconv.tasks.video.decoding import (
    clip_numbers,
    even_starts,
    views_of_clip,
)
from keras_pyconv.tasks.video.files import LEAST_FRAMES, UnreadableVideo
from keras_pyconv.tasks.video.processes import Decoders


def evaluation_clips(
    videos,
    clips=Clips(),
    *,
    batch_size,
    shard=(0, 1),
    decoders=None,
    broken=None,
):
    """The central clip of every video, its central square, in their order.

    For a quick look in the course of training, through
    `keras_pyconv.training.validation_data`. The last batch is filled up, and a
    video that cannot be read is a clip of zeros: both have weight 0.

    Args:
        videos: the `VideoSet`.
        clips: the `Clips`.
        batch_size: clips in a batch of this worker.
        shard: `(index, workers)`; worker `index` gets every `workers`-th.
        decoders: the `Decoders`; None makes one a processor.
        broken: a `BrokenVideos`; None makes one for this set.

    Returns:
        `tf.data.Dataset` of float32 clips
        `(batch, frames, resize, resize, 3)`, int64 labels `(batch,)` and
        float32 weights `(batch,)`, 1 or 0.
    """
    arguments.examples("videos", videos)
    arguments.instance("clips", clips, Clips)
    arguments.integer("batch_size", batch_size)
    worker, workers = arguments.shard(shard)
    own = -(-videos.count // workers)
    filled = -(-own // batch_size) * batch_size
    shape = (clips.frames, clips.resize, clips.resize, 3)

    def rows():
        views = video_views(
            videos,
            clips,
            most_clips=1,
            crops=1,
            shard=shard,
            decoders=decoders,
            broken=broken,
        )
        number = 0
        for number, (_, pixels, label) in enumerate(views, 1):
            good = pixels is not None
            image = pixels[0] if good else np.zeros(shape, "uint8")
            yield image, label, float(good)
        for _ in range(filled - number):
            yield np.zeros(shape, "uint8"), 0, 0.0

    signature = (
        tf.TensorSpec(shape, tf.uint8),
        tf.TensorSpec((), tf.int64),
        tf.TensorSpec((), tf.float32),
    )
    dataset = tf.data.Dataset.from_generator(rows, output_signature=signature)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(filled))
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    dataset = dataset.map(
        lambda pixels, *rest: (normalized(pixels, clips), *rest)
    )
    dataset = dataset.batch(batch_size, drop_remainder=True)
    return dataset.with_options(options).prefetch(1)


def video_views(
    videos,
    clips=Clips(),
    *,
    most_clips=10,
    crops=3,
    shard=(0, 1),
    decoders=None,
    broken=None,
):
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
    check_views(most_clips, crops)
    worker, workers = arguments.shard(shard)
    broken = broken or BrokenVideos.among(videos)
    decoders = decoders or Decoders()
    options = {
        "clips": most_clips,
        "crops": crops,
        "frames": clips.frames,
        "stride": clips.stride,
        "size": clips.resize,
    }

    def of_path(row):
        path, label = row
        return path, *decoders("view_clips", path, **options), label

    def of_frames(row):
        name = row["name"].decode(errors="replace")
        views, reasons = _views_of_frames(row["video"], **options)
        return name, views, reasons, int(row["label"])

    if videos.paths is None:
        rows = videos.examples(None).shard(workers, worker).as_numpy_iterator()
        function = of_frames
    else:
        rows = list(zip(videos.paths, videos.labels))[worker::workers]
        function = of_path

    def guarded(row):
        try:
            return function(row)
        except UnreadableVideo as error:
            name, label = row if videos.paths else (row["name"], row["label"])
            return str(name), None, str(error), int(label)

    for name, views, notes, label in ahead(guarded, rows, decoders.processes):
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
    for start in even_starts(len(encoded), clips, frames, stride):
        numbers = clip_numbers(len(encoded), start, frames, stride)
        pixels = decoded_frames(encoded, numbers)
        if pixels is None:
            raise UnreadableVideo("no frame decodes")
        sides = np.array(pixels.shape[1:3])
        scaled = np.round(size * sides / sides.min()).astype("float32")
        whole = tf.image.resize(pixels, scaled.astype(int), antialias=True)
        whole = np.clip(np.round(whole), 0, 255).astype("uint8")
        views += views_of_clip(whole, crops, size)
    return np.stack(views), []


def decoded_frames(frames, numbers):
    """Pixels of encoded frames; of a damaged one its nearest neighbour's.

    Args:
        frames: sequence of bytes.
        numbers: which of them.

    Returns:
        uint8 array `(numbers, height, width, 3)`; None where nothing decodes.
    """
    known = {}

    def pixels(number):
        if number not in known:
            try:
                known[number] = read_image(frames[number], exif=False)
            except ValueError:
                known[number] = None
        return known[number]

    found = []
    for wanted in map(int, numbers):
        near = sorted(range(len(frames)), key=lambda n: abs(n - wanted))
        good = next((n for n in near if pixels(n) is not None), None)
        if good is None:
            return None
        found.append(known[good])
    return np.stack(found)
