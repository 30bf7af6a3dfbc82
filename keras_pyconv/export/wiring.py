"""Which layer of a Keras model feeds which, read from the model's config."""

import collections

import keras


def _references(nested):
    """Names of the layers whose tensors stand in part of a config."""
    if isinstance(nested, dict):
        if nested.get("class_name") == "__keras_tensor__":
            yield nested["config"]["keras_history"][0]
        else:
            for value in nested.values():
                yield from _references(value)
    elif isinstance(nested, (list, tuple)):
        for value in nested:
            yield from _references(value)


def _output_names(nested):
    """Names of the layers that make a model's outputs."""
    if isinstance(nested, dict):
        for value in nested.values():
            yield from _output_names(value)
    elif nested and isinstance(nested[0], str):
        yield nested[0]
    else:
        for value in nested:
            yield from _output_names(value)


class Wiring:
    """Which layer feeds which, in one functional or sequential model.

    Attributes:
        inputs: names of the layers that each call of a layer reads, by the
            layer's name; one list for each call.
        uses: how often each layer's output is read, the model's own outputs
            counted.
        outputs: names of the layers that make the model's outputs.
    """

    def __init__(self, model):
        config = model.get_config()
        if isinstance(model, keras.Sequential):
            names = [layer.name for layer in model.layers]
            self.inputs = {b: [[a]] for a, b in zip(names, names[1:])}
            self.outputs = names[-1:]
        else:
            self.inputs = {
                layer["name"]: [
                    list(_references([node["args"], node["kwargs"]]))
                    for node in layer["inbound_nodes"]
                ]
                for layer in config["layers"]
            }
            self.outputs = list(_output_names(config["output_layers"]))
        self.uses = collections.Counter(self.outputs)
        for calls in self.inputs.values():
            for names in calls:
                self.uses.update(names)
