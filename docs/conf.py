"""The settings of the documentation site, which `make docs` builds."""

import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import keras_pyconv  # noqa: E402

project = "keras_pyconv"
version = release = keras_pyconv.__version__
html_title = f"{project} {version}"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "extension",  # beside this file
]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
# Whoever reads a built site has no use for these.
html_copy_source = html_show_copyright = html_show_sphinx = False
pygments_style, pygments_dark_style = "friendly", "github-dark"

# A block without a language is what a program prints, or a tree of files.
highlight_language = "none"

# Links to headings, as GitHub makes them.
myst_heading_anchors = 4

# `make notebooks` runs them; the site shows what they answered.
nb_execution_mode = "off"
nb_merge_streams = True

autodoc_inherit_docstrings = False  # Keras's say nothing of ours
autodoc_member_order = "bysource"
autosummary_generate = False  # the pages of docs/api have the entries
maximum_signature_line_length = 300  # longer ones get a line an argument
add_module_names = False
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Input shape", "Output shape"]
copybutton_exclude = ".linenos, .gp, .go"

# A name of ours that leads nowhere is an error. Names of other packages lead to
# their sites, which an offline build does not have; types that stand in no
# public module have no entry.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!keras_pyconv\b).*"),
    ("py:class", r"keras_pyconv\.(\w+\.){2,}\w+"),
]
