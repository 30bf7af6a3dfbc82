"""Mean IoU of a segmentation network while it trains."""

from keras_pyconv.tasks.segmentation import (
    confusion_counts,
    mean_iou,
    pixel_accuracy,
)
from keras_pyconv.training.counting import Counting


class RegionScores(Counting):
    """Called with a model, gives its pixel accuracy and mean IoU.

    Args:
        batches: function of `batch_size` and `shard` to a `tf.data.Dataset`
            of (pictures, labels) with as many batches for every shard, as
            `datasets.central_crops` makes it.
        batch_size: pictures in a batch of all machines together.
        classes: how many there are.

    Example:

    ```python
    import functools
    import keras
    from keras_pyconv import datasets, training

    masks = datasets.mask_set("masks", "validation")
    batches = functools.partial(datasets.central_crops, masks, 64)
    evaluate = training.RegionScores(batches, 2, len(masks.classes))
    model = keras.Sequential([
        keras.Input((64, 64, 3)), keras.layers.Conv2D(len(masks.classes), 1),
    ])
    evaluate(model)["mean_iou"]
    ```
    """

    def __init__(self, batches, batch_size, classes):
        super().__init__(batches, batch_size)
        self._classes = classes

    def count(self, model, batch):
        pictures, labels = batch
        logits = model(pictures, training=False)
        return confusion_counts(labels, logits, self._classes)

    def figures(self, totals):
        return {
            "pixel_accuracy": pixel_accuracy(totals),
            "mean_iou": mean_iou(totals),
        }
