"""What snippets import, name and pass is there, also of those that run late.

Of our own functions and classes, and at no cost.
"""

import ast
import inspect

import pytest

import keras_pyconv
from tests.snippets import found

OURS = ("keras_pyconv", "recipes")


def _codes():
    for page, blocks in found.BLOCKS.items():
        yield page, [b.text for b in blocks if b.language == "python"]
    for name, one in found.DOCSTRINGS.items():
        codes = [line.source for line in one.lines]
        yield name, [*codes, *(block.text for block in found.blocks(one.text))]


CODES = [
    pytest.param("\n".join(codes), id=name) for name, codes in _codes() if codes
]


def _is_ours(name):
    return name.partition(".")[0] in OURS


def _imported(tree):
    """The names that our own modules give."""
    names = {"keras_pyconv": keras_pyconv}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            node.names = [name for name in node.names if _is_ours(name.name)]
        elif not isinstance(node, ast.ImportFrom) or not _is_ours(node.module):
            continue
        if node.names:
            line = ast.Module([node], [])
            _run(compile(line, "imports", "exec"), names)
    return names


def _run(code, names):
    try:
        exec(code, names)
    except ModuleNotFoundError as error:
        if _is_ours(error.name):
            raise
        pytest.skip(f"{error.name} is not installed")


def _resolved(node, names):
    """What a dotted name stands for; None of what is not ours."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _resolved(node.value, names)
        return owner and getattr(owner, node.attr)
    return None


@pytest.mark.parametrize("code", CODES)
def test_names_and_arguments_are_there(code):
    tree = ast.parse(code)
    names = _imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            _resolved(node, names)
        if isinstance(node, ast.Call) and _resolved(node.func, names):
            _check_arguments(node, _resolved(node.func, names))


def _check_arguments(call, function):
    given = [keyword.arg for keyword in call.keywords]
    spread = any(isinstance(value, ast.Starred) for value in call.args)
    signature = inspect.signature(function)
    bind = signature.bind
    if spread or None in given:
        bind, given = signature.bind_partial, [name for name in given if name]
    bind(*(value for value in call.args if not spread), **dict.fromkeys(given))


@pytest.mark.parametrize(
    "code, error",
    [
        ("import keras_pyconv\nkeras_pyconv.PyConvResNet5()", AttributeError),
        ("from keras_pyconv.tasks import detektion", ImportError),
        ("keras_pyconv.classify(model)", TypeError),
        ("keras_pyconv.classify(model, image, topp=3)", TypeError),
    ],
)
def test_a_mistake_is_found(code, error):
    with pytest.raises(error):
        test_names_and_arguments_are_there(code)
