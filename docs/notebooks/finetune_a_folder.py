# %% [markdown]
# # Fine-tune on a folder of images
#
# You need one folder of images per class. This notebook writes one of even
# and odd digits; use yours instead. You can interrupt the training at any
# moment, and it resumes exactly. The guide is
# [fine-tuning](../finetuning.md).
#
# **Install.** In a clone of the repository, run `pip install ".[recipes]"`.
# In Colab, upload a wheel, which `pip wheel --no-deps .` builds in the clone,
# and run `%pip install "keras_pyconv-VERSION-py3-none-any.whl[recipes]"` in a
# cell.

# %%
import functools
import pathlib

import keras
import matplotlib.pyplot as plt
from PIL import Image

import keras_pyconv
from keras_pyconv import datasets, tasks, training
from keras_pyconv.tasks.preprocessing import Preprocessing

SIDE = 48

# %% [markdown]
# ## A pretrained network
#
# Usually you start from `weights="imagenet"`, which downloads the authors'
# weights. To avoid a download, pretrain a small network on the ten digits for
# about a minute.

# %%
splits = datasets.load_digits_in_photos(
    "classification",
    batch_size=-1,
    image_size=SIDE,
    train_examples=2000,
    test_examples=300,
    smallest=0.4,
)
keras.utils.set_random_seed(1)
first = keras_pyconv.build_classifier(
    "PyConvResNetMini", classes=10, input_shape=(SIDE, SIDE, 3)
)
first.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
learned = first.fit(
    tasks.preprocess_input(splits["train"]["image"].numpy()),
    splits["train"]["label"].numpy(),
    epochs=5,
    verbose=2,
)
first.save_weights("first.weights.h5")

# %% [markdown]
# ## Your images
#
# The layout is `numbers/train/even/...`, `numbers/val/odd/...` and so on. If
# your folder has no `train` and `val`, use `datasets.split_class_folder`,
# which splits it by file name.

# %%
for split, folder in (("train", "train"), ("test", "val")):
    examples = zip(
        splits[split]["image"].numpy(), splits[split]["label"].numpy()
    )
    for number, (image, label) in enumerate(list(examples)[:240]):
        place = pathlib.Path("numbers", folder, ("even", "odd")[label % 2])
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number}.png")

# %% [markdown]
# `doctor` finds unreadable, duplicate and missing images before you train:

# %%
# !keras-pyconv doctor numbers

# %% [markdown]
# ## Train
#
# Train on random crops and validate on whole images. Digits must not be
# mirrored, so `flip` is off; leave it on for most photographs.

# %%
pictures = datasets.picture_set("numbers")
held_back = datasets.picture_set("numbers", "validation")
whole = Preprocessing(size=SIDE, resize=SIDE)
batches = datasets.training_pictures(
    pictures, whole, batch_size=16, seed=1, area=(0.7, 1.0), flip=False
)
judged = training.validation_data(
    functools.partial(datasets.evaluation_pictures, held_back, whole),
    batch_size=48,
    strategy=training.make_strategy("one"),
)

# %% [markdown]
# Build the network with two classes, load all weights but the classifier's,
# and freeze the stem and the first stage.

# %%
model = keras_pyconv.build_classifier(
    "PyConvResNetMini",
    classes=len(pictures.classes),
    input_shape=(SIDE, SIDE, 3),
)
keras_pyconv.weights.load(model, "first.weights.h5", part="backbone")
for layer in model.layers:
    if layer.name.startswith(("conv1_", "conv2_")):
        layer.trainable = False
model.compile(
    keras.optimizers.Adam(5e-4),
    "sparse_categorical_crossentropy",
    weighted_metrics=["accuracy"],
)

# %% [markdown]
# `training.Run` writes checkpoints. If the training is interrupted, run this
# cell again to resume it.

# %%
with training.Run("runs/numbers", model, batches, epochs=6) as run:
    history = model.fit(
        **run.fit_arguments,
        validation_data=judged,
        callbacks=run.callbacks([]),
        verbose=2,
    ).history

# %% [markdown]
# The training accuracy is measured on random crops during the epoch, the
# other on held-back images after it.

# %%
figure, axis = plt.subplots(figsize=(5, 3))
axis.plot(history["accuracy"], label="training")
axis.plot(history["val_accuracy"], label="held back")
axis.set(xlabel="epoch", ylabel="accuracy")
axis.legend()
plt.show()

# %% [markdown]
# ## Use it
#
# Save the model as one file, load it, and classify an image.

# %%
model.save("numbers.keras")
model = keras.models.load_model("numbers.keras")
image = next(pathlib.Path("numbers/val/odd").glob("*.png"))
found = keras_pyconv.classify(model, image, pictures.classes, whole)
print(found)
Image.fromarray(found.draw()).resize((192, 192))
