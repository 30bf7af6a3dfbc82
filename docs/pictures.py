"""Draws the pictures of how-it-works.md: `python docs/pictures.py`.

They are SVG on a white ground, so that they are the same on a light page and on
a dark one. What they show is taken from the package.
"""

import html
import pathlib

from keras_pyconv.architectures import PYRAMIDS
from keras_pyconv.complexity import conv_cost

FOLDER = pathlib.Path(__file__).parent
CHANNELS = FILTERS = 64  # of the first stage of PyConvResNet-50
INK, PALE, GROUND = "#1f2937", "#cbd5e1", "#ffffff"
COLOURS = ("#2563eb", "#0d9488", "#d97706", "#be185d")
TINTS = ("#dbeafe", "#ccfbf1", "#fef3c7", "#fce7f3")
EPOCH, EPOCHS, KILLED = 8, 3, 13  # steps, of the run that is drawn


class Picture:
    """Shapes and text in pixels, from the upper left corner."""

    def __init__(self, width, height, title):
        self.size, self.title, self.parts = (width, height), title, []
        self.box(0, 0, width, height, GROUND, rx=8)

    def add(self, shape, text=None, **attributes):
        words = " ".join(
            f'{name.replace("_", "-")}="{value}"'
            for name, value in attributes.items()
        )
        end = "/>" if text is None else f">{html.escape(text)}</{shape}>"
        self.parts.append(f"<{shape} {words}{end}")

    def box(self, x, y, width, height, fill, **more):
        self.add(
            "rect", x=x, y=y, width=width, height=height, fill=fill, **more
        )

    def line(self, x1, y1, x2, y2, stroke=INK, **more):
        self.add("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=stroke, **more)

    def arrow(self, x1, y, x2):
        self.line(x1, y, x2, y)
        tip = f"M{x2 - 6} {y - 4} L{x2} {y} L{x2 - 6} {y + 4}"
        self.add("path", d=tip, fill="none", stroke=INK)

    def text(self, x, y, words, size=14, **more):
        more = {"fill": INK, **more}
        self.add("text", words, x=x, y=y, font_size=size, **more)

    def svg(self):
        width, height = self.size
        return "\n".join(
            [
                '<svg xmlns="http://www.w3.org/2000/svg" role="img" '
                f'viewBox="0 0 {width} {height}" width="{width}" '
                f'height="{height}" font-family="Arial, sans-serif">',
                f"<title>{html.escape(self.title)}</title>",
                *self.parts,
                "</svg>\n",
            ]
        )


def _levels():
    """Level, filters and parameters of each level of the first stage."""
    for level in PYRAMIDS[4]:
        filters = int(FILTERS * level.share)
        kernel = level.kernel, level.kernel
        cost = conv_cost(CHANNELS, filters, kernel, 1, level.groups)
        yield level, filters, cost.parameters


def _groups(level):
    return f"{level.groups} group{'s' * (level.groups > 1)}"


def _kernel(picture, x, y, kernel, colour):
    """A grid of the kernel's positions around a centre."""
    cell = 7
    left, top = x - kernel * cell / 2, y - kernel * cell / 2
    for row in range(kernel):
        for column in range(kernel):
            place = left + column * cell, top + row * cell
            picture.box(*place, cell - 1, cell - 1, colour)


def pyconv():
    """The levels of a pyramid: what each sees, its kernel, its filters."""
    picture = Picture(560, 440, "The four levels of a PyConv")
    picture.text(16, 32, f"{CHANNELS} input channels", font_weight="bold")
    picture.text(215, 32, "kernel", font_weight="bold", text_anchor="middle")
    picture.text(436, 32, "concatenated", font_weight="bold")
    parameters = 0
    rows = zip(_levels(), COLOURS, TINTS, (86, 176, 266, 356))
    for (level, filters, cost), colour, tint, y in rows:
        kernel, depth = level.kernel, CHANNELS // level.groups
        picture.box(16, y - 10, 2 * CHANNELS, 20, tint, stroke=PALE)
        picture.box(16, y - 10, 2 * depth, 20, colour)
        for group in range(1, level.groups):
            x = 16 + 2 * depth * group
            picture.line(x, y - 10, x, y + 10, GROUND)
        picture.text(16, y - 18, _groups(level))
        picture.text(16, y + 28, f"a filter sees {depth}")
        picture.arrow(150, y, 174)
        _kernel(picture, 215, y, kernel, colour)
        picture.arrow(254, y, 276)
        picture.text(284, y - 4, f"{kernel} x {kernel}, {filters} filters")
        picture.text(284, y + 16, f"{cost:,} parameters")
        picture.arrow(408, y, 430)
        picture.box(436, y - 45, 26, 90, colour)
        picture.text(470, y + 5, f"{filters} channels")
        parameters += cost
    dense = conv_cost(CHANNELS, FILTERS, (3, 3), 1).parameters
    told = (
        f"In total {parameters:,} parameters; a single 3 x 3 convolution "
        f"has {dense:,}"
    )
    picture.text(16, 426, told, font_weight="bold")
    return picture


def groups():
    """Which input channels each filter of a level sees."""
    picture = Picture(560, 260, "Which input channels each filter sees")
    places = (16, 40), (288, 40), (16, 142), (288, 142)
    rows = zip(_levels(), COLOURS, TINTS, places)
    for (level, filters, _), colour, tint, (x, y) in rows:
        wide, high = 4 * CHANNELS // level.groups, 4 * filters // level.groups
        picture.box(x, y, 4 * CHANNELS, 4 * filters, tint)
        for group in range(level.groups):
            corner = x + group * wide, y + group * high
            picture.box(*corner, wide - 1, high - 1, colour)
        picture.text(
            x, y - 10, f"{level.kernel} x {level.kernel}, {_groups(level)}"
        )
    told = (
        f"Across: {CHANNELS} input channels. Down: the 16 filters of a level."
    )
    picture.text(16, 240, told)
    return picture


def _steps(picture, y, first, last, colour):
    for step in range(first, last):
        picture.box(20 + 21 * step, y, 19, 20, colour)


def resume():
    """A run that is killed, is started again, and ends like the other."""
    picture = Picture(560, 280, "A run that is killed and started again")
    total, kept = EPOCH * EPOCHS, KILLED // EPOCH * EPOCH
    for epoch in range(1, EPOCHS + 1):
        x = 19 + 21 * EPOCH * epoch
        picture.line(x, 34, x, 214, PALE, stroke_dasharray="3 3")
        picture.text(x, 26, "checkpoint", text_anchor="end")
    picture.text(20, 56, "Never interrupted")
    _steps(picture, 64, 0, total, COLOURS[0])
    picture.text(20, 118, f"Killed at step {KILLED}")
    _steps(picture, 126, 0, kept, COLOURS[0])
    _steps(picture, 126, kept, KILLED, COLOURS[3])
    picture.text(26 + 21 * KILLED, 141, "lost")
    picture.text(20, 180, "Started again")
    _steps(picture, 188, 0, kept, TINTS[0])
    _steps(picture, 188, kept, total, COLOURS[0])
    told = (
        f"The new process loads the checkpoint of step {kept} and reads the",
        f"data from there. After step {total} the weights are the same bits.",
    )
    for y, line in zip((244, 264), told):
        picture.text(20, y, line)
    return picture


PICTURES = {"pyconv": pyconv, "groups": groups, "resume": resume}


def main():
    for name, draw in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(draw().svg())


if __name__ == "__main__":
    main()
