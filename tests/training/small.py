"""A small run for the tests: a model with all kinds of state, and its data."""

import time

import keras
import numpy as np
import tensorflow as tf

from keras_pyconv import training

EPOCHS, STEPS_PER_EPOCH, BATCH = 3, 4, 8
RUN = {
    "epochs": EPOCHS,
    "steps_per_epoch": STEPS_PER_EPOCH,
    "constants": {"variant": "small"},
    "seed": 7,
}


def batches(first_step=0, batch=BATCH, part=slice(None), wait=0.0):
    """Element n follows from the seed and first_step + n alone."""

    def one(step):
        seed = tf.stack([tf.constant(3, "int64"), step])
        x = tf.random.stateless_normal((batch, 6, 6, 3), seed)
        y = tf.cast(tf.reduce_mean(x, (1, 2, 3)) > 0, "int32")
        return x[part], y[part]

    options = tf.data.Options()
    # The tuning thread takes a second to end, which is most of a test.
    options.autotune.enabled = False
    dataset = tf.data.Dataset.counter(first_step).map(one)
    if wait:
        dataset = dataset.map(lambda x, y: _after(wait, x, y))
    return dataset.with_options(options)


def _after(seconds, x, y):
    """The batch, some time later, so that a test can come between steps."""

    def wait(x):
        time.sleep(seconds)
        return x

    waited = tf.numpy_function(wait, [x], x.dtype)
    return tf.ensure_shape(waited, x.shape), y


def model(
    strategy=None,
    dropout=0.5,
    normalized=True,
    synchronized=False,
    sizes=(4,),
    **options
):
    """A convolution, batch normalization, dropout, and momentum."""
    strategy = strategy or tf.distribute.get_strategy()
    keras.utils.set_random_seed(5)
    with strategy.scope():
        layers = [keras.Input((6, 6, 3))]
        for size in sizes:
            layers.append(keras.layers.Conv2D(size, 3))
        if normalized:
            layers.append(
                keras.layers.BatchNormalization(synchronized=synchronized)
            )
        layers += [keras.layers.ReLU(), keras.layers.Flatten()]
        layers += [keras.layers.Dropout(dropout)] * bool(dropout)
        layers.append(keras.layers.Dense(2))
        built = keras.Sequential(layers, name="small")
        rate = training.step_decay(0.1, (1, 2), STEPS_PER_EPOCH)
        options.setdefault("optimizer", training.SGD(rate))
        # What is called is made in the strategy's scope.
        made = {k: v() if callable(v) else v for k, v in options.items()}
        built.compile(
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            **made,
        )
    return built


def validate(trained):
    """A figure that follows from the weights."""
    x, y = next(iter(batches(1000, batch=32)))
    logits = trained(x, training=False).numpy()
    return {"accuracy": float((logits.argmax(-1) == y.numpy()).mean())}


def held_out(batch_size, shard=(0, 1)):
    """11 examples in equal batches for every shard, filled up by weight 0."""
    index, workers = shard
    x, y = next(iter(batches(1000, batch=11)))
    x, y = x[index::workers], y[index::workers]
    count = -(-(-(-11 // workers)) // batch_size) * batch_size
    columns = [
        np.concatenate([column, np.zeros((count, *column.shape[1:]))[len(x) :]])
        for column in (x, y, np.ones(len(x), "float32"))
    ]
    columns = [column.astype("float32") for column in columns]
    dataset = tf.data.Dataset.from_tensor_slices(tuple(columns))
    return dataset.batch(batch_size, drop_remainder=True)


def run(folder, trained=None, callbacks=(), evaluate=validate, **changes):
    """Trains in `folder`; returns the model and its history."""
    trained = trained or model()
    callbacks = list(callbacks)
    if evaluate is not None:
        callbacks.append(training.Evaluation(evaluate))
    options = {**RUN, "batches": batches, **changes}
    fit = options.pop("fit", {})
    with training.Run(folder, trained, **options) as run:
        trained.fit(
            **run.fit_arguments, **fit, callbacks=run.callbacks(callbacks)
        )
    return trained, run.history


def arrays(trained):
    """The model's and the optimizer's variables."""
    variables = trained.variables + trained.optimizer.variables
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def assert_same(first, second):
    """Equal to the last bit."""
    for a, b in zip(arrays(first), arrays(second), strict=True):
        np.testing.assert_array_equal(a, b)
