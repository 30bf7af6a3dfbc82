# %% [markdown]
# # Segment and detect
#
# PyConvSegNet labels every pixel, and PyConvSSD draws boxes around objects. A
# useful model takes hours of training. Here each learns sixteen images in a
# minute, which shows the data, the loss, the training and the results. The
# guides are [segmentation](../segmentation.md) and
# [detection](../detection.md).
#
# **Install.** In a clone of the repository, run `pip install
# ".[detection,recipes]"`. In Colab, upload a wheel, which `pip wheel
# --no-deps .` builds in the clone, and run `%pip install
# "keras_pyconv-VERSION-py3-none-any.whl[detection,recipes]"` in a cell.

# %%
import keras
import matplotlib.pyplot as plt

import keras_pyconv
from keras_pyconv import datasets, tasks, training

SIDE, COUNT = 64, 16
NAMES = [str(digit) for digit in range(10)]

# %% [markdown]
# ## Segment
#
# Load sixteen images with one to three digits each, and their masks: 0 is the
# photograph, and 1 to 10 are the digits.

# %%
numbers = dict(
    image_size=SIDE,
    train_examples=COUNT,
    test_examples=1,
    smallest=0.3,
    max_objects=3,
)
data = datasets.load_digits_in_photos(
    "segmentation", "train", batch_size=-1, **numbers
)
images = data["image"].numpy()
masks = data["segmentation_mask"].numpy()[..., 0]

# %% [markdown]
# Build a small backbone with a narrow head, and train it with the
# segmentation loss.

# %%
keras.utils.set_random_seed(1)
segmenter = keras_pyconv.PyConvSegNet(
    "PyConvResNetMini", classes=11, head_width=64, input_shape=(SIDE, SIDE, 3)
)
segmenter.compile(
    keras.optimizers.Adam(2e-3), tasks.segmentation.SegmentationLoss()
)
losses = segmenter.fit(
    tasks.preprocess_input(images), masks, batch_size=8, epochs=40, verbose=0
).history["loss"]
print(f"loss {losses[0]:.2f} at first, {losses[-1]:.2f} at last")

# %% [markdown]
# `segment` takes an image of any size and returns the label of every pixel
# and the share of each class; `draw` overlays the labels on the image.

# %%
protocol = tasks.segmentation.Protocol(window=SIDE, base_size=None, flip=False)
parsed = [
    keras_pyconv.segment(
        segmenter, image, protocol, class_names=["photograph", *NAMES]
    )
    for image in images[:5]
]
print(parsed[0].shares)


def show(rows):
    """Rows of pictures, one below the other."""
    figure, axes = plt.subplots(len(rows), 5, figsize=(8, 1.6 * len(rows)))
    for axis, picture in zip(axes.flat, [one for row in rows for one in row]):
        axis.imshow(picture)
        axis.axis("off")


show([images[:5], [one.draw() for one in parsed]])

# %% [markdown]
# ## Detect
#
# The data set for detection has the same kind of images, with boxes and
# labels. `training_scenes` assigns them to the default boxes of the network.

# %%
builder = datasets.prepare_digits_in_photos("detection", **numbers)
scenes = datasets.detection_set(builder, "train")
detector = keras_pyconv.PyConvSSD(
    "PyConvResNetMini", input_shape=(SIDE, SIDE, 3), classes=11
)
batches = datasets.training_scenes(
    scenes,
    tasks.default_boxes(detector),
    (SIDE, SIDE),
    batch_size=8,
    seed=1,
    augment=False,
)

# %% [markdown]
# Train with the losses for boxes and classes, and with SGD and a cosine
# schedule after a warmup.

# %%
steps = 160
rate = training.cosine_decay(0.01, steps, warmup_steps=16)
detector.compile(
    training.SGD(rate, l2=5e-4, l2_excludes="gamma|beta|bias"),
    loss=tasks.detection_losses(),
)
losses = detector.fit(
    batches(0), epochs=4, steps_per_epoch=steps // 4, shuffle=False, verbose=2
).history["loss"]

# %% [markdown]
# `detect` returns boxes in pixels of the image, labels and scores.

# %%
pixels = datasets.load_digits_in_photos(
    "detection", "train", batch_size=-1, **numbers
)["image"].numpy()
large = pixels[:5].repeat(4, axis=1).repeat(4, axis=2)
found = [
    keras_pyconv.detect(detector, image, NAMES, score_threshold=0.4)
    for image in large
]
print(found[0])
show([large, [one.draw() for one in found]])

# %% [markdown]
# COCO's average precision on the sixteen training images:

# %%
shown = datasets.evaluation_scenes(scenes, (SIDE, SIDE), batch_size=COUNT)
answers = tasks.detection.collect_detections(detector, shown)
truth = scenes.truth(box_areas=True)
print(f"AP {tasks.coco_numbers(truth, answers)['AP']:.2f}")
