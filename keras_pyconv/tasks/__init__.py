"""What is done with a built network: seeing what it sees."""

from keras_pyconv.tasks.pyramid import (
    LevelResponse,
    level_responses,
    show_pyramid,
)
from keras_pyconv.tasks.receptive_field import (
    effective_receptive_field,
    share_outside,
    theoretical_receptive_field,
)
