"""One reader: every kind of image is the same at every entrance."""

import io
import os

import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.tasks import image as reader
from keras_pyconv.tasks.image import (
    UnreadableImage,
    decode_image,
    image_sides,
    read_image,
)
from keras_pyconv.tasks.orientation import exif_orientation
from tests.datasets import scenes

Image = pytest.importorskip("PIL.Image", reason="Pillow writes the files")
PIXELS = np.random.default_rng(5).integers(0, 256, (20, 30, 3), "uint8")
RAMP = np.arange(2**16, dtype="uint16").reshape(256, 256)


def file_of(pixels, kind, mode=None, **options):
    image = pixels
    if not isinstance(pixels, Image.Image):
        image = Image.fromarray(pixels)
    stream = io.BytesIO()
    (image.convert(mode) if mode else image).save(stream, kind, **options)
    return stream.getvalue()


def entrances(encoded, folder):
    """The image through every way in, by name."""
    path = folder / "image"
    path.write_bytes(encoded)
    with Image.open(path) as opened:
        of_pillow = read_image(opened)
    return {
        "path": read_image(path),
        "text": read_image(str(path)),
        "bytes": read_image(encoded),
        "Pillow": of_pillow,
        "array": read_image(read_image(path)),
    }


LOSSLESS = {
    "png": ("PNG", None),
    "png of a palette": ("PNG", "P"),
    "png with alpha": ("PNG", "RGBA"),
    "gray png with alpha": ("PNG", "LA"),
    "png of one bit": ("PNG", "1"),
    "gif": ("GIF", "P"),
    "bmp": ("BMP", None),
    "bmp of a palette": ("BMP", "P"),
    "tiff": ("TIFF", None),
    "tiff of CMYK": ("TIFF", "CMYK"),
    "webp": ("WEBP", None),
    "ppm": ("PPM", None),
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_every_kind_is_the_same_at_every_entrance(kind, tmp_path):
    name, mode = LOSSLESS[kind]
    options = {"lossless": True} if name == "WEBP" else {}
    encoded = file_of(PIXELS, name, mode, **options)
    wanted = np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB"))
    for entrance, found in entrances(encoded, tmp_path).items():
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, wanted, err_msg=entrance)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_is_the_same_at_every_entrance(mode, tmp_path):
    encoded = file_of(PIXELS, "JPEG", mode, quality=90)
    found = entrances(encoded, tmp_path)
    graph = tf.function(decode_image)(tf.constant(encoded))
    np.testing.assert_array_equal(found["path"], graph)
    for entrance, pixels in found.items():
        # Decoders round colours of ink each in their way.
        most = 8 if mode == "CMYK" else 0
        difference = np.abs(pixels.astype(int) - found["path"]).max()
        assert difference <= most, entrance


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_scaled_and_never_clipped(kind, tmp_path):
    for found in entrances(file_of(RAMP, kind), tmp_path).values():
        np.testing.assert_array_equal(found[..., 0], RAMP >> 8)
        assert found.mean() == 127.5


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_turned_image_is_turned_at_every_entrance(
    kind, orientation, tmp_path
):
    options = {"lossless": True} if kind == "WEBP" else {}
    path = tmp_path / f"turned.{kind.lower()}"
    scenes.save_turned(path, PIXELS, orientation, **options)
    for entrance, found in entrances(path.read_bytes(), tmp_path).items():
        np.testing.assert_array_equal(found, PIXELS, err_msg=entrance)
    stored = np.asarray(scenes.stored(PIXELS, orientation))
    for source in (
        path,
        path.read_bytes(),
        Image.open(io.BytesIO(path.read_bytes())),
    ):
        as_stored = read_image(source, exif=False)
        np.testing.assert_array_equal(as_stored, stored)


def exif_of(orientation, order="<", more=0):
    exif = Image.Exif()
    exif.endian = order
    exif[0x0112] = orientation
    for tag in range(0x010E, 0x010E + more):
        exif[tag] = "x" * 40
    return exif


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("more", [0, 2])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_graph_finds_the_orientation_of_a_jpeg(orientation, more, order):
    exif = exif_of(orientation, order, more)
    encoded = file_of(PIXELS, "JPEG", exif=exif, icc_profile=b"i" * 3000)
    assert exif_orientation(tf.constant(encoded)) == orientation


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_is_none_turns_nothing(value):
    encoded = file_of(PIXELS, "JPEG", exif=exif_of(value))
    assert exif_orientation(encoded) == 1
    assert exif_orientation(file_of(PIXELS, "JPEG")) == 1
    assert exif_orientation(b"") == 1


def test_damaged_exif_turns_nothing_and_spoils_nothing():
    good = file_of(PIXELS, "JPEG", exif=exif_of(6, more=2))
    begin = good.index(b"Exif") + 6
    random = np.random.default_rng(1)
    found = tf.function(exif_orientation)
    for place in range(begin, begin + 40):
        damaged = bytearray(good)
        damaged[place] = random.integers(256)
        assert 1 <= found(tf.constant(bytes(damaged))) <= 8
        assert 1 <= found(tf.constant(bytes(damaged[:place]))) <= 8


def test_of_an_animation_there_is_the_first_frame(tmp_path):
    first = Image.fromarray(PIXELS).convert("P")
    more = {"save_all": True, "append_images": [first.transpose(0)]}
    for kind in ("GIF", "WEBP", "PNG"):
        lossless = {"lossless": True} if kind == "WEBP" else {}
        encoded = file_of(first, kind, **more, **lossless)
        for found in entrances(encoded, tmp_path).values():
            np.testing.assert_array_equal(found, first.convert("RGB"))


def kinds_of_damage():
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"):
        encoded = file_of(PIXELS, kind)
        for length in (4, 8, 12, 15, len(encoded) // 2):
            yield pytest.param(encoded[:length], id=f"{kind}, {length} bytes")
    yield pytest.param(b"words", id="words")
    yield pytest.param(b"\xff\xfe\x00", id="three bytes")
    yield pytest.param(b"", id="nothing")


@pytest.mark.parametrize("encoded", list(kinds_of_damage()))
def test_damage_is_refused_alike_in_one_line_that_names_the_file(
    encoded, tmp_path
):
    path = tmp_path / "damaged.png"
    path.write_bytes(encoded)
    for source in (path, encoded):
        with pytest.raises(ValueError) as caught:
            read_image(source)
        said = str(caught.value)
        assert "cannot be read as an image: " in said and "\n" not in said
        assert ("damaged.png" in said) == (source is path)
        assert len(said) < 400
    with pytest.raises((tf.errors.OpError, UnicodeDecodeError)):
        decode_image(encoded)


def test_a_flipped_byte_of_a_png_is_refused_at_every_entrance_or_at_none(
    tmp_path,
):
    good = file_of(PIXELS, "PNG")
    random = np.random.default_rng(2)
    refused = 0
    for place in random.integers(8, len(good), 60):
        flipped = bytearray(good)
        flipped[place] ^= 1 << random.integers(8)
        path = tmp_path / "flipped.png"
        path.write_bytes(flipped)
        answers = []
        for source in (path, bytes(flipped)):
            try:
                answers.append(read_image(source).tolist())
            except ValueError:
                answers.append(None)
        try:
            answers.append(decode_image(bytes(flipped)).numpy().tolist())
        except (tf.errors.OpError, UnicodeDecodeError):
            answers.append(None)
        assert answers[0] == answers[1] == answers[2]
        refused += answers[0] is None
    assert refused > 50


def bomb(kind):
    """A small file that claims 20,000 x 20,000 pixels."""
    if kind == "WEBP":
        encoded = bytearray(file_of(PIXELS, "WEBP", lossless=True))
        place = encoded.index(b"VP8L") + 9
        sides = (16383 | 16383 << 14) | encoded[place + 3] >> 4 << 28
        encoded[place : place + 4] = sides.to_bytes(4, "little")
        return bytes(encoded)
    encoded = bytearray(file_of(PIXELS, kind))
    place, part, order = {
        "PNG": (16, 4, "big"),
        "GIF": (6, 2, "little"),
        "BMP": (18, 4, "little"),
    }[kind]
    encoded[place : place + 2 * part] = (20_000).to_bytes(part, order) * 2
    return bytes(encoded)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "WEBP"])
def test_too_many_pixels_are_refused_before_they_are_decoded(kind):
    with pytest.raises(ValueError, match="too many pixels"):
        read_image(bomb(kind))
    if kind != "WEBP":
        with pytest.raises(tf.errors.OpError, match="too many pixels"):
            decode_image(bomb(kind))


def test_the_limit_holds_for_every_entrance(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "MOST_PIXELS", 600)
    encoded = file_of(PIXELS, "JPEG")
    assert len(entrances(encoded, tmp_path)) == 5
    monkeypatch.setattr(reader, "MOST_PIXELS", 599)
    path = tmp_path / "image"
    for source in (path, encoded, Image.fromarray(PIXELS), PIXELS):
        with pytest.raises(ValueError, match="20 x 30 are too many pixels"):
            read_image(source)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP"])
def test_the_sides_are_read_from_the_header(kind):
    encoded = file_of(PIXELS, kind)
    assert image_sides(encoded).numpy().tolist() == [20, 30]


def test_pipes_folders_and_what_is_not_there_are_no_images(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreadableImage, match="a device or a pipe"):
        read_image(tmp_path / "pipe")
    with pytest.raises(UnreadableImage, match="is a folder"):
        read_image(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere.jpg"):
        read_image(tmp_path / "nowhere.jpg")


@pytest.mark.parametrize(
    "array",
    [
        PIXELS,
        PIXELS.astype("float32"),
        PIXELS.astype("int64"),
        PIXELS.astype("uint16"),
        tf.constant(PIXELS),
        np.dstack([PIXELS, PIXELS[..., :1]]),
    ],
    ids=["uint8", "float32", "int64", "uint16", "tensor", "alpha"],
)
def test_arrays_of_any_type_are_the_same_pixels(array):
    np.testing.assert_array_equal(read_image(array), PIXELS)


def test_gray_is_one_channel_or_three():
    gray = PIXELS[..., 0]
    for source in (gray, gray[..., None], Image.fromarray(gray)):
        assert (read_image(source) == gray[..., None]).all()
        assert read_image(source, channels=1).shape == (20, 30, 1)
    luma = read_image(PIXELS, channels=1)
    decoded = read_image(file_of(PIXELS, "PNG"), channels=1)
    assert np.abs(luma.astype(int) - decoded).max() <= 1


@pytest.mark.parametrize(
    "source, said",
    [
        (PIXELS / 255, "from 0.0 to 1.0"),
        (PIXELS - 300.0, "float64 from -300.0"),
        (PIXELS * np.nan, "from nan to nan"),
        (RAMP[..., None], "uint16 from 0 to 65535"),
        (PIXELS > 3, "3., bool"),
        (np.zeros((4, 4, 7)), r"Received: .* of shape \(4, 4, 7\)"),
        (np.zeros((0, 4, 3)), r"Received: .* of shape \(0, 4, 3\)"),
        (np.full((4, 4), "a"), r"an array .* of shape \(4, 4\), str"),
        (None, "Received: image=None"),
        (7, "Received: image=7"),
    ],
    ids=str,
)
def test_values_that_are_no_pixels_are_refused(source, said):
    with pytest.raises((TypeError, ValueError), match=said):
        read_image(source)
