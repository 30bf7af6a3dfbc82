"""Copies of a model, layer by layer, with their owner's own functions.

A configuration holds functions by name, by which Keras finds only its own and
registered ones. So it is asked of a double, whose functions have names of ours.
"""

import inspect

import keras

from keras_pyconv.models.nesting import is_graph
from keras_pyconv.weights.described import note_like

_KEPT_BY_CLASS = (
    keras.layers.Layer,
    keras.initializers.Initializer,
    keras.regularizers.Regularizer,
    keras.constraints.Constraint,
)


def _is_function(value):
    """Whether Keras could keep a value by a name alone, and not find it."""
    own = (getattr(value, "__module__", None) or "").split(".")[0] != "keras"
    return own and callable(value) and not isinstance(value, type)


class _Double:
    """What has a layer's configuration, with our names for its functions."""

    def __init__(self):
        self.named = {}  # what the configuration names
        self._made = {}

    def of(self, value):
        """The double of a layer, of what holds some, or of a function."""
        if isinstance(value, (list, tuple)):
            return [self.of(one) for one in value]
        if isinstance(value, dict):
            return {key: self.of(one) for key, one in value.items()}
        if isinstance(value, _KEPT_BY_CLASS):
            self.named[type(value).__name__] = type(value)
        if isinstance(value, keras.Operation):
            return value if is_graph(value) else self._of_layer(value)
        if isinstance(value, _KEPT_BY_CLASS) or not _is_function(value):
            return value
        name = f"function_{len(self.named)}"
        self.named[name] = value

        def stand_in(*_):
            raise NotImplementedError

        stand_in.__name__ = name
        return stand_in

    def _of_layer(self, layer):
        if id(layer) not in self._made:
            double = object.__new__(type(layer))
            self._made[id(layer)] = double
            for name, value in vars(layer).items():
                # Past Keras, which would count what is set.
                vars(double)[name] = self.of(value)
        return self._made[id(layer)]


def built(operation, change=lambda config: config):
    """A layer like another one, from its configuration after a change."""
    double = _Double()
    try:
        config = change(double.of(operation).get_config())
        with keras.saving.custom_object_scope(double.named):
            return type(operation).from_config(config)
    # Every class has an error of its own.
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            f"The layer {operation.name!r} ({type(operation).__name__}) cannot "
            "be copied. Its `get_config` must return all arguments of its "
            f"constructor. Keras says: {reason}"
        ) from error


def copy_weights(layer, copy, cast=lambda array: array):
    """Gives a layer's copy its weights, each after `cast`."""
    weights = layer.weights
    named = {weight.name: weight for weight in weights}
    # A layer that was quantized after it was built has them in another order.
    if sorted(named) == sorted(weight.name for weight in copy.weights):
        weights = [named[weight.name] for weight in copy.weights]
    copy.set_weights([cast(weight.numpy()) for weight in weights])
    if hasattr(copy, "finalize_state"):
        copy.finalize_state()


def _uncompiled(model):
    """The same graph, of the same class if that is made of its ends."""
    if not model.compiled:
        return model
    # Keras compiles the clone of a compiled model, and fails if it does not
    # find the owner's own loss by its name.
    plain = keras.Model(model.input, model.output, name=model.name)
    own = inspect.getfullargspec(type(model).__init__)
    ends = inspect.getfullargspec(type(plain).__init__)
    if own.args != ends.args and not (own.varargs and own.varkw):
        return plain
    return type(model)(model.input, model.output, name=model.name)


class Copier:
    """Copies a model and those nested in it, layer by layer."""

    def __init__(self):
        self.copies = {}  # (layer, its copy) by the identity of the layer

    def copy(self, operation):
        """The copy of a layer, of a model or of an operation."""
        if id(operation) not in self.copies:
            self.copies[id(operation)] = (operation, self._made(operation))
        return self.copies[id(operation)][1]

    def single(self, operation):
        """What stands in the place of a layer or an operation."""
        return built(operation)

    def number_type(self, dtype):
        """The type that an input of `dtype` has in the copy."""
        return dtype

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
        made = keras.models.clone_model(
            _uncompiled(operation),
            clone_function=self.copy,
            call_function=self._call,
            input_tensors=self._inputs_like(operation),
        )
        return note_like(made, operation)

    def _inputs_like(self, model):
        """Inputs of the same structure and names."""
        layers = {
            id(layer.output): layer
            for layer in model.layers
            if isinstance(layer, keras.layers.InputLayer)
        }
        fresh = []
        for layer in (layers[id(tensor)] for tensor in model.inputs):
            config = layer.get_config()
            config["dtype"] = self.number_type(layer.dtype)
            fresh.append(keras.layers.InputLayer(**config).output)
        return keras.tree.pack_sequence_as(model.input, fresh)

    def _call(self, layer, *args, **kwargs):
        before = self.before(layer)
        if before is not None:
            inputs = args[0] if args else kwargs["inputs"]
            return layer(before(inputs))
        return layer(*args, **kwargs)

    def _sequential(self, model):
        (given,) = model.inputs
        dtype = self.number_type(given.dtype)
        options = {"batch_shape": given.shape, "name": given.name}
        layers = [keras.Input(dtype=dtype, **options)]
        for layer in model.layers:
            copy = self.copy(layer)
            before = self.before(copy)
            layers += [copy] if before is None else [before, copy]
        return keras.Sequential(layers, name=model.name)
