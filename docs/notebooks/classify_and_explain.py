# %% [markdown]
# # Classify an image, and see what decided
#
# Train a small PyConv network on handwritten digits for a minute, classify an
# image file, and see which kernel sizes decided. With
# `keras_pyconv.PyConvResNet50(weights="imagenet")`, which downloads the
# authors' weights, the same code classifies your photographs without any
# training. The guides are [published weights](../weights.md) and
# [comparison](../comparison.md).
#
# **Install.** In a clone of the repository, run `pip install ".[recipes]"`.
# In Colab, upload a wheel, which `pip wheel --no-deps .` builds in the clone,
# and run `%pip install "keras_pyconv-VERSION-py3-none-any.whl[recipes]"` in a
# cell.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import keras_pyconv
from keras_pyconv import datasets, tasks
from keras_pyconv.tasks.preprocessing import Preprocessing

# %% [markdown]
# ## Train
#
# The data set, digits of many sizes on photographs, is generated on your
# machine. `preprocess_input` takes pixels from 0 to 255 and normalizes them
# as the networks expect.

# %%
SIDE = 48
splits = datasets.load_digits_in_photos(
    "classification",
    batch_size=-1,  # all of a split at once
    image_size=SIDE,
    train_examples=2000,
    test_examples=300,
    smallest=0.25,
)
train, test = (
    {name: splits[split][name].numpy() for name in ("image", "label")}
    for split in ("train", "test")
)
sizes = splits["test"]["size_class"].numpy()
keras.utils.set_random_seed(1)
model = keras_pyconv.build_classifier(
    "PyConvResNetMini", classes=10, input_shape=(SIDE, SIDE, 3)
)
model.compile(
    keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, 380)),
    "sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
history = model.fit(
    tasks.preprocess_input(train["image"]),
    train["label"],
    batch_size=32,
    epochs=6,
    verbose=2,
)

# %% [markdown]
# ## Classify
#
# `classify` takes the path of a file, its bytes, a Pillow image or an array.
# `Preprocessing` says how the network was trained: here on whole images,
# without cropping.

# %%
keras.utils.save_img("digit.png", test["image"][0], scale=False)
names = [str(digit) for digit in range(10)]
whole = Preprocessing(size=SIDE, resize=SIDE)
found = keras_pyconv.classify(model, "digit.png", names, whole)
print(found)
found.save("digit.json")  # or .png, with the image
Image.fromarray(found.draw()).resize((192, 192))

# %% [markdown]
# The accuracy on test images, by the size of the digit:

# %%
scores = model.predict(tasks.preprocess_input(test["image"]), verbose=0)
right = scores.argmax(-1) == test["label"]
for number in np.unique(sizes):
    size = datasets.SIZE_CLASSES[number]
    print(f"{size:7}{right[sizes == number].mean():.0%}")

# %% [markdown]
# ## Explain
#
# Grad-CAM highlights the regions that support a class. A PyConv layer has one
# feature map per kernel size, so `explain` splits the result by kernel size.
# The shares add up to 1.

# %%
found = keras_pyconv.explain(
    model, "digit.png", class_names=names, preprocessing=whole
)
print(found)
Image.fromarray(found.draw())

# %% [markdown]
# Do larger digits use larger kernels? Average the shares over some images of
# each size. Nothing in the training asks for a difference.

# %%
figure, axis = plt.subplots(figsize=(5, 3))
for number in np.unique(sizes):
    explained = [
        keras_pyconv.explain(model, image, preprocessing=whole)
        for image in test["image"][sizes == number][:20]
    ]
    shares = np.mean([one.shares for one in explained], axis=0)
    size = datasets.SIZE_CLASSES[number]
    axis.plot(explained[0].levels, shares, "o-", label=size)
axis.set(xlabel="kernel", ylabel="share of the score", ylim=(0, None))
axis.legend()
plt.show()
