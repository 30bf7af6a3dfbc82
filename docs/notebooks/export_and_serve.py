# %% [markdown]
# # Export and serve
#
# Export one model as a SavedModel for TensorFlow Serving, as a LiteRT file
# for phones, and as an ONNX file for other runtimes. Each export is compared
# with the Keras model before it is written. The guides are
# [serving](../serving.md) and [formats](../formats.md).
#
# **Install.** In a clone of the repository, run `pip install
# ".[export,recipes]"`. In Colab, upload a wheel, which `pip wheel --no-deps
# .` builds in the clone, and run `%pip install
# "keras_pyconv-VERSION-py3-none-any.whl[export,recipes]"` in a cell.

# %%
import pathlib

import keras
import numpy as np
from PIL import Image

import keras_pyconv

# %% [markdown]
# ## A model
#
# Any Keras model works; this one is small and untrained.

# %%
keras.utils.set_random_seed(1)
model = keras_pyconv.build_classifier(
    "PyConvResNetMini", classes=3, input_shape=(64, 64, 3)
)
names = ["cat", "dog", "fox"]
images = np.random.default_rng(1).normal(size=(4, 64, 64, 3)).astype("float32")

# %% [markdown]
# ## For TensorFlow Serving
#
# This writes version 1 of `pets`. It takes tensors, JPEG and PNG files, or
# `tf.Example`, decodes and normalizes images in the graph, and returns labels
# and scores.

# %%
path = keras_pyconv.export.saved_model(
    model, "saved_models/pets", labels=names, top_k=2
)
print(path)
for file in sorted(pathlib.Path("saved_models").rglob("*")):
    if file.is_file():
        print(file)

# %% [markdown]
# `check` loads the export in processes without Keras and this package, calls
# every signature with valid, unusual and broken inputs, and compares with the
# model.

# %%
print(keras_pyconv.export.check(path, model))

# %% [markdown]
# Call it in a separate process, as the server does:

# %%
answer = keras_pyconv.export.answer_in_clean_process(path, images)
print(answer["labels"][:, 0], model.predict(images, verbose=0).argmax(-1))

# %% [markdown]
# `serve` prints the Docker command that starts the server, with batching and
# metrics:

# %%
# !keras-pyconv serve saved_models

# %% [markdown]
# The export has a README with its signatures and example requests:

# %%
print(pathlib.Path("saved_models/pets/README.md").read_text()[:900])

# %% [markdown]
# ## LiteRT, for phones
#
# The command exports a Keras file. Save one.

# %%
model.save("pets.keras")

# %% [markdown]
# The file contains the class names and the preprocessing. `--precision
# float16` halves its size. In Python, use `keras_pyconv.export.litert`.

# %%
# !keras-pyconv export pets.keras pets.tflite --classes cat,dog,fox

# %% [markdown]
# ## ONNX
#
# The same for ONNX Runtime. In Python, use `keras_pyconv.export.onnx`.

# %%
# !keras-pyconv export pets.keras pets.onnx --classes cat,dog,fox

# %% [markdown]
# ## Predict
#
# Make an image of noise:

# %%
pixels = np.random.default_rng(1).integers(0, 256, (80, 120, 3), "uint8")
Image.fromarray(pixels).save("image.png")

# %% [markdown]
# `predict` takes each of the three exports.

# %%
# !keras-pyconv predict --model saved_models/pets image.png --format jsonl
# !keras-pyconv predict --model pets.tflite image.png --format jsonl
# !keras-pyconv predict --model pets.onnx image.png --format jsonl
