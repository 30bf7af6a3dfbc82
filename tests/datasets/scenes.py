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


EXIF_ORIENTATION = 0x0112


def stored(picture, orientation):
    """A picture as a camera stores it that notes this orientation."""
    from PIL import Image, ImageOps

    # Each is undone by itself but the two quarter turns by each other.
    undone = {6: 8, 8: 6}.get(orientation, orientation)
    image = Image.fromarray(picture)
    image.getexif()[EXIF_ORIENTATION] = undone
    return ImageOps.exif_transpose(image)


def save_turned(path, picture, orientation, **options):
    """Writes a picture that viewers show as it is given.

    Args:
        path: of the file.
        picture: uint8 `(height, width, 3)`.
        orientation: from 1 to 8, noted in the file.
        **options: of Pillow's `save`.
    """
    from PIL import Image

    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    stored(picture, orientation).save(path, exif=exif, **options)


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


def create_coco_tf_record(annotations, folder, prefix, shards=2):
    """Runs TF Model Garden's converter of COCO, as its command does."""
    from absl import flags
    from official.vision.data import create_coco_tf_record as converter

    if not flags.FLAGS.is_parsed():
        flags.FLAGS(["create_coco_tf_record", "--num_processes=0"])
    converter._create_tf_record_from_coco_annotations(
        images_info_file=str(annotations),
        image_dirs=[str(folder)],
        output_path=str(prefix),
        num_shards=shards,
        object_annotations_file=str(annotations),
    )
