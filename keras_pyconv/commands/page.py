"""One HTML file that holds all it shows: rows with an image and a class.

Written row by row, so that memory does not grow with their number; it needs
no network, and one list narrows it to a class.
"""

import base64
import collections
import contextlib
import html
import io

from keras_pyconv.writing import replacing

_SIDE = 240  # pixels of a thumbnail's longer side
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
pre {{ white-space: pre-wrap; }}
small {{ opacity: .75; display: block; }}
[hidden] {{ display: none; }}
</style>
<h1>{title}</h1>
<label>Show <select id="only"><option value="">all</option></select></label>
<pre>{text}</pre>
<main>
"""
_TAIL = """</main>
<script>
const counts = {counts};
const only = document.getElementById("only");
for (const [name, count] of counts)
  only.add(new Option(name + " (" + count + ")", name));
only.onchange = () => document.querySelectorAll("figure").forEach(one =>
  one.hidden = only.value !== "" && one.dataset.of !== only.value);
</script>
</html>
"""


class Page:
    """An open page; `add` writes a row."""

    def __init__(self, file, title, text=""):
        self._file, self._counts = file, collections.Counter()
        shown = {"title": html.escape(title), "text": html.escape(text)}
        file.write(_HEAD.format(**shown))

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
    from PIL import Image

    image, held = Image.fromarray(pixels).convert("RGB"), io.BytesIO()
    image.thumbnail((_SIDE, _SIDE))
    image.save(held, "JPEG", quality=85)
    text = base64.b64encode(held.getvalue()).decode()
    return f'<img alt="" loading="lazy" src="data:image/jpeg;base64,{text}">'


@contextlib.contextmanager
def page(path, title, text=""):
    """A `Page` that is whole at `path` when the block ends well."""
    with replacing(path) as beside:
        with open(beside, "w", encoding="utf-8") as file:
            opened = Page(file, title, text)
            yield opened
            opened.end()
