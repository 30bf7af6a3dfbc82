"""What a server of other libraries' models takes and gives."""

from keras_pyconv.export.signatures.signature import Signature
from keras_pyconv.lazy import tf

OUTPUTS = {
    "boxes": "in the model's `bounding_box_format`; -1 behind the last",
    "scores": "from 0 to 1, descending",
    "classes": "from 0, -1 behind the last detection",
    "num_detections": "how many rows are detections",
}


def retinanet_signatures(model):
    """The signature of a keras-cv `RetinaNet`: boxes, as `predict` gives them.

    Without it an export has the raw outputs of the network.

    Args:
        model: a `keras_cv.models.RetinaNet` of a fixed image size.

    Returns:
        List of one `Signature`, `serving_default`, for `export.saved_model`.

    Raises:
        ValueError: if the model decodes no predictions, or takes images of
            any size.

    Example:

    >>> signatures = retinanet_signatures(model)
    >>> keras_pyconv.export.saved_model(
    ...     model, "saved_models/retinanet", signatures=signatures
    ... )
    """
    if not hasattr(model, "decode_predictions"):
        raise ValueError(
            "`model` must be a keras_cv.models.RetinaNet, or another that has "
            f"`decode_predictions`. Received: {type(model).__name__}"
        )
    shape = model.input_shape
    shape = next(iter(shape.values())) if isinstance(shape, dict) else shape
    if None in shape[1:]:
        raise ValueError(
            "A served RetinaNet needs a fixed image size, on which its "
            "anchors depend: build the backbone with an `input_shape`. "
            f"Received: {tuple(shape)}"
        )

    def detect(served, tensors):
        images = tensors["images"]
        found = model.decode_predictions(served(images), images)
        scores = found["confidence"]
        return {
            "boxes": found["boxes"],
            "scores": scores,
            "classes": tf.cast(found["classes"], tf.int64),
            "num_detections": found["num_detections"],
        }

    return [
        Signature(
            "serving_default",
            {"images": tf.TensorSpec(tuple(shape), tf.float32)},
            detect,
            meaning="Images as the model takes them.",
            outputs=OUTPUTS,
        )
    ]
