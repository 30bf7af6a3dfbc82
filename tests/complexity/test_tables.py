"""The tables and the command show the counts, and mistakes are refused."""

import subprocess
import sys
from pathlib import Path

import pytest

from keras_pyconv.architectures import ARCHITECTURES
from keras_pyconv.complexity import (
    COUNTING_RULE,
    PRINTED,
    Counter,
    complexity,
    conv_cost,
    cost,
    networks_table,
    pyconv_cost,
)
from keras_pyconv.complexity.__main__ import main

MINI = "PyConvResNetMini"


def counted(**options):
    """A 3x3 over a map of 2 x 2."""
    net = Counter((2, 2, 8))
    return net.conv(net.input, 4, (3,), name="c", **options)


@pytest.mark.parametrize("name, size", PRINTED)
def test_counts_round_to_the_printed_figures(name, size):
    count = complexity(name, (size, size, 3))
    rounded = round(count.parameters / 1e6, 2), round(count.paper_ops / 1e9, 2)
    # Of the pre-activation network the paper prints what ResNet has.
    less = 0.01 * name.startswith("PreActResNet")
    assert rounded == pytest.approx(PRINTED[name, size], abs=1e-9 + less)
    assert (rounded == PRINTED[name, size]) == (not less)


def test_the_table_shows_printed_figures_where_there_are_any():
    table = networks_table(["PyConvResNet50", MINI], 320)
    header, rule, printed, unprinted = table.splitlines()
    assert " 24.85 |" in printed and "24.85 / 7.91 |" in printed
    assert "| supplement, Table 4 " in printed
    assert " / " not in unprinted
    assert len({len(line) for line in table.splitlines()}) == 1


def test_the_command_prints_every_network_and_the_rule(capsys):
    main([])
    printed = capsys.readouterr().out
    assert all(f"\n{name} " in printed for name in ARCHITECTURES)
    assert printed.endswith(COUNTING_RULE + "\n")


def test_the_command_lists_the_levels_of_a_network(capsys):
    main([MINI, "--levels", "--input-size", "320", "--format", "markdown"])
    printed = capsys.readouterr().out
    assert f"| {MINI} at 320x320x3" in printed
    assert "  9x9, G=8, 8 filters" in printed


def test_the_command_counts_networks_of_any_kind(capsys):
    main(["SSDResNet50", "ResNet3D50"])
    printed = capsys.readouterr().out
    assert "\nSSDResNet50 " in printed and "\nResNet3D50 " in printed


def test_the_command_names_what_it_does_not_know(capsys):
    with pytest.raises(SystemExit):
        main(["VGG16"])
    assert "'VGG16'. Known: ResNet50, " in capsys.readouterr().err


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: complexity("PyConvNet"),
            "'PyConvNet'. Did you mean PyConvResNet50. Known",
        ),
        (lambda: complexity(MINI, (224, None, 3)), "=.224, None, 3."),
        (lambda: complexity(MINI, (224, 224)), "3 positive .*=.224, "),
        (lambda: complexity(MINI, output_stride=4), "16, 8.; got 4"),
        (lambda: complexity(MINI, output_stride=0), "16, 8.; got 0"),
        (lambda: complexity(MINI).table("rows"), "'layers.*rows='rows'"),
        (lambda: networks_table([MINI], style="csv"), "style='csv'"),
        (lambda: conv_cost(8, 4, (3, 3), 1, groups=3), "groups=3 must divide"),
        (lambda: pyconv_cost(8, (4,), (3, 5), (1, 1), 1), "filters=.4,., ker"),
        (lambda: counted(padding="valid"), "window"),
        (lambda: counted(padding="full"), "padding='full'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_mistakes_are_refused_with_what_was_received(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_records_and_counts_load_without_any_framework():
    script = (
        "import sys, types\n"
        "package = types.ModuleType('keras_pyconv')\n"
        "package.__path__ = [sys.argv[1]]\n"
        "sys.modules['keras_pyconv'] = package\n"
        "import keras_pyconv.complexity as c\n"
        "assert c.complexity('PyConvResNet50').parameters == 24847720\n"
        "assert not {'keras', 'tensorflow', 'numpy'} & set(sys.modules)\n"
    )
    folder = Path(cost.__file__).parents[1]
    subprocess.run([sys.executable, "-c", script, folder], check=True)
