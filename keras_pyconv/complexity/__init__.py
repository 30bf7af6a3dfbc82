"""Parameters and operations of networks, in closed form.

Nothing here needs TensorFlow or Keras, or makes a network: costs are integer
arithmetic on the records of `keras_pyconv.architectures`. Two counts of
operations stand side by side everywhere; `cost.py` says what each includes.
"""

from keras_pyconv.architectures.published import COSTS as PRINTED
from keras_pyconv.complexity.cost import Cost, conv_cost, pyconv_cost
from keras_pyconv.complexity.counter import (
    Counter,
    LayerCost,
    LevelCost,
    PartCost,
)
from keras_pyconv.complexity.network import Complexity, complexity
from keras_pyconv.complexity.tables import COUNTING_RULE, networks_table
from keras_pyconv.renamed import former

__all__ = [
    "COUNTING_RULE",
    "Complexity",
    "Cost",
    "Counter",
    "LayerCost",
    "LevelCost",
    "PRINTED",
    "PartCost",
    "complexity",
    "conv_cost",
    "networks_table",
    "pyconv_cost",
]


def _segmentation(row, input_shape=None, classes=None, auxiliary=True):
    return complexity(row, input_shape, classes, auxiliary=auxiliary)


def _detection(row, classes=None):
    return complexity(row, classes=classes)


__getattr__ = former(
    __name__,
    {
        f"{kind}_complexity": ("`complexity`", lambda count=count: count)
        for kind, count in {
            "comparison": complexity,
            "detection": _detection,
            "inception": complexity,
            "segmentation": _segmentation,
            "video": complexity,
        }.items()
    },
)
