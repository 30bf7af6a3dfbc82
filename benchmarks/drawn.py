"""Outputs of a detector that has found something, which random weights do not.

Decoding depends on how much is found: a crowded image takes longer.
"""

import numpy as np

from benchmarks.plan import CLASSES

STANDING_OUT = 400  # boxes of an image that some class is found in


def drawn_outputs(batch, boxes, seed=1):
    """Offsets and logits in which a part of the boxes stands out."""
    rng = np.random.default_rng(seed)
    offsets = rng.normal(size=(batch, boxes, 4)).astype("float32")
    logits = np.zeros((batch, boxes, CLASSES["detection"]), "float32")
    logits[..., 0] = 9.0
    for row in logits:
        chosen = rng.permutation(boxes)[: min(STANDING_OUT, boxes // 4)]
        labels = rng.integers(1, CLASSES["detection"], len(chosen))
        row[chosen, labels] = rng.uniform(6.5, 12.0, len(chosen))
    return offsets, logits
