"""What the drawings of all tasks share: large images, labels, bars, a legend.

Pillow is imported where it draws.
"""

import numpy as np

GAP = 8  # pixels between parts of a drawing
_LEAST = 320  # pixels of an image's long side; a smaller one is enlarged
_TEXT = 15  # pixels of text beside an image
_ROW = 22  # pixels of a row of it
_BAR = 160  # pixels of the longest bar
_NARROWEST = 480  # pixels of a drawing with text


def enlarged(pixels):
    """An image for Pillow, and the whole number of times it was enlarged."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels))
    times = max(1, -(-_LEAST // max(image.size)))
    size = [times * side for side in image.size]
    return image.resize(size, Image.Resampling.BICUBIC), times


def font(size=_TEXT):
    """Pillow's own font, of so many pixels."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def label(drawing, corner, text, colour):
    """Text on a ground of a colour, above a corner or where there is room."""
    from PIL import ImageDraw

    pen = ImageDraw.Draw(drawing)
    size = max(13, round(min(drawing.size) / 28))
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font(size))
    margin = size // 5
    width, height = right - left + 2 * margin, bottom - top + 2 * margin
    x = max(0, min(corner[0], drawing.width - width))
    y = corner[1] - height
    y = corner[1] if y < 0 else y
    pen.rectangle((x, y, x + width, y + height), fill=colour)
    # ITU-R BT.601: dark text on what is bright.
    is_bright = np.dot(colour, (0.299, 0.587, 0.114)) > 128
    place = x + margin - left, y + margin - top
    ink = "black" if is_bright else "white"
    pen.text(place, text, fill=ink, font=font(size))


def _below(image, rows, above=0):
    """A white drawing with an image, how large its text is, and a pen."""
    from PIL import Image, ImageDraw

    times = max(1, round(min(image.size) / 480))
    step, gap = times * _ROW, times * GAP
    width = max(image.width, times * _NARROWEST) + 2 * gap
    height = image.height + 2 * gap + step * (rows + above)
    drawing = Image.new("RGB", (width, height), "white")
    drawing.paste(image, (gap, gap + step * above))
    return drawing, times, ImageDraw.Draw(drawing)


def with_bars(image, rows, title=""):
    """An image with bars under it, and a title above.

    `rows` are pairs of a text and a share between 0 and 1.
    """
    drawing, times, pen = _below(image, len(rows), bool(title))
    step, gap, of_size = times * _ROW, times * GAP, font(times * _TEXT)
    longest = times * _BAR
    pen.text((gap, gap // 2), title, fill="black", font=of_size)
    for place, (text, share) in enumerate(rows):
        y = drawing.height - step * (len(rows) - place) - gap // 2
        colour = "#b0b8b4" if place else "#2f6f4f"
        bar = (gap, y + 2, gap + round(share * longest), y + times * 16)
        pen.rectangle(bar, fill=colour)
        pen.text((longest + 2 * gap, y), text, fill="black", font=of_size)
    return drawing


def with_legend(image, rows):
    """An image with a legend under it; `rows` are pairs of text and colour."""
    _, times, pen = _below(image, 0)
    of_size = font(times * _TEXT)
    widths = [pen.textlength(text, font=of_size) for text, _ in rows]
    step, gap = times * _ROW, times * GAP
    column = int(max(widths)) + step + 2 * gap
    columns = max(1, max(image.width, times * _NARROWEST) // column)
    drawing, _, pen = _below(image, -(-len(rows) // columns))
    for number, (text, colour) in enumerate(rows):
        line, place = divmod(number, columns)
        x, y = gap + place * column, image.height + 2 * gap + line * step
        square = (x, y + 1, x + times * 16, y + times * 17)
        pen.rectangle(square, colour, "black")
        pen.text((x + step, y), text, fill="black", font=of_size)
    return drawing


def strip(frames, side):
    """Frames side by side, as squares with gaps between them."""
    from PIL import Image

    step = side + GAP
    size = step * len(frames) - GAP, side
    drawing = Image.new("RGB", size, "white")
    for number, frame in enumerate(frames):
        tile = Image.fromarray(frame).resize((side, side))
        drawing.paste(tile, (number * step, 0))
    return drawing
