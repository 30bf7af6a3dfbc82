"""PyConvSSD and its baseline SSD (supplement, section 1, Figure 1, Table 1).

`classes` counts the background, as the paper's 81 do. It is class 0 of the
logits; label `l` of a data set is class `l + 1`.
"""

import keras

from keras_pyconv.architectures import (
    DETECTORS,
    Architecture,
    Detector,
    get_detector,
)
from keras_pyconv.architectures.lookup import find
from keras_pyconv.arguments import integer, layer_name
from keras_pyconv.models.arguments import (
    check_backbone_weights,
    check_keras_weights,
    check_weights,
    image_input,
    names_itself,
    sizes_of,
)
from keras_pyconv.models.classifiers import complete_help, finish
from keras_pyconv.models.keras_net import KerasNet
from keras_pyconv.networks import detector as described
from keras_pyconv.typing import Shape, Tensor, Weights


@names_itself
def build_detector(
    detector: Detector | str,
    weights: Weights | None = None,
    backbone_weights: Weights | keras.Model | None = None,
    input_tensor: Tensor | None = None,
    input_shape: Shape | None = None,
    classes: int = 81,
    name: str | None = None,
) -> keras.Model:
    """Builds the detector of a record (supplement, section 1).

    Args:
        detector: A `Detector`, or the name of a row of `DETECTORS`.
        weights: None for the reference's random initialization, or the path
            of a Keras file for the whole detector.
        backbone_weights: None; or a classifier with this backbone, the path
            of its weights file (Keras or PyTorch), or the name of published
            weights, such as `"imagenet"`.
        input_tensor: Keras tensor to use as the images.
        input_shape: Shape of an image without the batch; the default is the
            record's size and three channels. The number of boxes depends on
            the size; None leaves the size open.
        classes: Number of classes, including the background: 81 for COCO.
        name: Name of the model; by default the record's, in lower case.

    Returns:
        A `keras.Model` from images, RGB in [0, 1] normalized by ImageNet's
        mean and standard deviation, to a dictionary of raw float32 outputs:
        `"offsets"` `(batch, num_boxes, 4)`, the centre and size of each
        object relative to its default box, and `"logits"` `(batch,
        num_boxes, classes)`, class 0 being the background. What turns them
        into detections is in `keras_pyconv.tasks`.

    Raises:
        ValueError: if an argument is not valid.
    """
    detector = find("detector", detector, Detector, DETECTORS)
    # One of them is the background.
    integer("classes", classes, at_least=2)
    check_weights(weights, detector.name)
    hint = "; `backbone_weights` takes a classifier's"
    check_keras_weights(weights, "Detectors", hint)
    check_backbone_weights(backbone_weights, detector.backbone.name)
    layer_name("name", name)
    images = image_input(input_tensor, input_shape, True, detector.input_size)
    # Sizes that are not known yet are not wrong yet.
    sizes = (size or detector.input_size for size in sizes_of(images))
    detector.map_sizes(*sizes)
    outputs = described(KerasNet(), images, detector, int(classes))
    name = name or detector.name.lower()
    return finish(images, outputs, name, weights, backbone_weights)


@names_itself
def PyConvSSD(
    backbone: Architecture | str = "PyConvResNet50",
    weights: Weights | None = None,
    backbone_weights: Weights | keras.Model | None = None,
    input_tensor: Tensor | None = None,
    input_shape: Shape | None = None,
    classes: int = 81,
    name: str | None = None,
) -> keras.Model:
    """PyConvSSD: SSD with pyramids in the backbone and in the extra layers
    (paper, supplement, section 1).

    Args:
        backbone: Name of a residual network, a row of `ARCHITECTURES`, or an
            `Architecture`. Those of the paper are PyConvResNet50 and
            PyConvResNet101; PyConvResNetMini makes a small detector for
            images of 128 x 128.
    """
    row = get_detector("PyConvSSD", backbone)
    ending = input_tensor, input_shape, classes, name
    return build_detector(row, weights, backbone_weights, *ending)


@names_itself
def SSD(
    backbone: Architecture | str = "ResNet50",
    weights: Weights | None = None,
    backbone_weights: Weights | keras.Model | None = None,
    input_tensor: Tensor | None = None,
    input_shape: Shape | None = None,
    classes: int = 81,
    name: str | None = None,
) -> keras.Model:
    """SSD, the paper's baseline: one 3x3 in each extra layer (supplement,
    section 1).

    Args:
        backbone: Name of a residual network, a row of `ARCHITECTURES`, or an
            `Architecture`. Those of the paper are ResNet50 and ResNet101;
            ResNetMini makes a small detector for images of 128 x 128.
    """
    row = get_detector("SSD", backbone)
    ending = input_tensor, input_shape, classes, name
    return build_detector(row, weights, backbone_weights, *ending)


complete_help(PyConvSSD, build_detector)
complete_help(SSD, build_detector)
