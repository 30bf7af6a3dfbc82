"""A trained classifier's stem and stages in another network.

The fact a reader would get wrong: layers are found by their names, and all
of those that the other network has must be there; what the classifier has
besides, such as a fourth stage, is left.
"""

import keras


def backbone_layers(model):
    """The layers with weights of a network's stem and stages."""
    return [
        layer
        for layer in model.layers
        if layer.weights and layer.name.startswith("conv")
    ]


def load_backbone(model, classifier):
    """Copies a classifier's stem and stages, as far as a network has them.

    Args:
        model: A network with a backbone, such as a detector.
        classifier: A network of `build_classifier`, from the same row; its
            classes and input size may be any.

    Raises:
        ValueError: if the classifier lacks a layer of the backbone, or has
            one of other shapes; the message lists them.
    """
    known = {layer.name: layer for layer in classifier.layers}
    pairs, wrong = [], []
    for layer in backbone_layers(model):
        other = known.get(layer.name)
        shapes = [
            [tuple(weight.shape) for weight in one.weights]
            for one in (layer, other or keras.layers.Identity())
        ]
        pairs.append((layer, other))
        wrong += [layer.name] * (shapes[0] != shapes[1])
    if wrong or not pairs:
        raise ValueError(
            f"{classifier.name!r} is no classifier for the backbone of "
            f"{model.name!r}. Missing or of other shapes: "
            f"{', '.join(wrong) or 'all'}"
        )
    for layer, other in pairs:
        layer.set_weights(other.get_weights())
