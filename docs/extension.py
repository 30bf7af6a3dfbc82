"""What the site adds to Sphinx: our Markdown, everywhere.

Pages link as they do in the repository, docstrings are written in Markdown,
and what both call by a public name leads to its entry.
"""

import collections
import functools
import importlib
import inspect
import os
import pathlib
import re
import textwrap

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import stringify_signature
from sphinx.util.nodes import make_refnode
from sphinx.util.typing import stringify_annotation

from keras_pyconv import typing

DOCS = pathlib.Path(__file__).parent
ROOT = DOCS.parent
PACKAGE = "keras_pyconv"
# Pages of the site that stand elsewhere in the repository.
ELSEWHERE = {
    "README.md": "start",
    "benchmarks/README.md": "benchmarks",
    "CHANGELOG.md": "changelog",
    "CONTRIBUTING.md": "contributing",
    "SECURITY.md": "security",
}
# Its indentation, language and code.
FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
# Sections that Napoleon would call otherwise, with what they list.
SECTION = re.compile(
    r"^(Attributes|Call arguments):\n((?:    .*\n?|\n(?=    ))+)", re.MULTILINE
)
LINK = re.compile(r"(!?)\[([^]]*)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def site_links(text, folder, place):
    """A page of `folder`, shown in `place`, with the links of the site."""

    def linked(match):
        picture, words, target, anchor = match.groups(default="")
        path = (folder / target).resolve()
        if path.is_dir():
            return words
        page = ELSEWHERE.get(path.relative_to(ROOT).as_posix())
        target = os.path.relpath(DOCS / f"{page}.md" if page else path, place)
        if words.endswith(".md"):
            words = ""  # the page's title takes the place of its file's name
        return f"{picture}[{words}]({target}{anchor})"

    return LINK.sub(linked, text)


def read_page(app, docname, content):
    path = app.env.doc2path(docname)
    if path.suffix == ".md":
        content[0] = site_links(content[0], path.parent, path.parent)


def read_included(app, path, docname, content):
    content[0] = site_links(content[0], (DOCS / path).resolve().parent, DOCS)


def _literal(match):
    _, words, ending = match.groups()
    return f"``{words}``\\ {ending}" if ending else f"``{words}``"


def _listed(match):
    """A section's names as a list, under a heading."""
    heading, entries = match.groups()
    entries = re.sub(r"^ {8}", " " * 6, entries, flags=re.MULTILINE)
    named = re.sub(
        r"^ {4}([\w, ]+): ", r"    - **\1** – ", entries, flags=re.MULTILINE
    )
    return f".. rubric:: {heading}\n\n{textwrap.dedent(named)}\n"


def of_prose(text):
    """Markdown without blocks of code as reStructuredText."""
    text = SECTION.sub(_listed, text)
    text = re.sub(r"(`+)([^`]+)\1(\w?)", _literal, text)
    text = re.sub(r"\[([^]]+)\]\(([^)]+)\)", r"`\1 <\2>`__", text)
    # Napoleon escapes what an argument begins with, but not a second one.
    text = re.sub(r", \*\*(?=\w)", r", \*\*", text)
    return re.sub(r"^Example:$", ".. rubric:: Example", text, flags=re.M)


def restructured(text):
    """A docstring, written in Markdown, as reStructuredText."""
    first, *rest = FENCE.split(text)
    made = [of_prose(first)]
    for indent, language, code, prose in zip(*[iter(rest)] * 4):
        made.append(f"{indent}.. code-block:: {language}\n\n")
        made += textwrap.indent(code, "    "), of_prose(prose)
    return "".join(made).splitlines()


def has_help_of_another(item):
    """Whether a builder's arguments are those of the general function."""
    home = getattr(item, "__module__", "")
    named = not item.__name__.startswith("build_")
    return home == f"{PACKAGE}.models.classifiers" and named


def general_builder(item):
    if "3D" in item.__name__:
        return "build_video_classifier"
    inception = "Inception" in item.__name__
    return "build_inception" if inception else "build_classifier"


def read_docstring(app, what, name, item, options, lines):
    text = "\n".join(lines)
    if what == "function" and has_help_of_another(item):
        summary = text.partition("\n\nArgs:")[0]
        text = (
            f"{summary}\n\nArguments, result and errors are those of "
            f"`{general_builder(item)}`."
        )
    lines[:] = restructured(text)


@functools.cache
def _named_types():
    """What a signature spells out, and the name that we have for it."""
    names = ("ImageLike", "Identifier", "ArrayLike", "PathLike", "PerAxis")
    return {
        stringify_annotation(getattr(typing, name), "smart"): name
        for name in names
    }


def _own_signature(item):
    """The arguments of a class, which Keras hides; a protocol takes none."""
    own = inspect.signature(item.__init__)
    own = own.replace(parameters=list(own.parameters.values())[1:])
    if [*own.parameters] == ["args", "kwargs"]:
        return ""
    return stringify_signature(own, unqualified_typehints=True)


def read_signature(app, what, name, item, options, signature, result):
    """What a class takes, and types by their names."""
    if what == "class" and signature == "(*args, **kwargs)":
        signature = _own_signature(item)
    for spelled, name in _named_types().items():
        named = f"~{typing.__name__}.{name}"
        signature = signature and signature.replace(spelled, named)
    return signature, result


def _members(item):
    """Options for the methods of a class; not for those from Keras."""
    if not inspect.isclass(item):
        return []
    homes = {base.__module__.split(".")[0] for base in item.__mro__[:-1]}
    # An abstract class of ours has a base from `abc`.
    ours = homes <= {PACKAGE, "abc"}
    return ["   :members:", "   :inherited-members:" * ours]


class Entries(SphinxDirective):
    """A table of public names, then the entry of each.

    Classes have their documented methods and properties with them.
    """

    has_content = True

    def run(self):
        names = [f"{PACKAGE}.{line}" for line in self.content if line]
        lines = [".. py:currentmodule:: None", ""]
        lines += [".. autosummary::", "   :nosignatures:", ""]
        # Names lose what the page is of: the module they stand in.
        lines += [f"   ~{name}" for name in names]
        for name in names:
            module, _, last = name.rpartition(".")
            item = getattr(importlib.import_module(module), last)
            kind = "class" if inspect.isclass(item) else "function"
            lines += ["", f".. auto{kind}:: {name}", *_members(item)]
        return self.parse_text_to_nodes("\n".join(lines))


class LinkedNames(SphinxPostTransform):
    """`classify` or `training.Run(...)` in a text leads to its entry.

    So does `Preprocessing`, as no other entry of ours ends in that.
    """

    default_priority = 5

    def run(self):
        entries = self.env.domains.python_domain.objects
        known = {
            name: entry
            for name, entry in entries.items()
            if entry.objtype != "module" and not entry.aliased
        }
        ends = collections.Counter(name.rpartition(".")[2] for name in known)
        for name, entry in list(known.items()):
            end = name.rpartition(".")[2]
            if end[0].isupper() and ends[end] == 1:
                known[f"{PACKAGE}.{end}"] = entry
        for node in list(self.document.findall(nodes.literal)):
            name = node.astext().partition("(")[0].removeprefix(f"{PACKAGE}.")
            node["classes"] += ["short"] * (len(node.astext()) < 20)
            entry = known.get(f"{PACKAGE}.{name}")
            if entry and not isinstance(
                node.parent, (nodes.reference, nodes.title)
            ):
                node.replace_self(self.link(entry, node))

    def link(self, entry, node):
        where = self.env.docname, entry.docname, entry.node_id
        return make_refnode(self.app.builder, *where, node.deepcopy())


def setup(app):
    app.add_directive("entries", Entries)
    app.add_post_transform(LinkedNames)
    app.connect("source-read", read_page)
    app.connect("include-read", read_included)
    # Before Napoleon, which takes reStructuredText.
    app.connect("autodoc-process-docstring", read_docstring, priority=400)
    app.connect("autodoc-process-signature", read_signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
