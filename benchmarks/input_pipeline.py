"""How many training pictures a second does a core read, crop and resize?

    python -m benchmarks.input_pipeline            about five minutes
    python -m benchmarks.input_pipeline --smoke    few pictures
    python -m benchmarks.input_pipeline --profile  where ours spends it

JPEGs of ImageNet's usual size, then a camera's, become batches of 224 x 224, by
contenders that take turns, each in a process of its own. The figure is images
per second of processor time, all threads and child processes together, which a
busy machine disturbs little. torchvision joins where it can be imported; its
random crop is also written here with Pillow, which is what torchvision calls.
"""

import pathlib
import resource
import statistics
import sys
import tempfile
import time

import numpy as np
import tensorflow as tf
from PIL import Image

from benchmarks import reading_parts
from benchmarks.records import command_line, write_record
from keras_pyconv import datasets
from keras_pyconv.children import ChildEnded, call
from keras_pyconv.complexity.grid import grid
from keras_pyconv.provenance import cores

SIDE, BATCH = 224, 64
GRAIN = 6  # gray levels, the deviation of a large photograph's noise
NORMAL = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean, deviation
USUAL, LARGE = (500, 375), (2000, 1500)
FULL = [
    {"size": USUAL, "files": 256, "batches": 20, "rounds": 3},
    {"size": LARGE, "files": BATCH, "batches": 8, "rounds": 3},
]
SMOKE = [{"size": USUAL, "files": BATCH, "batches": 2, "rounds": 1}]


def write_folder(root, count, size=USUAL):
    """JPEGs of two classes in `root/train`, crops of two photographs."""
    from sklearn.datasets import load_sample_images

    rng = np.random.default_rng(1)
    photos = load_sample_images().images
    for number in range(count):
        photo = Image.fromarray(photos[number % 2])
        wide = rng.integers(400, 560)
        tall = round(wide * size[1] / size[0])
        left = rng.integers(photo.width - wide)
        top = rng.integers(photo.height - tall)
        box = (left, top, left + wide, top + tall)
        crop = photo.resize(size, Image.Resampling.LANCZOS, box)
        if size > photo.size:
            # Enlarged, a photograph is smooth; a camera's is not.
            noise = rng.normal(0, GRAIN, size[::-1])[..., np.newaxis]
            noisy = np.clip(np.asarray(crop) + noise, 0, 255)
            crop = Image.fromarray(noisy.astype("uint8"))
        path = root / "train" / str(number % 2) / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        crop.save(path, quality=93)
    return root


# The contenders: functions from a folder to so many batches ------------------


def ours(folder, batches):
    """`training_pictures`: only the crop is decoded, antialiased resize."""
    pictures = datasets.picture_set(folder)
    batches = datasets.training_pictures(pictures, batch_size=BATCH, seed=1)
    return iter(batches())


def ours_evaluation(folder, batches):
    """`evaluation_pictures`: all is decoded, short side 256, centre 224."""
    pictures = datasets.picture_set(folder)
    batches = datasets.evaluation_pictures(pictures, batch_size=BATCH)
    return iter(batches.repeat())


def tfds_example(folder, batches):
    """TFDS as its guide shows it: pictures come decoded, are cropped by
    `sample_distorted_bounding_box`, resized without antialiasing."""
    import tensorflow_datasets as tfds

    def prepare(picture, label):
        begin, size, _ = tf.image.sample_distorted_bounding_box(
            tf.shape(picture),
            tf.constant([[[0.0, 0.0, 1.0, 1.0]]]),
            aspect_ratio_range=(3 / 4, 4 / 3),
            area_range=(0.08, 1.0),
            max_attempts=10,
        )
        crop = tf.slice(picture, begin, size)
        square = tf.image.resize(tf.reshape(crop, size), (SIDE, SIDE))
        square = tf.image.random_flip_left_right(square)
        return (square / 255.0 - NORMAL[0]) / NORMAL[1], label

    builder = tfds.folder_dataset.ImageFolder(folder)
    dataset = builder.as_dataset(
        split="train",
        shuffle_files=True,
        as_supervised=True,
        # Decoded pictures in memory would be another question.
        read_config=tfds.ReadConfig(try_autocache=False),
    )
    dataset = dataset.repeat().shuffle(64)
    dataset = dataset.map(prepare, num_parallel_calls=tf.data.AUTOTUNE)
    dataset = dataset.batch(BATCH, drop_remainder=True)
    return iter(dataset.prefetch(tf.data.AUTOTUNE))


def torch_pillow(folder, batches):
    """PyTorch's DataLoader with a worker a core, and torchvision's
    RandomResizedCrop, flip, ToTensor and Normalize in Pillow and NumPy."""
    paths = sorted(pathlib.Path(folder, "train").rglob("*.jpg"))
    paths = [paths[n % len(paths)] for n in range(batches * BATCH)]
    return torch_batches(Folder(paths), shuffle=True)


def torchvision_example(folder, batches):
    """torchvision as its training reference has it: ImageFolder, its own
    RandomResizedCrop, flip, ToTensor and Normalize, a worker a core."""
    import torch
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    transform = transforms.Compose(
        [
            transforms.RandomResizedCrop(SIDE),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(*NORMAL),
        ]
    )
    pictures = ImageFolder(pathlib.Path(folder, "train"), transform)
    order = torch.utils.data.RandomSampler(
        pictures, replacement=True, num_samples=batches * BATCH
    )
    return torch_batches(pictures, sampler=order)


def torch_batches(pictures, **order):
    """Batches of a map-style data set, by a worker a core."""
    import torch

    loader = torch.utils.data.DataLoader(
        pictures, batch_size=BATCH, num_workers=cores(), drop_last=True, **order
    )
    return iter(loader)


class Folder:
    """A map-style data set of PyTorch: a random crop of each file."""

    def __init__(self, paths):
        self.paths = paths

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, number):
        import torch

        with Image.open(self.paths[number]) as file:
            image = file.convert("RGB")
        box = self.box(image.height, image.width, torch)
        image = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box)
        if torch.rand(1) < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
        mean, deviation = (torch.tensor(x)[:, None, None] for x in NORMAL)
        tensor = pixels.contiguous().to(torch.float32).div_(255)
        return tensor.sub_(mean).div_(deviation), number % 2

    @staticmethod
    def box(height, width, torch):
        """Left, top, right and bottom of a crop."""
        for _ in range(10):
            share, stretch = torch.rand(2).tolist()
            area = height * width * (0.08 + 0.92 * share)
            aspect = (3 / 4) * (16 / 9) ** stretch
            wide = round((area * aspect) ** 0.5)
            tall = round((area / aspect) ** 0.5)
            if 0 < wide <= width and 0 < tall <= height:
                top = int(torch.randint(height - tall + 1, ()))
                left = int(torch.randint(width - wide + 1, ()))
                return left, top, left + wide, top + tall
        return 0, 0, width, height


CONTENDERS = {
    "ours": ours,
    "TFDS, example pipeline": tfds_example,
    "PyTorch DataLoader with Pillow": torch_pillow,
    "ours, evaluation": ours_evaluation,
    "torchvision": torchvision_example,
}

WITH_WORKERS = ("PyTorch DataLoader with Pillow", "torchvision")

# Measuring -------------------------------------------------------------------


def _processor_seconds():
    """Of this process and of its children that have ended."""
    whose = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    return sum(sum(resource.getrusage(who)[:2]) for who in whose)


def run(name, folder, batches):
    """Seconds for an image, of the clock and of the processors."""
    iterator = CONTENDERS[name](str(folder), batches + 1)
    next(iterator)
    clock, processor = time.perf_counter(), _processor_seconds()
    for _ in range(batches):
        next(iterator)
    clock = time.perf_counter() - clock
    # Ends PyTorch's workers, whose time counts from then on: all of it, that
    # for the first batch too.
    workers = name in WITH_WORKERS
    del iterator
    processor = _processor_seconds() - processor
    return {
        "clock": clock / (batches * BATCH),
        "processor": processor / ((batches + workers) * BATCH),
    }


def measure(settings):
    """`{contender: [seconds a picture in each round]}`."""
    rows = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory() as root:
        folder = pathlib.Path(root)
        write_folder(folder, settings["files"], settings["size"])
        for _ in range(settings["rounds"]):
            for name, turns in rows.items():
                task = name, str(folder), settings["batches"]
                try:
                    turns.append(call("benchmarks.input_pipeline:run", *task))
                except ChildEnded as ended:
                    print(f"{name}: not measured ({ended})", file=sys.stderr)
    return rows


def _speed(turns, kind):
    return 1 / statistics.median(turn[kind] for turn in turns)


def table(rows, style="text"):
    """Speeds, and how many times as fast ours is."""
    lines = []
    for name, turns in rows.items():
        if not turns:
            lines.append([name, "not measured", "", ""])
            continue
        per_core = _speed(turns, "processor")
        ratio = ""
        if name != "ours" and rows["ours"]:
            ratio = f"{_speed(rows['ours'], 'processor') / per_core:.2f} ×"
        clock = f"{_speed(turns, 'clock'):.0f}"
        lines.append([name, f"{per_core:.0f}", ratio, clock])
    header = ["", "images/s a core", "ours is", "images/s, all cores"]
    return grid(header, lines, style, words=header[:1])


def main(arguments=None):
    """Entry point; returns the record."""
    parser = command_line(__doc__)
    parser.add_argument(
        "--profile",
        action="store_true",
        help="trace ours instead: images, boxes, masks and clips of frames",
    )
    options = parser.parse_args(arguments)
    if options.profile:
        with tempfile.TemporaryDirectory() as root:
            folder = write_folder(pathlib.Path(root), reading_parts.FILES)
            rows = reading_parts.measure(folder, options.smoke)
        print(reading_parts.table(rows, "markdown"))
        return write_record(options, "reading-parts", rows=rows)
    sizes = []
    for settings in SMOKE if options.smoke else FULL:
        sizes.append({**settings, "batch": BATCH, "rows": measure(settings)})
        print("\nJPEGs of {} x {}:\n".format(*settings["size"]))
        print(table(sizes[-1]["rows"], "markdown"))
    return write_record(options, "input-pipeline", sizes=sizes)


if __name__ == "__main__":
    main()
