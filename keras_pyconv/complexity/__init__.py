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
from keras_pyconv.complexity.network import (
    Complexity,
    comparison_complexity,
    complexity,
    detection_complexity,
    inception_complexity,
    segmentation_complexity,
    video_complexity,
)
from keras_pyconv.complexity.tables import COUNTING_RULE, networks_table

__all__ = [
    "COUNTING_RULE",
    "Complexity",
    "Cost",
    "Counter",
    "LayerCost",
    "LevelCost",
    "PRINTED",
    "PartCost",
    "comparison_complexity",
    "complexity",
    "conv_cost",
    "detection_complexity",
    "inception_complexity",
    "networks_table",
    "pyconv_cost",
    "segmentation_complexity",
    "video_complexity",
]
