"""What decoding processes do with a video, and the loop in which they do it.

This file and `files.py` are what runs there (`processes.py`): they import
NumPy, PyAV and Pillow, and nothing else of the package.

The fact a reader would get wrong: all that is random comes in from outside,
as uniform numbers, so that a clip follows from them and the file alone.
"""

import io
import os
import pickle
import threading
import time

import numpy as np

from keras_pyconv.tasks.video.files import (
    LEAST_FRAMES,
    UnreadableVideo,
    open_video,
    words_of,
)

_LOOK_SECONDS = 0.5  # between looks for the process that started this one
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


def _decoded(video, numbers, short_side):
    """Pixels by number, and why some are missing: they are damaged."""
    found, reason = {}, "frames are damaged"
    numbers = sorted(set(numbers))
    # Not every file that has times can be entered in the middle.
    for seek in (True, False):
        try:
            for number, frame in video.frames(numbers, seek):
                found[number] = _pixels(frame, short_side)
        except Exception as error:
            reason = words_of(error)
        if numbers[0] in found:
            break
    return found, reason


def clip_numbers(count, start, frames, stride):
    """Frame numbers of a clip; a video that is too short begins again."""
    return [(start + i * stride) % count for i in range(frames)]


def starts_of(count, frames, stride):
    """How many different places a clip can begin at."""
    return max(1, count - (frames - 1) * stride)


def _clip(video, numbers, short_side):
    """(frames, height, width, 3), or the reason why there is none."""
    found, reason = _decoded(video, numbers, short_side)
    if not all(number in found for number in numbers):
        return None, reason
    return [found[number] for number in numbers], None


def _check_count(video):
    if video.count < LEAST_FRAMES:
        raise UnreadableVideo(
            "there are no frames" if not video.count else "there is one frame"
        )


def random_clip(path, draws, frames, stride, short_side, size):
    """A random crop of a random clip.

    Args:
        path: of a video file, or of a folder of frames.
        draws: uniform numbers in [0, 1): crop (top, left), flip, and then as
            many places in the video as shall be tried.
        frames: of the clip.
        stride: frames of the video from one to the next.
        short_side: pixels to which the short side is scaled.
        size: side of the square in pixels.

    Returns:
        uint8 array `(frames, size, size, 3)`, and the reasons why earlier
        places were given up.

    Raises:
        UnreadableVideo: if no place decodes.
    """
    top, left, flip, *places = draws
    reasons = []
    with open_video(path) as video:
        _check_count(video)
        starts = starts_of(video.count, frames, stride)
        for place in places:
            numbers = clip_numbers(
                video.count, int(place * starts), frames, stride
            )
            clip, reason = _clip(video, numbers, short_side)
            if clip is not None:
                clip = [_square(p, top, left, size) for p in clip]
                step = -1 if flip < 0.5 else 1
                return np.stack(clip)[:, :, ::step], reasons
            reasons.append(reason)
    raise UnreadableVideo(reasons[-1])


def _square(pixels, top, left, size):
    height, width = pixels.shape[:2]
    y, x = int(top * (height - size + 1)), int(left * (width - size + 1))
    return pixels[y : y + size, x : x + size]


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

    Args:
        path: of a video file, or of a folder of frames.
        clips: at most so many; short videos have fewer different ones.
        crops: squares of each clip; 1 is the central one.
        frames: of a clip.
        stride: frames of the video from one to the next.
        size: of the short side and of the squares, in pixels.

    Returns:
        uint8 array `(views, frames, size, size, 3)`, and the reasons why
        there are fewer clips than there are places.

    Raises:
        UnreadableVideo: if no clip decodes.
    """
    views, reasons = [], []
    with open_video(path) as video:
        _check_count(video)
        for start in even_starts(video.count, clips, frames, stride):
            numbers = clip_numbers(video.count, start, frames, stride)
            clip, reason = _clip(video, numbers, size)
            if clip is None:
                reasons.append(reason)
            else:
                views += views_of_clip(clip, crops, size)
    if not views:
        raise UnreadableVideo(reasons[-1])
    return np.stack(views), reasons


def inspect(path):
    """Decodes a whole video and says what is remarkable.

    Returns:
        None, and a list of remarks; none for a sound video.

    Raises:
        UnreadableVideo: if it is of no use.
    """
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
    """Every frame as a JPEG file.

    Args:
        path: of a video file, or of a folder of frames.
        short_side: pixels to which larger frames are scaled.
        most: at most so many frames, evenly over the video.

    Returns:
        A list of bytes, and the reasons why frames are missing.

    Raises:
        UnreadableVideo: if fewer than two frames decode.
    """
    encoded, reasons = [], []
    with open_video(path) as video:
        _check_count(video)
        count = min(most, video.count)
        numbers = np.linspace(0, video.count - 1, count).round().astype(int)
        try:
            for _, frame in video.frames(numbers.tolist(), seek=False):
                encoded.append(_jpeg(frame, short_side))
        except Exception as error:
            reasons.append(words_of(error))
    if len(encoded) < LEAST_FRAMES:
        raise UnreadableVideo(f"{len(encoded)} of {count} frames decode")
    if len(encoded) < count:
        reasons.append(f"{count - len(encoded)} of {count} frames are damaged")
    return encoded, reasons


def _jpeg(frame, short_side):
    from PIL import Image

    side = min(short_side, frame.width, frame.height)
    stream = io.BytesIO()
    pixels = np.ascontiguousarray(_pixels(frame, side))
    # 95 loses hardly more than the camera's noise.
    Image.fromarray(pixels).save(stream, "JPEG", quality=95)
    return stream.getvalue()


TASKS = {
    function.__name__: function
    for function in (random_clip, view_clips, inspect, jpeg_frames)
}


def end_with(parent):
    """Ends this process when another one that started it is gone.

    The end of its requests says so too, but not while a file is decoded.

    Args:
        parent: its number.
    """

    def watch():
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def serve(requests, answers):
    """Answers (task, path, arguments) until the requests end.

    An answer is (array or None, notes), or (None, reason) as a string.
    """
    while True:
        try:
            task, path, arguments = pickle.load(requests)
        except EOFError:
            return
        try:
            answer = TASKS[task](path, **arguments)
        except UnreadableVideo as error:
            answer = (None, str(error))
        except ImportError:
            raise
        # A file must never end a run, whatever is wrong with it.
        except Exception as error:
            answer = (None, words_of(error))
        pickle.dump(answer, answers, protocol=5)
        answers.flush()
