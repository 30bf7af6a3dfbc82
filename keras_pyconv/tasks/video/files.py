"""A video file, or a folder of images, as a sequence of frames.

Frames are counted in the file's packets, without decoding: what a header says
is wrong for files that break off, and Matroska's has only a duration.
"""

import os
import re

import numpy as np

from keras_pyconv.lazy import needed
from keras_pyconv.listing import IMAGES, Listing

# Fewest frames that are a video; one is a picture.
LEAST_FRAMES = 2
# Containers with a duration in the header and no number of frames; of others
# FFmpeg may have guessed the duration, from what is left of the file.
TIMED = ("matroska,webm", "flv", "asf")
# What a sound file may lack of its duration: a part of it, and two frames.
SLACK, SLACK_FRAMES = 0.03, 2


class UnreadableVideo(ValueError):
    """The file holds no clip; the message is the reason."""


def require_av():
    """PyAV, or an error that says how to install it."""
    av = needed("av", "Reading videos", "PyAV", "av")
    # What codecs print about broken files would flood the screen.
    av.logging.set_level(av.logging.PANIC)
    return av


def _natural(name):
    """Sorts frame9 before frame10."""
    parts = re.split(r"(\d+)", name)
    return [int(part) if part.isdigit() else part for part in parts]


class FrameFolder:
    """Frames that lie in a folder, one picture each, in natural order."""

    rotation, varies = 0, False

    def __init__(self, path):
        found = Listing(path, IMAGES).directly()
        self._paths = sorted(found, key=_natural)
        self.count = self.promised = len(self._paths)
        if not self._paths:
            raise UnreadableVideo("the folder holds no images")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def frames(self, numbers, seek=True):
        """Yields (number, frame) for increasing numbers."""
        av = require_av()
        for number in numbers:
            with av.open(self._paths[number]) as container:
                yield number, next(container.decode(video=0))

    def all(self):
        """Yields every frame."""
        return (frame for _, frame in self.frames(range(self.count)))


class VideoFile:
    """The first video stream of a file.

    Attributes:
        count: frames, as packets that are there.
        promised: frames by the header, or by its duration if the file does not
            reach it; 0 where it says nothing.
        varies: whether the time from frame to frame varies.
    """

    def __init__(self, path):
        av = require_av()
        self._container = av.open(path, metadata_errors="ignore")
        try:
            self._open(av)
        except BaseException:
            self._container.close()
            raise

    def _open(self, av):
        if not len(self._container.streams):
            raise UnreadableVideo("nothing is found in it")
        if not self._container.streams.video:
            raise UnreadableVideo("there is no video in it, only sound")
        self._stream = self._container.streams.video[0]
        # Other processes decode other files: one thread each.
        self._stream.codec_context.thread_count = 1
        # Else damage is painted over with what looks like a frame.
        self._stream.codec_context.options = {"err_detect": "explode"}
        self._times = []
        try:
            for packet in self._container.demux(self._stream):
                if packet.size:
                    self._times.append(packet.pts)
        except av.FFmpegError:
            # The file breaks off here; what came before is good.
            pass
        self.count = len(self._times)
        # AVI has no times to show a frame at, and damaged files lose some.
        known = [t for t in self._times if t is not None]
        self._seekable = len(set(known)) == self.count
        if self._seekable:
            self._times.sort()
        self.promised = self._stream.frames or self._timed_frames(known)
        steps = np.diff(sorted(known))
        self.varies = bool(len(steps) and steps.max() > 1.5 * steps.min())

    def _timed_frames(self, times):
        """Frames by the header's duration; 0 if none is missing or known."""
        rate = self._stream.average_rate
        if self._container.format.name not in TIMED or not times or not rate:
            return 0
        duration = _seconds(self._stream.metadata.get("DURATION"))
        if duration is None:
            # That of the whole file, sound included, in millionths.
            duration = (self._container.duration or 0) / 1e6
        # Compared in time, which holds where the rate varies.
        end = float(max(times) * self._stream.time_base)
        missing = round((duration - end) * rate) - 1
        slack = SLACK_FRAMES + SLACK * duration * rate
        return self.count + missing if missing > slack else 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._container.close()

    def frames(self, numbers, seek=True):
        """Yields (number, frame) for increasing numbers that decode.

        Begins at the last key frame before the first of them, or at the file's
        beginning with `seek=False`.
        """
        numbers = list(numbers)
        keys = self._times if self._seekable else range(self.count)
        wanted = {keys[number]: number for number in numbers}
        if self._seekable and seek:
            self._container.seek(keys[numbers[0]], stream=self._stream)
        else:
            self._container.seek(0)
        last = max(wanted)
        for place, frame in enumerate(self._sound_frames()):
            key = frame.pts if self._seekable else place
            if key in wanted:
                yield wanted[key], frame
            if key is not None and key >= last:
                break

    def all(self):
        """Yields every frame that decodes, from the file's beginning."""
        self._container.seek(0)
        yield from self._sound_frames()

    def _sound_frames(self):
        """Decodes on; after damage, which FFmpeg fills in, from a key frame."""
        sound = True
        for packet in self._container.demux(self._stream):
            try:
                frames = packet.decode()
            except require_av().FFmpegError:
                frames, sound = [], False
            for frame in frames:
                sound = (sound or frame.key_frame) and not frame.is_corrupt
                if sound:
                    yield frame


def _seconds(tag):
    """A tag such as 00:01:30.25 in seconds; None where there is none."""
    parts = (tag or "").split(":")
    try:
        hours, minutes, seconds = map(float, parts)
    except ValueError:
        return None
    return 3600 * hours + 60 * minutes + seconds


def open_video(path):
    """A `VideoFile`, or a `FrameFolder` where `path` is a folder."""
    if os.path.isdir(path):
        return FrameFolder(path)
    if not os.path.exists(path):
        raise UnreadableVideo("there is no such file")
    if not os.path.isfile(path):
        raise UnreadableVideo("it is a device or a pipe, not a file")
    if not os.path.getsize(path):
        raise UnreadableVideo("the file is empty (0 bytes)")
    try:
        return VideoFile(path)
    except (UnreadableVideo, ImportError):
        raise
    # FFmpeg has an error of its own for every kind of damage.
    except Exception as error:
        raise UnreadableVideo(words_of(error)) from error


def words_of(error):
    """The kind of an error and its first line."""
    text = getattr(error, "strerror", None) or str(error)
    return f"{type(error).__name__}: {text.splitlines()[0] if text else ''}"
