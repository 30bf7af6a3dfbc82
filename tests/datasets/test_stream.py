"""A batch follows from the seed and its number, whoever asks for it when."""

import itertools

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from keras_pyconv.datasets.stream import training_stream  # noqa: E402

COUNT, BATCH = 23, 4
STEPS = COUNT // BATCH


def examples(epoch):
    return tf.data.Dataset.range(COUNT)


def prepare(example, seed):
    noise = tf.random.stateless_uniform([], seed)
    return (example, noise), example * 10


def stream(**changes):
    options = {"batch_size": BATCH, "seed": 5, **changes}
    return training_stream(
        examples, COUNT, options.pop("prepare", prepare), **options
    )


def taken(batches, count, first_step=0):
    """Examples, noise and targets of `count` batches, each an array."""
    got = batches(first_step).take(count).as_numpy_iterator()
    rows = [(inputs[0], inputs[1], targets) for inputs, targets in got]
    return [np.stack(column) for column in zip(*rows)]


def assert_same(ones, others):
    for one, other in zip(ones, others, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_epoch_holds_every_example_at_most_once():
    order = taken(stream(), 2 * STEPS)[0].reshape(2, -1)
    for epoch in order:
        assert len(set(epoch)) == STEPS * BATCH
        assert set(epoch) <= set(range(COUNT))
    assert (order[0] != order[1]).any()


@pytest.mark.parametrize("first_step", [1, STEPS, 2 * STEPS + 3])
def test_a_stream_begun_late_is_the_rest_of_the_unbroken_one(first_step):
    whole = taken(stream(), 3 * STEPS)
    late = taken(stream(), 3 * STEPS - first_step, first_step)
    assert_same(late, [column[first_step:] for column in whole])


def test_neither_the_global_seed_nor_the_moment_matters():
    tf.random.set_seed(1)
    before = taken(stream(), STEPS)
    tf.random.set_seed(2)
    assert_same(before, taken(stream(), STEPS))


def test_another_seed_gives_another_order_and_other_noise():
    one, other = taken(stream(), STEPS), taken(stream(seed=6), STEPS)
    assert (one[0] != other[0]).any()
    assert not set(one[1].ravel()) & set(other[1].ravel())


def test_no_two_examples_or_epochs_share_their_noise():
    noise = taken(stream(), 3 * STEPS)[1]
    assert len(set(noise.ravel())) == noise.size


@pytest.mark.parametrize("workers", [4])
def test_workers_together_see_every_batch_of_the_single_worker(workers):
    first = 3
    parts = [
        taken(stream(shard=(index, workers)), 2 * STEPS, first)
        for index in range(workers)
    ]
    joined = [np.concatenate(columns, axis=1) for columns in zip(*parts)]
    assert_same(joined, taken(stream(), 2 * STEPS, first))


def test_neither_skipped_examples_nor_those_of_others_are_prepared():
    seen = []

    def remember(example, seed):
        return (
            tf.numpy_function(
                lambda value: (seen.append(int(value)), value)[1],
                [example],
                tf.int64,
            ),
            0,
        )

    batches = stream(prepare=remember, shard=(1, 2), shuffle_buffer=None)
    next(iter(batches(STEPS - 1)))
    rest = {value % BATCH for value in seen}
    assert 18 in seen and 19 in seen and rest == {2, 3}
    assert not set(seen) & set(range(2, 18)) - {2, 3, 6, 7, 10, 11, 14, 15}


def test_examples_may_draw_their_order_from_the_epoch():
    def shuffled(epoch):
        return tf.data.Dataset.range(COUNT).shuffle(COUNT, seed=epoch)

    options = {"batch_size": BATCH, "seed": 5, "shuffle_buffer": None}
    batches = training_stream(shuffled, COUNT, prepare, **options)
    whole = taken(batches, 2 * STEPS)
    tf.random.set_seed(8)
    assert_same(taken(batches, STEPS, STEPS), [c[STEPS:] for c in whole])
    assert (whole[0][:STEPS] != whole[0][STEPS:]).any()


def test_the_map_of_batches_gets_a_seed_of_each_step_for_all_workers():
    def tag(inputs, targets, seed):
        drawn = tf.random.stateless_uniform([], seed)
        return (inputs[0], tf.fill(tf.shape(inputs[0]), drawn)), targets

    whole = taken(stream(batch_map=tag), 2 * STEPS)
    part = taken(stream(batch_map=tag, shard=(1, 2)), STEPS, STEPS)
    assert len(set(whole[1][:, 0])) == 2 * STEPS
    np.testing.assert_array_equal(part[1], whole[1][STEPS:, 2:])


@pytest.mark.parametrize("first_step", [0, 3])
def test_a_batch_of_which_some_fail_has_the_others_in_their_places(first_step):
    def fragile(example, seed):
        good = tf.debugging.Assert(example % 5 > 1, ["broken"])
        with tf.control_dependencies([good]):
            return prepare(example, seed)

    def substitute(example, seed):
        return (-example, 2.0), example

    wanted = taken(stream(), 2 * STEPS, first_step)
    made = stream(prepare=fragile, substitute=substitute)
    numbers, noise, targets = taken(made, 2 * STEPS, first_step)
    broken = wanted[0] % 5 <= 1
    assert broken.any(axis=1).any() and not broken.all()
    assert_same(
        (numbers, noise, targets),
        (
            np.where(broken, -wanted[0], wanted[0]),
            np.where(broken, np.float32(2), wanted[1]),
            np.where(broken, wanted[0], wanted[2]),
        ),
    )


def test_examples_of_any_length_are_substituted_too():
    def lengths(epoch):
        return examples(epoch).map(lambda n: (n, tf.range(n)))

    def fragile(example, seed):
        with tf.control_dependencies([tf.debugging.Assert(seed[1] > 3, ["x"])]):
            return example[0], tf.size(example[1])

    def substitute(example, seed):
        return example[0], tf.constant(-1)

    made = training_stream(
        *(lengths, COUNT, fragile),
        **{"batch_size": 4, "seed": 5, "substitute": substitute},
    )
    first, second = made().take(2).as_numpy_iterator()
    assert first[1].tolist() == [-1] * 4
    assert second[1].tolist() == second[0].tolist()


def test_a_failing_example_is_substituted_in_its_place():
    def fragile(example, seed):
        with tf.control_dependencies(
            [tf.debugging.assert_none_equal(example, tf.constant(7, tf.int64))]
        ):
            return prepare(example, seed)

    def substitute(example, seed):
        return (-example, tf.constant(0.0)), example * 10

    whole = taken(stream(), STEPS)
    got = taken(stream(prepare=fragile, substitute=substitute), STEPS)
    bad = whole[0] == 7
    assert bad.sum() == 1
    np.testing.assert_array_equal(got[0], np.where(bad, -7, whole[0]))
    np.testing.assert_array_equal(got[2], whole[2])
    with pytest.raises(tf.errors.InvalidArgumentError):
        taken(stream(prepare=fragile), STEPS)


def test_fewer_examples_than_promised_are_an_error():
    batches = training_stream(
        examples, COUNT + BATCH, prepare, batch_size=BATCH, seed=5
    )
    with pytest.raises(
        tf.errors.FailedPreconditionError, match="contained only"
    ):
        taken(batches, STEPS + 2)


@pytest.mark.parametrize(
    "changes, said",
    [
        pytest.param({"batch_size": 0}, "batch_size=0", id="no full batch"),
        pytest.param({"batch_size": 24}, "largest possible .* 23", id="large"),
        pytest.param({"shard": (0, 3)}, "nearest below is 3", id="uneven"),
        pytest.param({"shard": (2, 2)}, r"shard=\(2, 2\)", id="no worker"),
        pytest.param({"seed": -1}, "seed=-1", id="negative seed"),
    ],
)
def test_wrong_arguments_are_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        stream(**changes)


def test_the_stream_tells_its_steps():
    batches = stream()
    assert (batches.steps_per_epoch, batches.batch_size) == (STEPS, BATCH)
    assert next(itertools.islice(batches(), 1))[1].shape == (BATCH,)


@pytest.mark.parametrize("first_step", [-5, 1.5, "4", None])
def test_a_step_that_is_none_is_refused(first_step):
    with pytest.raises(ValueError, match="Received: first_step="):
        stream()(first_step)


def test_a_step_of_numpy_is_taken():
    assert_same(taken(stream(), 1, np.int64(2)), taken(stream(), 1, 2))


def test_the_fingerprint_is_the_count_and_what_the_caller_says():
    assert stream().fingerprint == {"examples": COUNT}
    said = stream(digest="ab").fingerprint
    assert said == {"examples": COUNT, "digest_of_names": "ab"}
    for changes in ({"seed": 6}, {"shard": (1, 2)}):
        assert stream(digest="ab", **changes).fingerprint == said
