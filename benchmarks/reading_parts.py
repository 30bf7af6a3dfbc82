"""Where the processor time of an image goes, by TensorFlow's own trace.

`python -m benchmarks.input_pipeline --profile` asks: images, boxes, masks and
clips of frames, as they are read for training.
"""

import collections
import json
import pathlib
import tempfile
import time

import numpy as np
import tensorflow as tf
from PIL import Image

from keras_pyconv import datasets
from keras_pyconv.complexity.grid import grid

BATCH, SIZE = 16, (640, 480)
FILES, BATCHES = 64, 10
# By what the names of operations begin with; the first that fits counts.
PARTS = {
    "file": ["ReadFile"],
    "decode": ["JPEG", "PNG", "Decode", "ExtractJpegShape"],
    "resize": ["ScaleAndTranslate", "Resize", "_MklTranspose", "Transpose"],
    "turn, blur": ["ImageProjective", "_MklNativeDepthwise", "MirrorPad"],
    "colours": ["Adjust"],
    "random numbers": ["Stateless"],
    "EXIF": ["StaticRegex", "DecodeRaw", "Substr"],
    "normalize": ["RealDiv", "Sub"],
    "mirror": ["Reverse"],
    "stack": ["TensorList"],
    "second try": ["MapDataset", "FlatMapDataset", "RewriteDataset"],
    "other operations": [""],
}
REST = "between operations, batches"


def write_sets(pictures, root):
    """Boxes, masks and films of JPEGs: of COCO's, ADE20K's and Kinetics' size.

    Gives a `DetectionSet`, a `MaskSet` and a `VideoSet`.
    """
    rng, rows, objects = np.random.default_rng(1), [], []
    images = root / "images" / "training"
    masks = root / "annotations" / "training"
    sides = dict(zip(("width", "height"), SIZE))
    for folder in (masks, images):
        folder.mkdir(parents=True)
    for number, path in enumerate(pictures):
        file = f"{number}.jpg"
        with Image.open(path) as image:
            image = image.resize(SIZE, Image.Resampling.LANCZOS)
        image.save(images / file, quality=93)
        labels = Image.fromarray(rng.integers(0, 151, (12, 16), "uint8"))
        labels = labels.resize(SIZE, Image.Resampling.NEAREST).rotate(7)
        labels.save(masks / f"{number}.png")
        rows.append({"id": number, "file_name": file, **sides})
        for corner in rng.integers(0, 300, (7, 2)).tolist():
            width, height = rng.integers(20, 180, 2).tolist()
            box = {"bbox": [*corner, width, height], "area": width * height}
            named = {"id": len(objects), "image_id": number, "category_id": 1}
            objects.append({**named, **box, "iscrowd": 0})
    kinds = [{"id": 1, "name": "thing"}]
    content = {"images": rows, "annotations": objects, "categories": kinds}
    (root / "boxes.json").write_text(json.dumps(content))
    boxes = datasets.coco_files(root / "boxes.json", images)
    films = {"image_size": 340, "train_examples": 8, "test_examples": 1}
    films = datasets.prepare_digits_in_photos(
        "video", data_dir=root, frames=64, **films
    )
    return boxes, datasets.mask_set(root, "training"), datasets.video_set(films)


def streams(folder, root):
    """`{what: (function to a data set, images a batch)}`, as for training."""
    pictures = datasets.picture_set(folder)
    paths = sorted(pathlib.Path(folder).rglob("*.jpg"))
    boxes, masks, films = write_sets(paths, root)
    rng = np.random.default_rng(1)
    centres, sides = rng.random((8732, 2)), rng.uniform(0.05, 0.8, (8732, 2))
    default = np.concatenate([centres, sides], axis=1).astype("float32")
    shared = {"batch_size": BATCH, "seed": 1}
    return {
        "images": datasets.training_pictures(pictures, **shared),
        "boxes": datasets.training_scenes(boxes, default, (300, 300), **shared),
        "masks": datasets.training_masks(masks, **shared),
        "clips": datasets.training_clips(films, batch_size=2, seed=1),
    }


def _own_milliseconds(folder):
    """What each operation took in all threads, without those inside of it."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    own = collections.Counter()
    for path in pathlib.Path(folder).rglob("*.xplane.pb"):
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
        lines = [
            (line, plane.event_metadata)
            for plane in space.planes
            for line in plane.lines
            if plane.name.startswith("/host:CPU")
        ]
        for line, names in lines:
            open_ones = []
            begun = sorted(
                line.events, key=lambda e: (e.offset_ps, -e.duration_ps)
            )
            for event in begun:
                while open_ones and open_ones[-1][0] <= event.offset_ps:
                    open_ones.pop()
                name = names[event.metadata_id].name
                if open_ones:
                    own[open_ones[-1][1]] -= event.duration_ps / 1e9
                own[name] += event.duration_ps / 1e9
                end = event.offset_ps + event.duration_ps
                open_ones.append((end, name))
    return own


def parts(batches, count):
    """Milliseconds an image of each of `PARTS`, and of the rest."""
    iterator = iter(batches)
    images = next(iterator)[0].shape
    images = count * int(np.prod(images[:-3]))
    for _ in range(2):
        next(iterator)
    with tempfile.TemporaryDirectory() as folder:
        options = tf.profiler.experimental.ProfilerOptions(
            host_tracer_level=3, python_tracer_level=0
        )
        tf.profiler.experimental.start(folder, options)
        begin = time.process_time()
        for _ in range(count):
            next(iterator)
        total = 1e3 * (time.process_time() - begin)
        tf.profiler.experimental.stop()
        own = _own_milliseconds(folder)
    found = dict.fromkeys(PARTS, 0.0)
    for name, milliseconds in own.items():
        # Operations are "node:kind"; what has "::" waits, but for decoders.
        node, _, kind = name.rpartition(":")
        if node and ("::" not in name or name.startswith("Decode")):
            part = next(
                part
                for part, begins in PARTS.items()
                if kind.startswith(tuple(begins))
            )
            found[part] += milliseconds
    found[REST] = total - sum(found.values())
    return {part: value / images for part, value in found.items()}


def measure(folder, smoke):
    """`{what: {part: milliseconds an image}}` of JPEGs in a folder."""
    # What waits for another thread would count as an operation's time.
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    count = 4 if smoke else BATCHES
    with tempfile.TemporaryDirectory() as root:
        made = streams(folder, pathlib.Path(root))
        return {what: parts(batches(), count) for what, batches in made.items()}


def table(rows, style="text"):
    """The parts of each kind, in milliseconds of a processor."""
    header = ["milliseconds an image", *rows]
    lines = [
        [part, *(f"{row[part]:.2f}" for row in rows.values())]
        for part in (*PARTS, REST)
    ]
    sums = (f"{sum(row.values()):.2f}" for row in rows.values())
    return grid(header, [*lines, ["sum", *sums]], style, words=header[:1])
