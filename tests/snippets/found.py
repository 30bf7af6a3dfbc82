"""Every snippet of the repository: of its pages, docstrings and headers."""

import ast
import dataclasses
import doctest
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]
SOURCES = ("keras_pyconv", "recipes", "benchmarks")
OTHERS = ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")
PAGES = [
    *(ROOT / name for name in (*OTHERS, "saved_models/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.py"))
FILES = sorted(file for name in SOURCES for file in (ROOT / name).rglob("*.py"))
FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^ *```", re.S | re.M)
# What is not run: what a program prints, trees of files, and Sphinx's own.
PLAIN = ("text", "{toctree}", "{include}")
# A command in a sentence, and one on a line of its own in a source.
_PROGRAM = r"(?:keras-pyconv|python -m [a-z_]+(?:\.\w+)+)"
_INLINE = re.compile(rf"`((?:{_PROGRAM}|make|pip install)(?:\s[^`]*)?)`")
_LINE = re.compile(
    rf"^ *(?:Command: |Also: )?({_PROGRAM}(?: [^\n\"[]*)?)(?:$|\")", re.M
)


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block of a page or a docstring."""

    language: str
    text: str


def blocks(text):
    """The fenced blocks that somebody may run, in order."""
    found = [Block(m[2].partition(" ")[0], m[3]) for m in FENCE.finditer(text)]
    return [block for block in found if block.language not in PLAIN]


def cells(text):
    """`(kind, text)` of the cells of a script, as a notebook has them.

    The kinds are "markdown", "python", and "bash" of commands.
    """
    for head, cell in re.findall(r"^# %%(.*)\n((?:(?!# %%).*\n)*)", text, re.M):
        if "[markdown]" in head:
            yield "markdown", re.sub(r"^# ?", "", cell.strip(), flags=re.M)
        else:
            lines = cell.strip().replace("# !", "!")
            yield "bash" if lines[0] == "!" else "python", lines


def _blocks_of(script):
    for kind, text in cells(script.read_text("utf-8")):
        if kind != "markdown":
            yield Block(kind, text.removeprefix("!").replace("\n!", "\n"))


def name_of(path):
    """Of a page or a source, in the repository."""
    return path.relative_to(ROOT).as_posix()


def sentences(text):
    """The commands that stand within sentences."""
    return [" ".join(found.split()) for found in _INLINE.findall(text)]


def lines_of(text):
    """The commands on lines of a source, without the words behind them."""
    text = text.replace("\\\\\n", " ").replace("\\\n", " ")
    return [re.split(r"  +(?!-)", line)[0] for line in _LINE.findall(text)]


@dataclasses.dataclass(frozen=True)
class Docstring:
    """One with examples, in fences and after prompts."""

    module: str
    name: str
    text: str
    line: int

    @property
    def lines(self):
        """The examples after prompts, as `doctest` has them."""
        return doctest.DocTestParser().get_examples(self.text)


def _docstrings():
    """Those of the sources that hold an example."""
    kinds = ast.Module, ast.ClassDef, ast.FunctionDef
    for file in FILES:
        tree = ast.parse(file.read_text("utf-8"))
        module = name_of(file)[:-3].replace("/", ".").removesuffix(".__init__")
        for node in filter(lambda n: isinstance(n, kinds), ast.walk(tree)):
            text = ast.get_docstring(node) or ""
            if ">>> " in text or blocks(text):
                name = getattr(node, "name", "")
                line = getattr(node, "lineno", 1)
                whole = f"{module}.{name}".rstrip(".")
                yield whole, Docstring(module, whole, text, line)


BLOCKS = {name_of(page): blocks(page.read_text("utf-8")) for page in PAGES}
BLOCKS |= {name_of(script): [*_blocks_of(script)] for script in NOTEBOOKS}
DOCSTRINGS = dict(_docstrings())
