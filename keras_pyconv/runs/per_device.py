"""Variables that differ from device to device: sums and moving statistics."""

import numpy as np

from keras_pyconv.lazy import tf


def read(variables, strategy):
    """An array of each, with an axis of all devices where there are several."""
    rows = strategy.run(lambda: [v[tf.newaxis, ...] for v in variables])
    arrays = [strategy.gather(row, axis=0).numpy() for row in rows]
    several = strategy.num_replicas_in_sync > 1
    return arrays if several else [array[0] for array in arrays]


def assign(variables, arrays, strategy):
    """Takes over what `read` gave, on so many devices or others."""
    devices = strategy.num_replicas_in_sync
    rows = [_rows(v, array, devices) for v, array in zip(variables, arrays)]

    def on_one():
        context = tf.distribute.get_replica_context()
        number = context.replica_id_in_sync_group
        for variable, row in zip(variables, rows):
            variable.assign(tf.gather(row, number))

    strategy.run(on_one)


def _rows(variable, array, devices):
    if array.ndim == len(variable.shape):
        array = array[np.newaxis]
    if len(array) == devices:
        return array
    if variable.synchronization != "on_read":
        return np.repeat(array[:1], devices, axis=0)
    # The sums of metrics are added up in the end.
    rows = np.zeros((devices, *variable.shape), array.dtype)
    rows[0] = array.sum(axis=0)
    return rows
