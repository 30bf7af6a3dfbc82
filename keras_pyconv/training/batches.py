"""A run's batches by their number, brought to the devices.

The fact a reader would get wrong: the stream is asked for "from step n on",
once at the start of a process, and is not begun anew with every epoch.
"""

from keras_pyconv.training import steps


class Batches:
    """Gives the batch of each step in turn.

    Args:
        batches: function of the first step to a `tf.data.Dataset`.
        strategy: the model's.
        machines: int.
        first_step: int.
    """

    def __init__(self, batches, strategy, machines, first_step):
        self._batches = batches
        self._strategy, self._machines = strategy, machines
        self._dataset = batches(first_step)
        self._iterator = None
        self.element_spec = self._dataset.element_spec

    def next(self, step):
        """The batch of that step; a stream that ended is begun there."""
        if self._iterator is None:
            self._iterate()
        try:
            return next(self._iterator)
        except StopIteration:
            self._dataset = self._batches(step)
            self._iterate()
        try:
            return next(self._iterator)
        except StopIteration:
            raise ValueError(
                f"batches({step}) gives no batch. It must begin with that of "
                f"step {step}, counted from the beginning of the run."
            ) from None

    def _iterate(self):
        self._iterator = iter(
            steps.distributed(self._dataset, self._strategy, self._machines)
        )
