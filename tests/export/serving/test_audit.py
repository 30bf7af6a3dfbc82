"""What the server refuses is found in the file, with its layer's name."""

import keras
import pytest
import tensorflow as tf

from keras_pyconv.export import audit


def save(function, folder, variables=()):
    module = tf.Module()
    module.model_variables = variables
    traced = tf.function(function).get_concrete_function(
        tf.TensorSpec((None, 4, 4, 4), tf.float32, "images")
    )
    tf.saved_model.save(module, str(folder), signatures={"serve": traced})
    return folder


def in_python(images):
    outputs = tf.numpy_function(lambda x: x, [images], tf.float32)
    return {"outputs": tf.ensure_shape(outputs, images.shape)}


def on_an_accelerator(images):
    with tf.device("/device:GPU:0"):
        return {"outputs": images + 1.0}


def compiled(images):
    double = tf.function(lambda x: 2.0 * x, jit_compile=True)
    return {"outputs": double(images)}


@pytest.mark.parametrize(
    "function, kind",
    [
        (in_python, "python-function"),
        (on_an_accelerator, "pinned-device"),
        (compiled, "must-compile"),
    ],
)
def test_finds(function, kind, tmp_path):
    findings = audit(save(function, tmp_path / "1"))
    assert {finding.kind for finding in findings} == {kind}
    assert findings[0].cure in str(findings[0])


def test_names_the_layer_of_a_stock_grouped_convolution(tmp_path):
    layer = keras.layers.Conv2D(4, 3, groups=2, name="stock")
    layer.build((None, 4, 4, 4))
    save(
        lambda images: {"outputs": layer(images)},
        tmp_path / "1",
        [variable.value for variable in layer.variables],
    )
    findings = audit(tmp_path / "1")
    assert {finding.kind for finding in findings} == {"must-compile"}
    assert any("stock" in finding.where for finding in findings)


def test_finds_nothing_in_an_export_of_ours(exported):
    assert audit(exported) == []


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no SavedModel .* is missing"):
        audit(tmp_path)
    for version in ("1", "12"):
        (tmp_path / version).mkdir()
    with pytest.raises(ValueError, match=f"such as {tmp_path / '12'}"):
        audit(tmp_path)


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\xff\xff\xff")
    with pytest.raises(ValueError, match="damaged"):
        audit(tmp_path)


def writes(images):
    with tf.control_dependencies([tf.io.write_file("seen", "x")]):
        return {"outputs": images + 1.0}


def writes_in_a_branch(images):
    def note():
        with tf.control_dependencies([tf.io.write_file("seen", "x")]):
            return images + 0.0

    found = tf.cond(tf.reduce_sum(images) > 0.0, note, lambda: images)
    return {"outputs": found}


def reads(images):
    return {"outputs": images + tf.strings.to_number(tf.io.read_file("x"))}


def reads_in_a_data_set(images):
    lines = tf.data.TextLineDataset("x").map(tf.strings.to_number)
    return {"outputs": images + lines.reduce(0.0, lambda a, b: a + b)}


def prints_to_a_file(images):
    printed = tf.print("seen", output_stream="file://seen")
    with tf.control_dependencies([printed]):
        return {"outputs": images + 1.0}


def saves(images):
    saved = tf.raw_ops.SaveV2(
        prefix="seen",
        tensor_names=["x"],
        shape_and_slices=[""],
        tensors=[images],
    )
    with tf.control_dependencies([saved]):
        return {"outputs": images + 1.0}


def caches(images):
    rows = tf.data.Dataset.from_tensor_slices(tf.zeros((3,)))
    rows = rows.cache("seen")
    return {"outputs": images + rows.reduce(0.0, lambda a, b: a + b)}


def asks_a_database(images):
    rows = tf.raw_ops.SqlDataset(
        driver_name="sqlite",
        data_source_name="seen",
        query="select x from y",
        output_types=[tf.string],
        output_shapes=[[]],
    )
    with tf.control_dependencies([rows]):
        return {"outputs": images + 1.0}


def maps_a_file(images):
    mapped = tf.raw_ops.ImmutableConst(
        dtype=tf.float32, shape=[], memory_region_name="seen"
    )
    return {"outputs": images + mapped}


def fills_a_table(images):
    table = tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
    filled = tf.raw_ops.InitializeTableFromTextFileV2(
        table_handle=table, filename="seen", key_index=-2, value_index=-1
    )
    with tf.control_dependencies([filled]):
        return {"outputs": images + 1.0}


def samples_from_a_vocabulary(images):
    drawn = tf.raw_ops.FixedUnigramCandidateSampler(
        true_classes=[[1]],
        num_true=1,
        num_sampled=1,
        unique=True,
        range_max=3,
        vocab_file="seen",
    )
    return {"outputs": images + tf.reduce_sum(drawn.true_expected_count)}


def reads_by_a_description(images):
    read = tf.io.decode_proto(
        tf.constant([b""]), "x.Y", ["z"], [tf.float32], "seen"
    )
    return {"outputs": images + tf.reduce_sum(read.values[0])}


@pytest.mark.parametrize(
    "function",
    [
        *(writes, writes_in_a_branch, reads, reads_in_a_data_set),
        *(prints_to_a_file, saves, caches, asks_a_database, maps_a_file),
        *(fills_a_table, samples_from_a_vocabulary, reads_by_a_description),
    ],
)
def test_finds_operations_on_files(function, tmp_path):
    with tf.init_scope():
        variable = tf.Variable(1.0)

    def serve(images):
        return function(images * variable)

    findings = audit(save(serve, tmp_path / "1", [variable]))
    assert {finding.kind for finding in findings} == {"file-operation"}
    assert "let the request bring the bytes" in str(findings[0])


def test_what_stays_in_memory_is_no_file(tmp_path):
    (tmp_path / "words.txt").write_text("one\ntwo\n")
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer([0, 1], [2.0, 3.0]), 0.0
    )
    # Its file becomes a part of the version.
    words = tf.lookup.StaticVocabularyTable(
        tf.lookup.TextFileInitializer(
            str(tmp_path / "words.txt"),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        ),
        1,
    )

    def serve(images):
        rows = tf.data.Dataset.from_tensor_slices(tf.zeros((3,))).cache()
        found = rows.reduce(0.0, lambda a, b: a + b)
        tf.print("seen")
        found += tf.cast(words.lookup(tf.constant("two")), tf.float32)
        return {"outputs": images + found + table.lookup(tf.constant(1))}

    module = tf.Module()
    module.tables = [table, words]
    traced = tf.function(serve).get_concrete_function(
        tf.TensorSpec((None, 4, 4, 4), tf.float32, "images")
    )
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=traced)
    assert audit(tmp_path / "1") == []
