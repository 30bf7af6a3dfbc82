"""One step of training as a graph, under any strategy.

The fact a reader would get wrong: a batch is what one update of the weights
sees on this machine. It is cut into equal parts for the devices, and with
accumulation each part again; batch normalization then sees the smallest part.
"""

import keras

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf


class _Symbolically(keras.Operation):
    """Runs a function on symbols, which only makes variables."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, data):
        return self.function(data)


def local_replicas(strategy, machines):
    """How many devices of this machine the strategy uses."""
    return strategy.num_replicas_in_sync // machines


def check_agreement(strategy, machines, step):
    """Refuses machines that would begin with different steps."""
    if machines == 1:
        return
    mine = strategy.run(lambda: tf.constant(step, "float64"))
    mean = float(strategy.reduce("MEAN", mine, axis=None))
    if mean != step:
        raise ValueError(
            f"This machine begins with step {step}, others with another one. "
            "All machines need the same folder, one that all of them see."
        )


def build(model, element_spec):
    """Makes the variables of the optimizer and the metrics.

    In a strategy's scope they cannot be made while a step is traced.
    """

    def compute(data):
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        y_pred = model(x, training=True)
        # A loss of the model's own may need the other replicas.
        if type(model).compute_loss is keras.Model.compute_loss:
            model.compute_loss(x, y, y_pred, weight, training=True)
        model.compute_metrics(x, y, y_pred, weight)
        return y_pred

    symbols = tf.nest.map_structure(
        lambda spec: keras.KerasTensor(spec.shape, spec.dtype.name),
        element_spec,
    )
    with model.distribute_strategy.scope():
        _Symbolically(compute)(symbols)
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)


def _batch_sizes(element_spec):
    shapes = [spec.shape for spec in tf.nest.flatten(element_spec)]
    if any(shape.rank in (None, 0) or not shape[0] for shape in shapes):
        raise ValueError(
            "Every batch must have the same known size: batch the data with "
            f"drop_remainder=True. Received: {element_spec}"
        )
    return {shape[0] for shape in shapes}


def check_batch(element_spec, devices, accumulate):
    """The examples of a batch, if it can be cut into equal parts."""
    parts = devices * accumulate
    for size in sorted(_batch_sizes(element_spec)):
        if size % parts:
            below, above = size - size % parts, size - size % parts + parts
            legal = f"{below} or {above}" if below else f"{above}"
            raise ValueError(
                f"A batch of {size} cannot be cut into {parts} equal parts "
                f"({devices} devices, accumulate={accumulate}). The nearest "
                f"sizes that can: {legal}."
            )
    return size


def _cut(batch, parts):
    """Every tensor (b, ...) as (parts, b / parts, ...)."""
    return tf.nest.map_structure(
        lambda t: tf.reshape(t, (parts, t.shape[0] // parts, *t.shape[1:])),
        batch,
    )


def distributed(dataset, strategy, machines):
    """The machine's batches, cut for its devices and brought to them."""
    if strategy.num_replicas_in_sync == 1:
        return dataset.prefetch(2)
    parts = local_replicas(strategy, machines)
    if parts > 1:

        def cut(*batch):
            return tf.data.Dataset.from_tensor_slices(_cut(batch, parts))

        dataset = dataset.flat_map(cut)
    if machines > 1:
        # Else the machines ask each other before every step who has data.
        endless = tf.data.experimental.assert_cardinality(
            tf.data.experimental.INFINITE_CARDINALITY
        )
        dataset = dataset.apply(endless)
    dataset = dataset.prefetch(2 * parts)
    return strategy.distribute_datasets_from_function(lambda _: dataset)


def _accumulated_step(model, parts):
    """A `train_step` that sums the gradients of `parts` small batches."""
    if type(model).train_step is not keras.Model.train_step:
        raise ValueError(
            f"{type(model).__name__} has a train_step of its own, which "
            "accumulation of gradients would pass over. Give accumulate=1."
        )

    def gradients_of(data):
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            y_pred = model(x, training=True)
            loss = model.compute_loss(x, y, y_pred, weight, training=True)
            scaled = model.optimizer.scale_loss(loss) / parts
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        tracker = next(m for m in model.metrics if m.name == "loss")
        size = tf.shape(tf.nest.flatten(x)[0])[0]
        tracker.update_state(loss * replicas, sample_weight=size)
        logs = model.compute_metrics(x, y, y_pred, weight)
        return tape.gradient(scaled, model.trainable_variables), logs

    def step(batch):
        cut, total = _cut(batch, parts), None
        for number in range(parts):
            data = tf.nest.map_structure(lambda t: t[number], cut)
            if total is not None:
                # A graph would run the parts side by side and so hold the
                # activations of all of them.
                with tf.control_dependencies(
                    [g for g in total if g is not None]
                ):
                    data = tf.nest.map_structure(tf.identity, data)
            gradients, logs = gradients_of(data)
            total = (
                gradients
                if total is None
                else [
                    None if g is None else g + sum_
                    for g, sum_ in zip(gradients, total)
                ]
            )
        pairs = zip(total, model.trainable_variables)
        model.optimizer.apply_gradients(pairs)
        return logs

    return step


class Steps:
    """Calls one step after the other.

    Args:
        model: compiled and built.
        accumulate: int, the small batches of one update.
        average: `WeightAverage`, or None.

    Calling it with a batch, the step's number and whether this machine wants
    to stop gives a vector: the logs in the order of `names`, and as its last
    number what part of the machines want to stop.
    """

    def __init__(self, model, accumulate=1, average=None):
        self.names = []
        self._strategy = model.distribute_strategy
        self._average = average
        self._one = model.train_step
        if accumulate > 1:
            self._one = _accumulated_step(model, accumulate)
        self._call = self._step
        if not model.run_eagerly:
            alone = self._strategy.num_replicas_in_sync == 1
            self._call = tf.function(
                self._step,
                autograph=False,
                jit_compile=model.jit_compile if alone else None,
            )

    def _step(self, batch, number, stop):
        def replica(batch):
            logs = self._one(batch)
            self.names = list(logs)
            values = [*logs.values(), stop]
            return tf.stack([tf.cast(value, "float32") for value in values])

        values = self._strategy.run(replica, args=(batch,))
        if self._average:
            self._average.update(number)
        return self._strategy.reduce("MEAN", values, axis=None)

    def __call__(self, batch, number, stop):
        number = tf.constant(number, "int64")
        return self._call(batch, number, tf.constant(stop, "float32"))
