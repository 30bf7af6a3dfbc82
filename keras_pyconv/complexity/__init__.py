"""Parameters and operations of networks, in closed form.

Costs are integer arithmetic on the records of `keras_pyconv.architectures`;
no network is made. `cost.py` says what the two counts of operations include.
"""

from keras_pyconv.architectures.published import COSTS as PRINTED
from keras_pyconv.complexity.cost import Cost, conv_cost, pyconv_cost
from keras_pyconv.complexity.counter import (
    Counter,
    LayerCost,
    LevelCost,
    PartCost,
)
from keras_pyconv.complexity.crossing import (
    CROSSING_RULE,
    Crossing,
    crossing,
    crossing_table,
)
from keras_pyconv.complexity.network import (
    COUNTING_RULE,
    Complexity,
    complexity,
    networks_table,
)
from keras_pyconv.renamed import former

__all__ = [
    "COUNTING_RULE",
    "CROSSING_RULE",
    "Complexity",
    "Cost",
    "Counter",
    "Crossing",
    "LayerCost",
    "LevelCost",
    "PRINTED",
    "PartCost",
    "complexity",
    "conv_cost",
    "crossing",
    "crossing_table",
    "networks_table",
    "pyconv_cost",
]


def _segmentation(row, input_shape=None, classes=None, auxiliary=True):
    return complexity(row, input_shape, classes, auxiliary=auxiliary)


def _detection(row, classes=None):
    return complexity(row, classes=classes)


_FORMER = {
    "comparison_complexity": complexity,
    "detection_complexity": _detection,
    "inception_complexity": complexity,
    "segmentation_complexity": _segmentation,
    "video_complexity": complexity,
}
__getattr__ = former(
    __name__,
    {n: ("`complexity`", lambda count=c: count) for n, c in _FORMER.items()},
)
