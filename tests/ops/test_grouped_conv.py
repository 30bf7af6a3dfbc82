"""Every way to convolve with groups is right, in every mode, and none is a
must-compile function."""

import numpy as np
import pytest
import tensorflow as tf

from keras_pyconv.ops import (
    grouped_conv,
    pyramid_conv,
    set_way,
    target,
)
from tests.ops import grid

IMAGES = tf.reshape(tf.range(2.0 * 7 * 8 * 12), (2, 7, 8, 12)) / 1000
KERNEL = tf.sin(tf.reshape(tf.range(3.0 * 5 * 2 * 6), (3, 5, 2, 6)))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_every_way_equals_the_loop(rank):
    windows = [window for window in grid.WINDOWS if window[0] == rank]
    assert grid.wrong(windows=windows) == []


def test_a_dilation_beyond_the_map_leaves_the_taps_that_see_it():
    # Maps of 7 x 8 x 5; of a kernel of 5 taps three, of one of 3 one is left.
    windows = [(2, 1, 9, 1), (2, 1, 4, 6), (2, 2, 4, 1), (3, 1, 5, 2)]
    assert grid.wrong(windows=windows) == []


@pytest.mark.parametrize("mode", ["eager", "graph", "unknown"])
def test_a_stride_in_time_takes_a_clip_of_one_frame(mode):
    # Of its frames every second one, from the second on, is none.
    kernel = tf.random.stateless_normal((5, 3, 3, 2, 6), (1, 2))
    clip = tf.random.stateless_normal((2, 1, 4, 5, 12), (3, 4))
    longer = tf.pad(clip, [(0, 0), (0, 1), *[(0, 0)] * 3])
    options = {"strides": (2, 1, 1), "groups": 6}
    wanted = grouped_conv(longer, kernel, way="split", **options)
    arrays = clip, kernel, tf.ones_like(wanted)
    for choice in grid.CHOICES.values():
        outputs, *gradients = grid.run(arrays, mode, **choice, **options)
        np.testing.assert_allclose(outputs, wanted, atol=1e-4)
        assert [g.shape for g in gradients] == [clip.shape, kernel.shape]


@pytest.mark.parametrize("has_avx512", [True, False])
def test_a_dilation_is_right_with_all_instructions(monkeypatch, has_avx512):
    monkeypatch.setattr(target, "cpu_has_avx512", lambda: has_avx512)
    assert grid.wrong(windows=[(2, 1, 2, 1), (2, 2, 2, 6)]) == []


@pytest.mark.parametrize("dilation", [1, 5, 9])
def test_a_deep_kernel_equals_the_loop(dilation):
    # Which is convolved by its taps; of some all pixels are padding.
    arrays, wanted = grid.case(2, 1, dilation, 1, channels=1024, filters=72)
    found = grid.run(arrays, dilation_rate=dilation)
    assert grid.error(found, wanted) < 5e-6


def test_groups_merge_into_several_blocks():
    assert grid.wide_wrong() == []


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_every_way_equals_the_loop_in_16_bits(dtype):
    assert grid.wrong(dtype, windows=grid.SOME) == []


@pytest.mark.parametrize("mode", ["graph", "unknown"])
def test_graphs_equal_the_loop(mode):
    assert grid.wrong(windows=grid.TRACED, mode=mode) == []


@pytest.mark.parametrize("window", grid.SOME[2:], ids=["2-D", "3-D"])
def test_compiling_changes_nothing(window):
    choices = "rules", "native", "paired", "taps"
    assert grid.wrong(windows=[window], mode="xla", choices=choices) == []


@pytest.mark.parametrize("way", ["merged", "split", "folded", "blocked"])
def test_compiling_changes_nothing_in_the_ways_of_two_axes(way):
    windows = [(2, 2, 1, 6)]
    assert grid.wrong(windows=windows, mode="xla", choices=[way]) == []


@pytest.mark.parametrize("follower", ["bias", "norm"])
@pytest.mark.parametrize("choice", grid.CHOICES)
def test_optimization_fuses_nothing_into_groups(choice, follower):
    assert grid.fused(choice, follower) < grid.TOLERANCES["float32"]


@pytest.mark.parametrize("choice", grid.CHOICES.values(), ids=grid.CHOICES)
@pytest.mark.parametrize("strides", [1, 2])
def test_no_graph_holds_a_must_compile_function(choice, strides):
    graph = tf.function(
        lambda x, k: grouped_conv(x, k, groups=6, strides=strides, **choice)
    ).get_concrete_function(IMAGES, KERNEL)
    definition = graph.graph.as_graph_def()
    functions = definition.library.function
    attributes = {name for f in functions for name in f.attr}
    attributes |= {name for node in definition.node for name in node.attr}
    assert "_XlaMustCompile" not in attributes


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_channels_first_is_a_transposition(rank):
    (inputs, kernel, _), (wanted, _, _) = grid.case(rank, 2, 1, 6)
    first = tf.transpose(inputs, (0, rank + 1, *range(1, rank + 1)))
    outputs = grouped_conv(
        first, kernel, groups=6, strides=2, data_format="channels_first"
    )
    last = tf.transpose(outputs, (0, *range(2, rank + 2), 1))
    np.testing.assert_allclose(last, wanted, atol=1e-4)


@pytest.mark.parametrize("choice", grid.CHOICES.values(), ids=grid.CHOICES)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("strides", [1, 2])
def test_what_is_known_of_sizes_stays_known(choice, rank, strides):
    sizes, taps = grid.SIZES[:rank], grid.KERNEL[:rank]
    convolution = tf.function(
        lambda x, k: grouped_conv(x, k, groups=6, strides=strides, **choice)
    )
    for known in ((None, *sizes), (None,) * (rank + 1)):
        inputs = tf.TensorSpec((*known, 12))
        graph = convolution.get_concrete_function(
            inputs, tf.TensorSpec((*taps, 2, 6))
        )
        wanted = [n and (n - 1) // strides + 1 for n in known[1:]]
        assert graph.outputs[0].shape.as_list() == [None, *wanted, 6]


@pytest.mark.parametrize("choice", grid.CHOICES.values(), ids=grid.CHOICES)
def test_gradients_can_be_taken_twice(choice):
    with tf.GradientTape(persistent=True) as outer:
        outer.watch([IMAGES, KERNEL])
        with tf.GradientTape() as tape:
            tape.watch(IMAGES)
            outputs = grouped_conv(IMAGES, KERNEL, groups=6, **choice) ** 2
        slope = tape.gradient(outputs, IMAGES)
    second = outer.gradient(slope, KERNEL)
    np.testing.assert_array_equal(outer.gradient(slope, KERNEL), second)
    # The slope is of second degree in the kernel: Euler's rule for its sum.
    np.testing.assert_allclose(
        tf.reduce_sum(second * KERNEL), 2 * tf.reduce_sum(slope), rtol=1e-3
    )


@pytest.mark.parametrize("way", ["native", "taps"])
def test_a_saved_model_answers_as_before(way, tmp_path):
    module = tf.Module()
    module.conv = tf.function(
        lambda x: grouped_conv(x, KERNEL, groups=6, way=way),
        input_signature=[tf.TensorSpec((None, None, None, 12))],
    )
    wanted = module.conv(IMAGES)
    tf.saved_model.save(module, tmp_path)
    loaded = tf.saved_model.load(tmp_path)
    np.testing.assert_array_equal(loaded.conv(IMAGES), wanted)


def nodes(**options):
    """The kinds of nodes in the graph of one convolution."""
    function = tf.function(
        lambda x, k: grouped_conv(x, k, groups=6, **options)
    ).get_concrete_function(IMAGES, KERNEL)
    return [node.op for node in grid.nodes(function)]


def test_rows_become_images_once_for_all_groups():
    @tf.function
    def gradients(inputs, kernel):
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            outputs = grouped_conv(inputs, kernel, groups=6, way="split")
        return tape.gradient(outputs, kernel)

    function = gradients.get_concrete_function(IMAGES[:, 0], KERNEL[0])
    kinds = [node.op for node in grid.nodes(function)]
    assert kinds.count("Conv2D") == 6
    assert kinds.count("ExpandDims") + kinds.count("Reshape") < 6


@pytest.mark.parametrize("gpus", [[], ["GPU:0"]])
def test_equal_convolutions_are_one_function_on_a_cpu(monkeypatch, gpus):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda _: gpus)
    kernels = [KERNEL, KERNEL + 1, KERNEL]

    @tf.function
    def gradients(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            made = [grouped_conv(images, k, groups=6) for k in kernels]
            made.append(grouped_conv(images, KERNEL, groups=6, strides=2))
        return made, tape.gradient(made, images)

    graph = gradients.get_concrete_function(IMAGES).graph.as_graph_def()
    called = [n.attr["f"].func.name for n in graph.node if "f" in n.attr]
    # Forward and gradients, at either stride.
    assert (len(called), len(set(called))) == ((0, 0) if gpus else (8, 4))


@pytest.mark.parametrize("has_gradients", [True, False])
def test_served_graphs_are_alike_on_all_machines(monkeypatch, has_gradients):
    monkeypatch.setattr(
        target, "cpu_differentiates_groups", lambda _: has_gradients
    )
    served = nodes(target="served")
    assert served.count("Conv2D") == 1
    assert "Split" not in served


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("has_them", [True, False])
def test_16_bits_that_a_cpu_lacks_are_computed_in_32(
    monkeypatch, has_them, dtype, levels
):
    monkeypatch.setattr(target, "cpu_differentiates_groups", lambda _: has_them)
    kernels = [tf.cast(KERNEL, dtype)] * levels
    function = tf.function(
        lambda x: pyramid_conv(x, kernels, groups=(6,) * levels)
    ).get_concrete_function(tf.cast(IMAGES, dtype))
    (outputs,) = function.outputs
    assert outputs.dtype == dtype
    used = set(grid.convolved(function))
    assert used == {tf.as_dtype(dtype if has_them else "float32")}


@pytest.mark.parametrize("name", ["served", "onnx", "portable"])
def test_machines_that_are_not_known_compute_16_bits_in_32(monkeypatch, name):
    monkeypatch.setattr(target, "cpu_differentiates_groups", lambda _: True)
    images, kernel = (tf.cast(x, "bfloat16") for x in (IMAGES, KERNEL))
    graph = tf.function(
        lambda x: grouped_conv(x, kernel, groups=6, target=name)
    ).get_concrete_function(images)
    used = set(grid.convolved(graph))
    assert graph.outputs[0].dtype == "bfloat16" and used == {tf.float32}


@pytest.mark.parametrize("groups", [1, 6])
def test_portable_graphs_convolve_images_alone(groups):
    clips = tf.zeros((1, 3, 5, 5, 12))
    kernel = tf.zeros((3, 3, 3, 12 // groups, 6))
    function = tf.function(
        lambda x: grouped_conv(x, kernel, groups=groups, target="portable")
    ).get_concrete_function(clips)
    kinds = [node.op for node in grid.nodes(function)]
    assert kinds.count("Conv2D") == 3 and "Conv3D" not in kinds


def test_the_call_goes_before_the_process_before_the_environment(monkeypatch):
    monkeypatch.setenv("KERAS_PYCONV_CONV", "split")
    assert nodes().count("Conv2D") == 6
    set_way("merged")
    try:
        assert nodes().count("Conv2D") < 6
        assert nodes(way="split").count("Conv2D") == 6
    finally:
        set_way(None)
    assert nodes().count("Conv2D") == 6


@pytest.mark.parametrize("name", ["served", "portable"])
def test_a_target_that_was_a_way_once_is_taken_with_a_warning(name):
    with pytest.warns(DeprecationWarning, match=f'give `target="{name}"`'):
        before = nodes(way=name)
    assert before == nodes(target=name)


def test_the_process_forces_no_way_on_other_machines():
    chosen = nodes(target="served")
    set_way("split")
    try:
        assert nodes(target="served") == chosen
        assert nodes(target="served", way="split").count("Conv2D") == 6
    finally:
        set_way(None)


def test_an_unknown_target_lists_the_known():
    with pytest.raises(ValueError, match="'here', 'served', .*'moon'"):
        grouped_conv(IMAGES, KERNEL, groups=6, target="moon")


def test_an_unknown_way_lists_the_known(monkeypatch):
    with pytest.raises(ValueError, match="'blocked', 'folded', .*'magic'"):
        set_way("magic")
    with pytest.raises(ValueError, match="'blocked', 'folded', .*'magic'"):
        grouped_conv(IMAGES, KERNEL, groups=6, way="magic")
    monkeypatch.setenv("KERAS_PYCONV_CONV", "magic")
    with pytest.raises(ValueError, match="KERAS_PYCONV_CONV='magic'"):
        grouped_conv(IMAGES, KERNEL, groups=6)


def test_an_empty_variable_of_the_environment_names_no_way(monkeypatch):
    monkeypatch.delenv("KERAS_PYCONV_CONV", raising=False)
    chosen = nodes()
    monkeypatch.setenv("KERAS_PYCONV_CONV", "")
    assert nodes() == chosen


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"groups": 5}, "divide the 12 input channels.*groups=5.*: 1"),
        ({"groups": 4}, "divide the 6 filters.*groups=4.*: 2"),
        (
            {"groups": 3},
            "12 / 3 = 4 input channels.* Received: a kernel of shape",
        ),
        ({"groups": 0}, "positive integers.*groups=.0."),
        ({"strides": 0}, "`strides` must be a positive integer.*strides=0"),
        ({"strides": (1, 2, 3)}, "or 2 of them"),
        ({"dilation_rate": "2"}, "`dilation_rate` must be.*='2'"),
        ({"padding": "full"}, "'full'"),
        ({"data_format": "last"}, "'last'"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_mistakes_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        grouped_conv(IMAGES, KERNEL, **{"groups": 6, **wrong})


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_a_kernel_of_another_dtype_is_refused(dtype):
    message = f"the inputs, {dtype}. Received: kernel=.* of float32; cast"
    images = tf.cast(IMAGES, dtype)
    with pytest.raises(ValueError, match=message):
        grouped_conv(images, KERNEL, groups=6)
    with pytest.raises(ValueError, match=message):
        pyramid_conv(images, [KERNEL], groups=(6,))


def test_an_even_kernel_has_no_middle():
    with pytest.raises(ValueError, match="Received: 4; nearest: 5"):
        grouped_conv(IMAGES, KERNEL[:, :4], groups=6)
    outputs = grouped_conv(IMAGES, KERNEL[:, :4], groups=6, padding="valid")
    assert outputs.shape == (2, 5, 5, 6)


def test_a_pyramid_is_its_levels_side_by_side():
    kernels = [tf.ones((1, 1, 12, 2)), KERNEL]
    outputs = pyramid_conv(IMAGES, kernels, groups=(1, 6), strides=2)
    for part, kernel, groups in zip(
        tf.split(outputs, (2, 6), -1), kernels, (1, 6)
    ):
        alone = grouped_conv(IMAGES, kernel, groups=groups, strides=2)
        np.testing.assert_array_equal(part, alone)
    with pytest.raises(ValueError, match="2 kernels, groups=.1,."):
        pyramid_conv(IMAGES, kernels, groups=(1,))
