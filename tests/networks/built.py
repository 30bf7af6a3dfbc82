"""A model of Keras layers beside its count."""


def assert_built_as_counted(model, count):
    """Every layer with variables: its name, shape and parameters."""
    counted = {x.name: x for x in count.layers if x.total_parameters}
    built = {x.name: x for x in model.layers if x.weights}
    assert set(built) == set(counted)
    for name, layer in built.items():
        assert layer.count_params() == counted[name].total_parameters
        assert layer.output.shape[1:] == counted[name].output_shape
