"""The errors of a classifier while it trains.

The fact a reader would get wrong: the last batch is filled up with pictures of
weight 0, so that figures are those of one device, to the last picture.
"""

from keras_pyconv.lazy import tf
from keras_pyconv.tasks import error_rates
from keras_pyconv.training.counting import Counting


class ErrorRates(Counting):
    """Called with a model, gives its top-1 and top-5 error.

    Args:
        batches: function of `batch_size` and `shard` to a `tf.data.Dataset`
            of (pictures, labels, weights) with as many batches for every
            shard, as `datasets.evaluation_pictures` makes it.
        batch_size: pictures in a batch of all machines together.

    Example:

    ```python
    import functools
    import keras
    from keras_pyconv import datasets, training

    photos = datasets.picture_set("photos", "validation")
    batches = functools.partial(datasets.evaluation_pictures, photos)
    evaluate = training.ErrorRates(batches, batch_size=4)
    model = keras.Sequential([
        keras.Input((224, 224, 3)),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(len(photos.classes), "softmax"),
    ])
    evaluate(model)["top1_error"]
    ```
    """

    def count(self, model, batch):
        pictures, labels, weights = batch
        scores = model(pictures, training=False)
        hits = tf.cast(error_rates.hits(scores, labels), tf.float64)
        columns = tf.concat([tf.ones_like(hits[:, :1]), hits], axis=1)
        weights = tf.cast(weights, tf.float64)[:, tf.newaxis]
        return tf.reduce_sum(weights * columns, axis=0)

    def figures(self, totals):
        pictures, *hits = totals.tolist()
        return {
            name: 1 - right / pictures
            for name, right in zip(error_rates.names(), hits)
        }
