"""Pictures of one bright box on black, and COCO files of them."""

import json

import numpy as np


def bright_box(height, width, box):
    """A black picture with a white box (ymin, xmin, ymax, xmax) in pixels."""
    pixels = np.zeros((height, width, 3), "uint8")
    ymin, xmin, ymax, xmax = box
    pixels[ymin:ymax, xmin:xmax] = 255
    return pixels


def extent(pixels):
    """Where a picture is bright, as fractions (ymin, xmin, ymax, xmax)."""
    bright = np.asarray(pixels).mean(-1)
    bright = bright > (bright.min() + bright.max()) / 2
    sides = []
    for axis in (1, 0):
        at = np.flatnonzero(bright.any(axis))
        sides.append(
            (
                at[0] / len(bright.any(axis)),
                (at[-1] + 1) / len(bright.any(axis)),
            )
        )
    (ymin, ymax), (xmin, xmax) = sides
    return np.array([ymin, xmin, ymax, xmax])


BOXES = [(10, 20, 40, 60), (5, 5, 25, 25), (30, 10, 48, 70)]


def coco_content():
    """Three pictures of 50 x 80 with one object each, ids 7, 9 and 8."""
    images = [
        {"id": i, "file_name": f"{i}.png", "height": 50, "width": 80}
        for i in (7, 9, 8)
    ]
    annotations = [
        {
            "id": number,
            "image_id": image["id"],
            "category_id": (18, 1, 90)[number],
            "bbox": [xmin, ymin, xmax - xmin, ymax - ymin],
            "area": 1.5 + number,
            "iscrowd": 0,
        }
        for number, (image, (ymin, xmin, ymax, xmax)) in enumerate(
            zip(images, BOXES)
        )
    ]
    categories = [
        {"id": i, "name": name} for i, name in ((90, "z"), (1, "a"), (18, "d"))
    ]
    return {
        "images": images,
        "annotations": annotations,
        "categories": categories,
    }


def write_coco(folder, content=None):
    """Writes pictures and their JSON file; returns the file's path."""
    from PIL import Image

    content = content or coco_content()
    for image, box in zip(content["images"], BOXES):
        picture = bright_box(image["height"], image["width"], box)
        Image.fromarray(picture).save(folder / image["file_name"])
    path = folder / "instances.json"
    path.write_text(json.dumps(content))
    return path
