"""Published weights fill networks of any classes and channels."""

import keras
import numpy as np
import pytest

from keras_pyconv.complexity import complexity
from keras_pyconv.models import (
    InceptionResNetV2,
    ResNet3D50,
    build_classifier,
)
from keras_pyconv.weights import (
    PUBLISHED,
    adapt_stem,
    catalog,
    files,
    find_variant,
    get_published,
    published_sets,
    sources,
    torch_names,
    torch_shapes,
)
from keras_pyconv.weights.torch_shapes import named_shapes
from tests.reference import rule
from tests.weights.conftest import VARIANT


@pytest.fixture
def kept(published, cache, arrays):
    """The weights are in the cache already."""
    files.write_arrays(cache / f"{published.name}.npz", arrays)


def build(**options):
    options = {"weights": "imagenet", "input_shape": (32, 32, 3), **options}
    return build_classifier(VARIANT, **options)


def test_a_name_loads_every_weight(kept, arrays, caplog):
    model = build()
    names = torch_names(model)
    for variable in model.variables:
        array = arrays[names[variable.path]]
        assert np.array_equal(np.sort(variable, None), np.sort(array, None))
    assert not caplog.records


def test_other_classes_keep_the_body_and_get_a_new_head(kept, arrays, caplog):
    whole, other = build(pooling="avg", include_top=False), build(classes=7)
    body = keras.Model(other.input, other.get_layer("avg_pool").output)
    images = np.random.default_rng(1).random((2, 32, 32, 3), "float32")
    np.testing.assert_array_equal(body(images), whole(images))
    assert other.output_shape == (None, 7)
    message = "the classifier of 7 classes in place of that of 1000 starts anew"
    assert [message in record.getMessage() for record in caplog.records] == [1]


@pytest.mark.parametrize("channels", [1, 4])
def test_pictures_of_equal_channels_see_the_same_stem(kept, channels, caplog):
    gray = np.random.default_rng(1).random((2, 32, 32, 1), "float32")
    answers = build()(np.repeat(gray, 3, -1))
    other = build(input_shape=(32, 32, channels))
    np.testing.assert_allclose(
        other(np.repeat(gray, channels, -1)), answers, rtol=1e-3, atol=1e-6
    )
    assert f"reads {channels} channels instead of 3" in caplog.text


def test_a_stem_for_one_channel_sums_over_the_colours():
    kernel = np.arange(24.0).reshape(2, 3, 2, 2)
    np.testing.assert_array_equal(adapt_stem(kernel, 1)[:, 0], kernel.sum(1))


@pytest.mark.parametrize(
    "name, array",
    [
        ("fc.bias", np.zeros(())),
        ("fc.weight", np.zeros(1024)),
        ("conv1.weight", np.zeros(64)),
        ("conv1.weight", np.zeros((64, 3, 7, 7), "complex64")),
        ("fc.bias", np.full(7, "a")),
        ("layer1.0.conv1.weight", np.zeros((1, 1, 1, 1))),
        ("\x1b[2J", np.zeros(2)),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_also_with_another_head(
    kept, cache, published, arrays, name, array
):
    path = files.write_arrays(cache / f"{published.name}.npz", arrays)
    np.savez(path, **{**arrays, name: array})
    sources.write_checksum(path)
    with pytest.raises(ValueError, match="do not fit model") as caught:
        build(classes=7)
    assert str(caught.value).replace("\n", "").isprintable()


def test_an_unknown_name_lists_the_known_ones():
    known = "'imagenet', 'imagenet_cutmix'"
    with pytest.raises(ValueError, match=f"one of {known}.*weights='imagenut'"):
        build_classifier("PyConvResNet50", weights="imagenut")


@pytest.mark.parametrize(
    "variant, weights, known",
    [
        ("PyConvResNet152", "imagenet_cutmix", "PyConvResNet152. Known: 'im"),
        ("PyConvResNet50", "ade20k", "Known: 'imagenet', 'imagenet_cutmix'"),
        ("PyConvResNet18", "imagenet", "'imagenet' exists for ResNet50, "),
    ],
)
def test_what_was_never_published_is_refused_at_once(variant, weights, known):
    with pytest.raises(ValueError, match=known):
        build_classifier(variant, weights=weights)


@pytest.mark.parametrize("builder", [InceptionResNetV2, ResNet3D50])
def test_networks_without_any_published_file_say_so(builder):
    with pytest.raises(ValueError, match="No weights are published for"):
        builder(weights="imagenet")


def test_every_row_of_the_catalogue_is_a_network_of_ours():
    from keras_pyconv.architectures import ARCHITECTURES, SEGMENTERS

    for (variant, set_name), row in PUBLISHED.items():
        segments = set_name in catalog.SEGMENTATION_SETS
        assert variant in (SEGMENTERS if segments else ARCHITECTURES)
        assert get_published(variant, set_name) is row
        assert set_name in published_sets(variant)
        assert row.figures and row.source and row.licence
    ids = [row.drive_id for row in PUBLISHED.values()]
    assert len(set(ids)) == len(ids) == 18
    assert {len(i) for i in ids} == {33}


def test_the_catalogue_has_the_figures_of_the_papers_tables():
    """Read from the tables as they are shown, row by row."""
    from keras_pyconv.tables import TABLES

    shown = {
        row.network: {
            "top-1 at 224, %": float(row.code[0]),
            "top-5 error at 224, %": float(row.accuracy[1]),
        }
        for row in TABLES["3"].rows
        if row.code
    }
    found = {
        variant: row.figures
        for (variant, set_name), row in PUBLISHED.items()
        if set_name == "imagenet"
    }
    assert found == shown


@pytest.mark.parametrize(
    "row",
    [
        "ResNetMini",
        "PyConvResNetMini",
        "PyConvResNet18",
        pytest.param("PyConvHGResNet50", marks=pytest.mark.slow),
        pytest.param("PyConvResNet18BasicBlock1", marks=pytest.mark.slow),
        pytest.param("Ablation5432", marks=pytest.mark.slow),
    ],
)
def test_names_and_shapes_in_closed_form_are_the_models(row):
    model = build_classifier(row, classes=9, input_shape=(64, 64, 2))
    names, shapes = torch_names(model), {}
    for variable in model.variables:
        shape = tuple(variable.shape)
        if len(shape) > 1:
            shape = (shape[-1], shape[-2], *shape[:-2])
        shapes[names[variable.path]] = shape
    assert shapes == torch_shapes(row, classes=9, channels=2)


@pytest.mark.parametrize(
    "variant, count", [("ResNet50", 320), ("PyConvHGResNet152", 993)]
)
def test_a_checkpoint_has_as_many_entries_as_the_authors_have(variant, count):
    shapes = torch_shapes(variant)
    means = [name for name in shapes if name.endswith("running_mean")]
    # Each normalization counts its batches too.
    assert len(shapes) + len(means) == count


@pytest.mark.parametrize("variant", sorted({v for v, _ in PUBLISHED}))
def test_a_checkpoint_tells_which_published_network_it_is_of(variant):
    if "SegNet" in variant:
        count = complexity(variant, (32, 32, 3), classes=5)
        shapes = named_shapes(count.layers)
    else:
        shapes = torch_shapes(variant, classes=5)
    arrays = {name: np.empty(shape) for name, shape in shapes.items()}
    assert find_variant(arrays) == variant


@pytest.mark.parametrize("backbone", ["PyConvResNet50", "ResNet50"])
def test_a_whole_segmentation_network_is_compared(backbone):
    recorded = rule.recorded(f"pyconvsegnet_{backbone.lower()}")["shapes"]
    arrays = {name: np.empty(shape) for name, shape in recorded.items()}
    variant = f"PyConvSegNet{backbone}"
    assert find_variant(arrays) == variant
    served = {n: a for n, a in arrays.items() if not n.startswith("aux.")}
    assert find_variant(served) == variant
    arrays["cls.1.weight"] = np.empty((150, 128, 1, 1))
    with pytest.raises(ValueError, match="'cls.1.weight' has shape .150, 128"):
        find_variant(arrays)
