"""One HTML file that holds all it shows: rows with an image and a class.

Written row by row, so that memory does not grow with their number; it needs
no network, and one list narrows it to a class. Tables and plots may stand
before the rows.
"""

import base64
import collections
import contextlib
import html
import io

from keras_pyconv.writing import replacing

_SIZE = (240, 720)  # pixels of a thumbnail at most, width and height
_HEAD = """<!doctype html>
<html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.4 system-ui, sans-serif; margin: 1.5rem; }}
h1 {{ font-size: 1.3rem; }}
main {{ display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); }}
figure {{ margin: 0; overflow-wrap: anywhere; }}
img {{ max-width: 100%; border-radius: 4px; }}
figcaption b {{ display: block; }}
h2 {{ font-size: 1.1rem; margin: 2rem 0 .5rem; }}
pre {{ white-space: pre-wrap; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .15rem .6rem; text-align: right; white-space: nowrap; }}
th {{ position: sticky; top: 0; background: Canvas; }}
th:first-child, td:first-child {{ text-align: left; }}
tr + tr {{ border-top: 1px solid #8884; }}
.table {{ overflow: auto; max-height: 30rem; }}
.plots {{ display: flex; flex-wrap: wrap; gap: 1.5rem; }}
.plots figure {{ max-width: min(100%, 34rem); }}
/* White paper turns dark, and blue stays blue. */
@media (prefers-color-scheme: dark) {{
  .plots img {{ filter: invert(.93) hue-rotate(180deg); }} }}
small {{ opacity: .75; display: block; }}
[hidden] {{ display: none; }}
</style>
<h1>{title}</h1>
<pre>{text}</pre>
{before}
<label>Show <select id="only"><option value="">all</option></select></label>
<main>
"""
_TAIL = """</main>
<script>
const counts = {counts};
const only = document.getElementById("only");
for (const [name, count] of counts)
  only.add(new Option(name + " (" + count + ")", name));
only.parentElement.hidden = counts.length === 0;
only.onchange = () => document.querySelectorAll("main figure").forEach(one =>
  one.hidden = only.value !== "" && one.dataset.of !== only.value);
</script>
</html>
"""


class Page:
    """An open page; `add` writes a row."""

    def __init__(self, file, title, text="", before=""):
        self._file, self._counts = file, collections.Counter()
        shown = {"title": html.escape(title), "text": html.escape(text)}
        file.write(_HEAD.format(**shown, before=before))

    def add(self, name, group, text, pixels=None):
        """One row.

        Args:
            name: of the file.
            group: the class by which the page is narrowed.
            text: what is said of it.
            pixels: uint8 `(height, width, 3)`, or None.
        """
        self._counts[group] += 1
        self._file.write(
            f'<figure data-of="{html.escape(group)}">{_thumbnail(pixels)}'
            f"<figcaption><b>{html.escape(group)}</b>{html.escape(text)}"
            f"<small>{html.escape(name)}</small></figcaption></figure>\n"
        )

    def end(self):
        """Writes the list of classes."""
        import json

        counts = json.dumps(self._counts.most_common()).replace("<", "\\u003c")
        self._file.write(_TAIL.format(counts=counts))


def _thumbnail(pixels):
    if pixels is None:
        return ""
    from PIL import Image, ImageOps

    image, held = Image.fromarray(pixels).convert("RGB"), io.BytesIO()
    # Small images too are shown as large as that.
    ImageOps.contain(image, _SIZE).save(held, "JPEG", quality=85)
    return _image(held.getvalue(), "jpeg")


def _image(content, kind, alt=""):
    text = base64.b64encode(content).decode()
    source = f"data:image/{kind};base64,{text}"
    return f'<img alt="{html.escape(alt)}" loading="lazy" src="{source}">'


def table(header, rows):
    """A table for `before` of a page; rows are texts."""
    lines = [
        "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in row)
        for tag, row in [("th", header), *(("td", row) for row in rows)]
    ]
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="table"><table>\n{body}\n</table></div>'


def plots(images):
    """Plots for `before` of a page: `{caption: PNG}` on white ground."""
    shown = [
        f"<figure>{_image(content, 'png', caption)}"
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        for caption, content in images.items()
    ]
    return '<div class="plots">\n' + "\n".join(shown) + "\n</div>"


@contextlib.contextmanager
def page(path, title, text="", before=""):
    """A `Page` that is whole at `path` when the block ends well.

    `before` is HTML that stands before the rows, such as that of `table`.
    """
    with replacing(path) as beside:
        with open(beside, "w", encoding="utf-8") as file:
            opened = Page(file, title, text, before)
            yield opened
            opened.end()
