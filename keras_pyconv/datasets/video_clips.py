"""Clips to train on, from files and from sets of TFDS.

Files are decoded in other processes (`tasks.video.processes`), only the
frames of a clip and those since the key frame before it; of a set of TFDS,
which stores frames as JPEG, only those of a clip. Both draw the same things:
a place in the video, a short side, a square, a flip, once for all frames.

The preprocessing of tf-models-official does the latter too. It is not used:
it asks for one exact TensorFlow, and what is needed of it are a few lines.

The fact a reader would get wrong: a video that cannot be read is replaced by
another one, drawn by the same seed, and its label goes with it.
"""

import numpy as np
import tensorflow as tf

from keras_pyconv import arguments
from keras_pyconv.datasets.broken import BrokenVideos
from keras_pyconv.datasets.stream import training_stream
from keras_pyconv.datasets.video_evaluation import decoded_frames
from keras_pyconv.tasks.video.clips import Clips, normalized
from keras_pyconv.tasks.video.decoding import ATTEMPTS
from keras_pyconv.tasks.video.files import UnreadableVideo
from keras_pyconv.tasks.video.processes import Decoders

# Other videos that are tried where one cannot be read.
SUBSTITUTES = 20
# Seeds of one clip are drawn apart by what they are for.
_PLACE, _SIDE, _SQUARE, _FLIP = range(4)
_FLIP_DRAW = 2  # of the numbers that `decoding.random_clip` takes


def training_clips(
    videos,
    clips=Clips(),
    *,
    batch_size,
    seed,
    decoders=None,
    broken=None,
    shuffle_buffer=256,
    shard=(0, 1),
):
    """Batches to train on, which can begin at any step.

    Args:
        videos: the `VideoSet`.
        clips: the `Clips`.
        batch_size: clips in a batch of all workers together.
        seed: see `training_stream`, as of `shard`.
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
    options = {
        "batch_size": batch_size,
        "seed": seed,
        "shard": shard,
        "digest": videos.digest,
    }
    if videos.paths is None:
        return training_stream(
            videos.examples,
            videos.count,
            lambda example, seed: _of_frames(example, seed, clips),
            shuffle_buffer=shuffle_buffer,
            substitute=lambda example, seed: _of_damaged_frames(
                example, seed, clips, broken
            ),
            **options,
        )
    read = _reader(videos, clips, decoders or Decoders(), broken)

    def prepare(index, seed):
        pixels, label = tf.numpy_function(
            read, [index, seed], (tf.uint8, tf.int64)
        )
        shape = (clips.frames, clips.size, clips.size, 3)
        label = tf.ensure_shape(label, ())
        return normalized(tf.ensure_shape(pixels, shape), clips), label

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
        draws = random.random(3 + ATTEMPTS)
        if not clips.flip:
            draws[_FLIP_DRAW] = 1.0
        low, high = clips.short_sides
        side = int(random.integers(low, high + 1))
        for other in [index, *random.integers(videos.count, size=SUBSTITUTES)]:
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


def _apart(seed, use):
    return tf.random.experimental.stateless_fold_in(seed, use)


def _random_numbers(count, seed, clips):
    """Frame numbers of a random clip; a short video begins again."""
    steps = clips.stride * tf.range(clips.frames, dtype=tf.int64)
    places = tf.maximum(count - steps[-1], 1)
    start = tf.random.stateless_uniform(
        [], _apart(seed, _PLACE), 0, places, tf.int64
    )
    return (start + steps) % count


def _of_frames(example, seed, clips):
    """A random clip of encoded frames, and its label."""
    frames = example["video"]
    count = tf.shape(frames, tf.int64)[0]
    encoded = tf.gather(frames, _random_numbers(count, seed, clips))
    pixels = tf.map_fn(
        lambda frame: tf.io.decode_jpeg(frame, 3),
        encoded,
        fn_output_signature=tf.TensorSpec((None, None, 3), tf.uint8),
    )
    return _random_square(pixels, seed, clips), _label(example)


def _label(example):
    return tf.cast(example["label"], tf.int64)


def _random_square(pixels, seed, clips):
    """Scales, crops and flips all frames alike; computes the square alone."""
    low, high = clips.short_sides
    side = tf.random.stateless_uniform(
        [], _apart(seed, _SIDE), low, high + 1, tf.int32
    )
    sides = tf.shape(pixels)[1:3]
    shortest = tf.reduce_min(sides)
    scaled = tf.cast(tf.round(side * sides / shortest), tf.float32)
    draws = tf.random.stateless_uniform([2], _apart(seed, _SQUARE))
    corner = tf.floor(draws * (scaled - clips.size + 1.0))
    square = _scaled_square(pixels, scaled, corner, clips.size)
    if clips.flip:
        flip = tf.random.stateless_uniform([], _apart(seed, _FLIP)) < 0.5
        square = tf.where(flip, square[:, :, ::-1], square)
    shape = (clips.frames, clips.size, clips.size, 3)
    return normalized(tf.ensure_shape(square, shape), clips)


def _scaled_square(pixels, scaled, corner, size):
    """The square at `corner` of frames as large as `scaled`, float32."""
    return tf.raw_ops.ScaleAndTranslate(
        images=pixels,
        size=(size, size),
        scale=scaled / tf.cast(tf.shape(pixels)[1:3], tf.float32),
        translation=-corner,
        kernel_type="triangle",
        antialias=True,
    )


def _of_damaged_frames(example, seed, clips, broken):
    """The same where a frame does not decode: its neighbour stands for it.

    Where none does, the clip is of the mean colour, and the video is named.
    """
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

    frames = example["video"]
    count = tf.shape(frames, tf.int64)[0]
    numbers = _random_numbers(tf.maximum(count, 1), seed, clips)
    pixels = tf.numpy_function(
        decoded, [frames, numbers, example["name"]], tf.uint8
    )
    pixels = tf.ensure_shape(pixels, (clips.frames, None, None, 3))
    return _random_square(pixels, seed, clips), _label(example)
