"""Small real video files, sound and broken, whose frames tell their number."""

from fractions import Fraction

import numpy as np

STEP = 5  # of brightness from one frame to the next


def pixels(number, height=48, width=64):
    """Frame `number`: evenly gray, with a bright left upper corner."""
    frame = np.full((height, width, 3), 20 + STEP * number, "uint8")
    frame[: height // 4, : width // 4] = (250, 40, 40)
    return frame


def number_of(frame):
    """Which frame it is, by its brightness in the middle."""
    height, width = frame.shape[:2]
    middle = frame[height // 2 - 4 : height // 2 + 4, width // 2 - 4 :][:, :8]
    return round((float(middle.mean()) - 20) / STEP)


def codec():
    import av

    known = av.codecs_available
    return next(c for c in ("libx264", "h264", "mpeg4") if c in known)


def film(path, frames=40, size=(48, 64), rotation=0, times=None, name=None):
    """Writes a video file, by its ending, with a key frame every ten.

    Args:
        path: of the file.
        frames: how many.
        size: height and width in pixels.
        rotation: degrees, a multiple of 90, noted in the header.
        times: in 25ths of a second; None for a constant rate.
        name: of the codec.
    """
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(name or codec(), rate=25)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 2_000_000
        stream.codec_context.time_base = Fraction(1, 25)
        stream.codec_context.gop_size = 10
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(pixels(number, *size))
            frame.pts = times[number] if times else number
            frame.time_base = Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def sound(path):
    """A file of half a second of silence and no picture."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        stream.layout = "mono"
        for _ in range(8):
            frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
            frame.sample_rate = 16000
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def cut(path, source, share):
    """The first part of a file."""
    data = source.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    return path


def scratched(path, source):
    """A file whose second half has noise in the place of its data."""
    data = bytearray(source.read_bytes())
    half = len(data) // 2
    noise = np.random.default_rng(0).integers(0, 256, len(data) // 3)
    data[half : half + len(noise)] = bytes(noise.astype("uint8"))
    path.write_bytes(bytes(data))
    return path
