# %% [markdown]
# # PyConv in your own network
#
# Use a `PyConv` layer where you would use `Conv2D`. Build a small network
# with pyramids and the same network without, and train both on handwritten
# digits of many sizes, in about a minute on two cores. The guide is
# [layers](../layers.md).
#
# **Install.** In a clone of the repository, run `pip install ".[recipes]"`.
# In Colab, upload a wheel, which `pip wheel --no-deps .` builds in the clone,
# and run `%pip install "keras_pyconv-VERSION-py3-none-any.whl[recipes]"` in a
# cell.

# %%
import keras
import matplotlib.pyplot as plt

import keras_pyconv

# %% [markdown]
# ## The data
#
# The data set has digits on photographs, from two fifths to seven eighths of
# the image's height. It is generated on your machine.

# %%
splits = keras_pyconv.datasets.load_digits_in_photos(
    "classification",
    batch_size=-1,  # all of a split at once
    image_size=32,
    smallest=0.4,
    train_examples=2000,
    test_examples=500,
)
x_train, y_train = splits["train"]["image"], splits["train"]["label"]
x_test, y_test = splits["test"]["image"], splits["test"]["label"]

figure, axes = plt.subplots(1, 8, figsize=(8, 1.3))
for axis, image, label in zip(axes, x_train.numpy(), y_train.numpy()):
    axis.imshow(image)
    axis.set_title(label)
    axis.axis("off")

# %% [markdown]
# ## Two networks
#
# A pyramid of 3x3, 5x5, 7x7 and 9x9 kernels splits its filters among the four
# sizes. A larger kernel reads fewer channels (`groups`), which keeps the cost
# near that of the plain 3x3 convolution.


# %%
def network(convolution, name):
    images = keras.Input((32, 32, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(images)
    x = keras.layers.Conv2D(32, 3, strides=2, padding="same")(x)
    for filters, strides in ((32, 1), (64, 2), (64, 1)):
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.Activation("relu")(x)
        x = convolution(filters, strides)(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    return keras.Model(images, keras.layers.Dense(10)(x), name=name)


def plain(filters, strides):
    return keras.layers.Conv2D(filters, 3, strides=strides, padding="same")


def pyramid(filters, strides):
    return keras_pyconv.PyConv(
        filters, kernel_size=(3, 5, 7, 9), strides=strides
    )


keras.utils.set_random_seed(1)
models = [network(pyramid, "pyconv"), network(plain, "plain")]
for model in models:
    print(f"{model.name}: {model.count_params():,} parameters")

# %% [markdown]
# ## Training
#
# Use `compile` and `fit` as for any Keras model.

# %%
histories = {}
for model in models:
    model.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(3e-3, 630)
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    histories[model.name] = model.fit(
        x_train,
        y_train,
        batch_size=32,
        epochs=10,
        validation_data=(x_test, y_test),
        verbose=2,
    ).history

# %% [markdown]
# Plot the accuracy on test images. A single seed of two tiny networks does
# not show which is better.

# %%
figure, axis = plt.subplots(figsize=(5, 3))
for name, history in histories.items():
    axis.plot(range(1, 11), history["val_accuracy"], label=name)
axis.set(xlabel="epoch", ylabel="accuracy, test")
axis.legend()
plt.show()

# %% [markdown]
# ## What each level sees
#
# Draw some kernels of each level of the first pyramid, and how strongly each
# level responds to an image.

# %%
keras_pyconv.tasks.show_pyramid(models[0], x_test[0].numpy())

# %% [markdown]
# ## Convert an existing network
#
# `replace_convolutions` replaces the 3x3 convolutions of any Keras model,
# such as `keras.applications.ResNet50`, with pyramids. Here it converts the
# plain network; the report shows what it replaces, what it leaves, and why.

# %%
print(keras_pyconv.replacement_report(models[1]))
replaced = keras_pyconv.replace_convolutions(models[1])
print(f"{replaced.count_params():,} parameters")
