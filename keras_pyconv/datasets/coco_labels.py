"""COCO's 80 classes: their names, and the ids that its files call them by.

The fact a reader would get wrong: ids run from 1 to 90 and ten of them are
not used, so that an id is no label. Labels, here and in TFDS, count the used
ids from 0 in their order; result files must have ids again.
"""

COCO_NAMES = (
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train"),
    *("truck", "boat", "traffic light", "fire hydrant", "stop sign"),
    *("parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow"),
    *("elephant", "bear", "zebra", "giraffe", "backpack", "umbrella"),
    *("handbag", "tie", "suitcase", "frisbee", "skis", "snowboard"),
    *("sports ball", "kite", "baseball bat", "baseball glove", "skateboard"),
    *("surfboard", "tennis racket", "bottle", "wine glass", "cup", "fork"),
    *("knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange"),
    *("broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair"),
    *("couch", "potted plant", "bed", "dining table", "toilet", "tv"),
    *("laptop", "mouse", "remote", "keyboard", "cell phone", "microwave"),
    *("oven", "toaster", "sink", "refrigerator", "book", "clock", "vase"),
    *("scissors", "teddy bear", "hair drier", "toothbrush"),
)
UNUSED_IDS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
COCO_IDS = tuple(i for i in range(1, 91) if i not in UNUSED_IDS)


def coco_id(label: int) -> int:
    """The id from 1 to 90 of a label from 0 to 79.

    Raises:
        ValueError: if there is no such label.
    """
    if not 0 <= label < len(COCO_IDS):
        raise ValueError(
            f"COCO's labels are 0 to {len(COCO_IDS) - 1}; got {label}"
        )
    return COCO_IDS[int(label)]


def coco_label(category_id: int) -> int:
    """The label from 0 to 79 of an id from 1 to 90.

    Raises:
        ValueError: if no class has this id.
    """
    if category_id not in COCO_IDS:
        raise ValueError(
            f"No class of COCO has the id {category_id}. Unused between 1 "
            f"and 90: {', '.join(map(str, UNUSED_IDS))}"
        )
    return COCO_IDS.index(category_id)
