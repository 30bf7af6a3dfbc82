"""Variables whose values differ from device to device.

These are the sums of metrics, of which every device has its own, and the
moving statistics of batch normalization that is not synchronized.
"""

import numpy as np

from keras_pyconv.lazy import tf


def _is_sum(variable):
    return variable.synchronization == "on_read"


class PerDevice:
    """Reads and assigns such variables on all devices of all machines.

    Args:
        variables: of Keras.
        strategy: that they were made in.
    """

    def __init__(self, variables, strategy):
        self._variables, self._strategy = variables, strategy
        self._ids = {id(variable) for variable in variables}
        self._devices = strategy.num_replicas_in_sync
        kinds = sorted({variable.dtype for variable in variables})
        self._of_kind = [[v for v in variables if v.dtype == k] for k in kinds]

    def has(self, variable):
        return id(variable) in self._ids

    def read(self):
        """An array for each variable, by its id.

        It has the variable's shape where all devices have the same, else an
        axis of devices before it; of a sum it always has that on several.
        """

        def flat():
            return [
                tf.concat([tf.reshape(v, [1, -1]) for v in of_kind], 1)
                for of_kind in self._of_kind
            ]

        arrays = {}
        for of_kind, rows in zip(self._of_kind, self._strategy.run(flat)):
            rows = self._strategy.gather(rows, axis=0).numpy()
            sizes = [int(np.prod(variable.shape)) for variable in of_kind]
            parts = np.split(rows, np.cumsum(sizes)[:-1], axis=1)
            for variable, part in zip(of_kind, parts):
                array = part.reshape((self._devices, *variable.shape))
                same = not _is_sum(variable) and _all_same(array)
                whole = same or self._devices == 1
                arrays[id(variable)] = array[0] if whole else array
        return arrays

    def assign(self, arrays):
        """Takes over what `read` gave, on so many devices or others."""
        rows = [
            self._rows(variable, arrays[id(variable)])
            for variable in self._variables
        ]

        def on_one():
            context = tf.distribute.get_replica_context()
            number = context.replica_id_in_sync_group
            for variable, row in zip(self._variables, rows):
                variable.assign(tf.gather(row, number))

        self._strategy.run(on_one)

    def _rows(self, variable, array):
        if array.ndim == len(variable.shape):
            array = array[np.newaxis]
        if len(array) == self._devices:
            return array
        if not _is_sum(variable):
            return np.repeat(array[:1], self._devices, axis=0)
        rows = np.zeros((self._devices, *variable.shape), array.dtype)
        rows[0] = array.sum(axis=0)
        return rows


def _all_same(rows):
    return all(row.tobytes() == rows[0].tobytes() for row in rows[1:])
