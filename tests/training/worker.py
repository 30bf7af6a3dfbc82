"""One of several machines that train the small model; a process of its own."""

import pathlib
import sys

from keras_pyconv import training
from keras_pyconv.training import logs
from tests.training import small


def main(folder, seconds_a_step):
    logs.curves = lambda history: b""
    strategy = training.make_strategy("multi_worker")
    index, machines = training.shard(strategy)
    size = small.BATCH // machines
    part = slice(index * size, (index + 1) * size)

    def batches(first_step):
        return small.batches(first_step, part=part, wait=seconds_a_step)

    training.fit(
        small.model(strategy, dropout=0.0, synchronized=True),
        batches,
        workdir=folder,
        evaluate=small.validate,
        save_every_steps=1,
        ema=0.9,
        **small.RUN,
    )


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), float(sys.argv[2]))
