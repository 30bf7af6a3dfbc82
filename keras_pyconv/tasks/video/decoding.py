"""What decoding processes do with a video.

This file and `files.py` run there, and import NumPy, PyAV and Pillow alone. All
that is random comes in from outside, as uniform numbers.
"""

import io

import numpy as np

from keras_pyconv.tasks.video.files import (
    LEAST_FRAMES,
    UnreadableVideo,
    open_video,
    words_of,
)

# Draws of another place in a video where the first does not decode.
ATTEMPTS = 3


def _pixels(frame, short_side):
    """uint8 (height, width, 3), upright, its short side as long as asked."""
    width, height = frame.width, frame.height
    if short_side:
        scale = short_side / min(width, height)
        width, height = (
            max(1, round(side * scale)) for side in (width, height)
        )
    # The bilinear filter of FFmpeg widens when it shrinks: no aliasing.
    frame_rgb = frame.reformat(
        width=width, height=height, format="rgb24", interpolation="BILINEAR"
    )
    turns = round(frame.rotation / 90) % 4
    return np.rot90(frame_rgb.to_ndarray(), turns)


def clip_numbers(count, start, frames, stride):
    """Frame numbers of a clip; a video that is too short begins again."""
    return [(start + i * stride) % count for i in range(frames)]


def starts_of(count, frames, stride):
    """How many different places a clip can begin at."""
    return max(1, count - (frames - 1) * stride)


def _clip(video, start, frames, stride, short_side):
    """Frames as pixels, and None; or None, and the reason."""
    numbers = clip_numbers(video.count, start, frames, stride)
    wanted, found, reason = sorted(set(numbers)), {}, "frames are damaged"
    # Not every file that has times can be entered in the middle.
    for seek in (True, False):
        try:
            for number, frame in video.frames(wanted, seek):
                found[number] = _pixels(frame, short_side)
        except Exception as error:
            reason = words_of(error)
        if wanted[0] in found:
            break
    if len(found) < len(wanted):
        return None, reason
    return [found[number] for number in numbers], None


def _check_count(video):
    if video.count < LEAST_FRAMES:
        raise UnreadableVideo(
            "there are no frames" if not video.count else "there is one frame"
        )


def random_clip(path, draws, frames, stride, short_side, size):
    """A random crop of a random clip, and why earlier places were given up.

    `draws` are uniform numbers in [0, 1): top and left of the crop, flip, and
    as many places in the video as shall be tried.
    """
    top, left, flip, *places = draws
    reasons = []
    with open_video(path) as video:
        _check_count(video)
        starts = starts_of(video.count, frames, stride)
        for place in places:
            start = int(place * starts)
            clip, reason = _clip(video, start, frames, stride, short_side)
            if clip is not None:
                height, width = clip[0].shape[:2]
                y = int(top * (height - size + 1))
                x = int(left * (width - size + 1))
                step = -1 if flip < 0.5 else 1
                square = np.stack(clip)[:, y : y + size, x : x + size]
                return square[:, :, ::step], reasons
            reasons.append(reason)
    raise UnreadableVideo(reasons[-1])


def views_of_clip(clip, crops, size):
    """Crops along the long side, evenly from end to end."""
    height, width = clip[0].shape[:2]
    for number in range(crops):
        part = 0.5 if crops == 1 else number / (crops - 1)
        y, x = round(part * (height - size)), round(part * (width - size))
        yield np.stack([p[y : y + size, x : x + size] for p in clip])


def even_starts(count, clips, frames, stride):
    """Where clips begin that lie evenly over a video; each place once."""
    last = starts_of(count, frames, stride) - 1
    if clips == 1:
        return [last // 2]
    return sorted({round(i * last / (clips - 1)) for i in range(clips)})


def view_clips(path, clips, crops, frames, stride, size):
    """Clips that lie evenly over a video, each in crops along its long side.

    Gives uint8 `(views, frames, size, size, 3)` and why clips are missing.
    """
    views, reasons = [], []
    with open_video(path) as video:
        _check_count(video)
        for start in even_starts(video.count, clips, frames, stride):
            clip, reason = _clip(video, start, frames, stride, size)
            if clip is None:
                reasons.append(reason)
            else:
                views += views_of_clip(clip, crops, size)
    if not views:
        raise UnreadableVideo(reasons[-1])
    return np.stack(views), reasons


def inspect(path):
    """Decodes a whole video; gives None, and what is remarkable."""
    remarks, good, turned = [], 0, False
    with open_video(path) as video:
        _check_count(video)
        try:
            for frame in video.all():
                good += 1
                turned = turned or bool(frame.rotation)
        except Exception as error:
            remarks.append(words_of(error))
        if good < LEAST_FRAMES:
            raise UnreadableVideo(f"{good} of {video.count} frames decode")
        if video.count < video.promised:
            remarks.append(
                f"ends early: {video.count} of {video.promised} frames"
            )
        if good < video.count:
            remarks.append(f"damaged: {good} of {video.count} frames decode")
        if turned:
            remarks.append("is turned by its header")
        if video.varies:
            remarks.append("the rate varies")
    return None, remarks


def jpeg_frames(path, short_side, most):
    """At most so many frames, evenly over a video, as JPEG; and the damage."""
    from PIL import Image

    encoded, reasons = [], []
    with open_video(path) as video:
        _check_count(video)
        count = min(most, video.count)
        numbers = np.linspace(0, video.count - 1, count).round().astype(int)
        try:
            for _, frame in video.frames(numbers.tolist(), seek=False):
                side = min(short_side, frame.width, frame.height)
                pixels, stream = _pixels(frame, side), io.BytesIO()
                image = Image.fromarray(np.ascontiguousarray(pixels))
                # 95 loses hardly more than the camera's noise.
                image.save(stream, "JPEG", quality=95)
                encoded.append(stream.getvalue())
        except Exception as error:
            reasons.append(words_of(error))
    if len(encoded) < LEAST_FRAMES:
        raise UnreadableVideo(f"{len(encoded)} of {count} frames decode")
    if len(encoded) < count:
        reasons.append(f"{count - len(encoded)} of {count} frames are damaged")
    return encoded, reasons


TASKS = {
    function.__name__: function
    for function in (random_clip, view_clips, inspect, jpeg_frames)
}


def decode(task, path, arguments):
    """What one of `TASKS` gives of a file; or None, and the reason as text."""
    try:
        return TASKS[task](path, **arguments)
    except UnreadableVideo as error:
        return None, str(error)
    except ImportError:
        raise
    # A file must never end a run, whatever is wrong with it.
    except Exception as error:
        return None, words_of(error)
