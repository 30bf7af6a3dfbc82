"""Rows of strings as a text or a Markdown table."""

from keras_pyconv.arguments import one_of

STYLES = ("text", "markdown")


def grid(
    header: list[str],
    rows: list[list[str]],
    style: str = "text",
    words: tuple[str, ...] = (),
) -> str:
    """A table in which numbers stand below each other.

    `words` are titles of the columns that align to the left.
    """
    one_of("style", style, STYLES)
    columns = zip(header, *rows)
    columns = [
        _aligned(column, column[0] in words, style) for column in columns
    ]
    if style == "text":
        return "\n".join("  ".join(line).rstrip() for line in zip(*columns))
    return "\n".join(f"| {' | '.join(line)} |" for line in zip(*columns))


def _aligned(column, left, style):
    """Cells of one width, with the rule below the first."""
    width = max(map(len, column))
    cells = [c.ljust(width) if left else c.rjust(width) for c in column]
    sign = "-" if left or style == "text" else ":"
    return [cells[0], "-" * (width - 1) + sign, *cells[1:]]
