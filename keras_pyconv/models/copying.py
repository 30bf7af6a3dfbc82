"""Copies of a model, layer by layer, with their owner's own functions.

A configuration holds functions and classes by their names alone, by which
Keras finds its own and the registered ones. Here the layer itself is at hand,
and its copy gets what it has.
"""

import inspect
import types
import warnings

import keras

from keras_pyconv.models.nesting import held, is_graph

_CLASSES = (
    keras.layers.Layer,
    keras.initializers.Initializer,
    keras.regularizers.Regularizer,
    keras.constraints.Constraint,
)


def configuration(operation):
    """A layer's configuration, with its owner's functions as they are."""
    with warnings.catch_warnings():
        # Nothing is written to a file here.
        warnings.filterwarnings("ignore", "The object being serialized")
        config = operation.get_config()
    if type(operation) is keras.layers.Lambda:
        live = {"output_shape": vars(operation).get("_output_shape")}
        for name in ("function", "mask", "arguments"):
            live[name] = getattr(operation, name)
        return {**config, **live}
    if not _is_made_of(operation, config):
        return config
    for name, value in config.items():
        if isinstance(value, dict):
            live = getattr(operation, name, None)
            if callable(live) and not isinstance(live, keras.layers.Layer):
                config[name] = live
    return config


def _is_made_of(operation, config):
    """Whether a configuration goes to the constructor as it is."""
    read = getattr(type(operation).from_config, "__func__", None)
    recurrent = keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN
    return (
        read is keras.Operation.from_config.__func__
        or type(operation) in recurrent
    )


def _named(layer, above=()):
    """What the configurations of a layer and of those it holds name."""
    found = {}
    if layer in above:
        return found
    for inner in held(layer).values():
        found |= {type(inner).__name__: type(inner)}
        found |= _named(inner, (*above, layer))
    for value in vars(layer).values():
        if isinstance(value, types.FunctionType):
            found[value.__name__] = value
        elif isinstance(value, _CLASSES):
            found[type(value).__name__] = type(value)
    return found


def built(operation, config):
    """A layer like another one, from a configuration of that.

    Raises:
        ValueError: its class cannot be built from it.
    """
    kind = type(operation)
    try:
        if kind is keras.layers.Lambda:
            # Its code is the caller's own; no file brought it here.
            return kind(**config)
        with keras.saving.custom_object_scope(_named(operation)):
            return kind.from_config(config)
    # Every class has an error of its own.
    except Exception as error:
        reason = str(error).strip().splitlines()[-1:]
        raise ValueError(
            f"The layer {operation.name!r} ({kind.__name__}) cannot be "
            f"copied: {''.join(reason)[:400]} Its `get_config` must hold all "
            "that its class is made with."
        ) from error


def copy_weights(layer, copy, cast=lambda array: array):
    """Gives a layer's copy its weights, each after `cast`."""
    copy.set_weights([cast(weight) for weight in layer.get_weights()])
    if hasattr(copy, "finalize_state"):
        copy.finalize_state()


def _uncompiled(model):
    """The same graph, of the same class if that is made of its ends.

    Keras compiles the clone of a compiled model, and fails if the owner's own
    loss cannot be found by its name.
    """
    if not model.compiled:
        return model
    plain = keras.Model(model.input, model.output, name=model.name)
    own = inspect.getfullargspec(type(model).__init__)
    ends = inspect.getfullargspec(type(plain).__init__)
    if own.args != ends.args and not (own.varargs and own.varkw):
        return plain
    return type(model)(model.input, model.output, name=model.name)


def _inputs_like(model):
    """Inputs of the same structure and names."""
    layers = {
        id(layer.output): layer
        for layer in model.layers
        if isinstance(layer, keras.layers.InputLayer)
    }
    given = [layers[id(tensor)] for tensor in model.inputs]
    fresh = [
        keras.Input(
            batch_shape=layer.batch_shape,
            dtype=layer.dtype,
            sparse=layer.sparse,
            optional=layer.optional,
            name=layer.name,
        )
        for layer in given
    ]
    return keras.tree.pack_sequence_as(model.input, fresh)


class Copier:
    """Copies a model and those nested in it, layer by layer.

    Attributes:
        copies: `(layer, its copy)` by the identity of the layer.
    """

    def __init__(self):
        self.copies = {}

    def copy(self, operation):
        """The copy of a layer, of a model or of an operation."""
        if id(operation) not in self.copies:
            self.copies[id(operation)] = (operation, self._made(operation))
        return self.copies[id(operation)][1]

    def single(self, operation):
        """What stands in the place of a layer or an operation."""
        return built(operation, configuration(operation))

    def before(self, copy):
        """A layer that stands before a copy, or None."""

    def pairs(self):
        """Pairs of a layer with weights and its copy."""
        for layer, copy in self.copies.values():
            if isinstance(layer, keras.layers.Layer) and not is_graph(layer):
                yield layer, copy

    def _made(self, operation):
        if not is_graph(operation):
            return self.single(operation)
        if isinstance(operation, keras.Sequential):
            return self._sequential(operation)
        return keras.models.clone_model(
            _uncompiled(operation),
            clone_function=self.copy,
            call_function=self._call,
            input_tensors=_inputs_like(operation),
        )

    def _call(self, layer, *args, **kwargs):
        before = self.before(layer)
        if before is not None:
            inputs = args[0] if args else kwargs["inputs"]
            return layer(before(inputs))
        return layer(*args, **kwargs)

    def _sequential(self, model):
        (given,) = model.inputs
        layers = [
            keras.Input(
                batch_shape=given.shape, dtype=given.dtype, name=given.name
            )
        ]
        for layer in model.layers:
            copy = self.copy(layer)
            before = self.before(copy)
            layers += [copy] if before is None else [before, copy]
        return keras.Sequential(layers, name=model.name)
