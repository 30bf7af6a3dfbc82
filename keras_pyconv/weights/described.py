"""What a model answers with: names of its classes, and how images are shown.

The model keeps it itself and in its configuration, so that it stands in every
file that Keras writes of it.
"""

import contextlib
import functools
import os

import keras

from keras_pyconv import arguments
from keras_pyconv.finished import constants_of, is_run, task_of
from keras_pyconv.weights.description import Description

# Not set as attributes are: Keras would follow what it holds.
_PLACE = "_keras_pyconv_description"
_KEY = "description"


def of_run(path) -> Description | None:
    """The description of the run in whose folder a file of weights stands."""
    folder = os.path.dirname(os.path.abspath(path))
    if not is_run(folder):
        return None
    # Weights are as good beside a damaged file.
    with contextlib.suppress(ValueError, TypeError, KeyError):
        made = constants_of(folder)
        names = arguments.texts("classes", made["classes"])
        return Description(task_of(made), names, weights="a run")
    return None


class Describes:
    """Functional models whose configuration has the description."""

    def get_config(self):
        config, found = super().get_config(), known(self)
        return config if found is None else {**config, _KEY: found.to_json()}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        row = config.pop(_KEY, None)
        model = super().from_config(config, custom_objects)
        if row is not None:
            note(model, Description.of_json(row))
        return model


@keras.saving.register_keras_serializable(package="keras_pyconv")
class DescribedModel(Describes, keras.Model):
    """What `note` makes of a functional model of Keras."""


@functools.cache
def _functional():
    """Keras's class of functional models; gives ours that base too."""
    one = keras.Input((), name="one")
    DescribedModel(one, one, name="described")
    return type(keras.Model(one, one, name="plain"))


def can_be_saved(model) -> bool:
    """Whether files that Keras writes of a model hold its description."""
    return isinstance(model, Describes) or type(model) is _functional()


def note(model, description):
    """Gives a model its description."""
    vars(model)[_PLACE] = description
    if can_be_saved(model) and not isinstance(model, Describes):
        # In place, for others hold the model; the class adds no state.
        object.__setattr__(model, "__class__", DescribedModel)


def note_like(model, other):
    """Gives a model the description of another with the same classes."""
    if (found := known(other)) is not None:
        note(model, found)
    return model


def forget(model):
    """Takes away what came with weights that the model no longer has."""
    found = known(model)
    if found is not None and found.weights:
        del vars(model)[_PLACE]


def known(model) -> Description | None:
    """The description of a model, if it has one."""
    return getattr(model, "__dict__", {}).get(_PLACE)


def shown_by(model, task) -> dict | None:
    """How images are shown to a model of a task, where that is known."""
    found = known(model)
    return found.shown if found is not None and found.task == task else None
