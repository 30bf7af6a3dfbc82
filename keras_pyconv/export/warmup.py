"""Warm-up requests: what TF Serving asks a version before clients may.

The first request of each signature and batch size builds an executor and
takes up to seconds. The server runs the file
`assets.extra/tf_serving_warmup_requests` first: a TFRecord of PredictionLog
messages. A request in it that fails keeps the version from loading.

The few fields that are needed are written and read here, field by field in
the encoding of protocol buffers, so that an export needs no more than
TensorFlow. The numbers of the fields are those of TF Serving's
`apis/*.proto`.
"""

import pathlib

import numpy as np

FILE = "assets.extra/tf_serving_warmup_requests"
MOST_RECORDS = 1000  # the server reads no more
# PredictionLog.predict_log and .classify_log, by the signature's method
LOGS = {"predict": 6, "classify": 2, "regress": 3}
LENGTH_DELIMITED = 2


def _varint(number):
    """An integer in sevens of bits, lowest first."""
    data = bytearray()
    while number > 127:
        data.append(number & 127 | 128)
        number >>= 7
    return bytes(data) + bytes([number])


def _field(number, *parts):
    """One length-delimited field: a message, a string or bytes."""
    payload = b"".join(parts)
    tag = _varint(number << 3 | LENGTH_DELIMITED)
    return tag + _varint(len(payload)) + payload


def _read_varint(data, position):
    number = shift = 0
    while True:
        byte = data[position]
        position += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, position
        shift += 7


def _fields(data):
    """The numbers and payloads of length-delimited fields."""
    position = 0
    while position < len(data):
        tag, position = _read_varint(data, position)
        size, position = _read_varint(data, position)
        if tag & 7 != LENGTH_DELIMITED:
            continue  # a number, such as a version
        yield tag >> 3, data[position : position + size]
        position += size


def _first(data, number):
    return next((value for key, value in _fields(data) if key == number), b"")


def _tensor(array):
    """A TensorProto; one value stands for all where they are the same."""
    import tensorflow as tf

    array = np.asarray(array)
    if array.dtype == np.float32 and array.size and np.ptp(array) == 0:
        proto = tf.make_tensor_proto(array.flat[0], shape=array.shape)
    else:
        proto = tf.make_tensor_proto(array)
    return proto.SerializeToString()


def _predict_request(spec, arrays):
    """PredictRequest: the inputs are a map from names to tensors."""
    inputs = [
        _field(2, _field(1, name.encode()), _field(2, _tensor(array)))
        for name, array in arrays.items()
    ]
    return _field(1, spec) + b"".join(inputs)


def _examples_request(spec, arrays):
    """ClassificationRequest, RegressionRequest: a list of tf.Example."""
    (serialized,) = arrays.values()
    examples = b"".join(_field(1, example) for example in serialized)
    return _field(1, spec) + _field(2, _field(1, examples))


def encode_log(model_name, signature_name, method, arrays):
    """One PredictionLog of a request.

    Args:
        model_name: as the server knows the model.
        signature_name: of the signature.
        method: "predict", "classify" or "regress".
        arrays: dictionary of arrays by input name.

    Returns:
        Bytes.
    """
    spec = _field(1, model_name.encode()) + _field(3, signature_name.encode())
    make = _predict_request if method == "predict" else _examples_request
    return _field(LOGS[method], _field(1, make(spec, arrays)))


def decode_log(data):
    """The name of the signature and the arrays of one PredictionLog.

    Args:
        data: bytes.

    Returns:
        Pair of the name and the dictionary of arrays by input name.

    Raises:
        ValueError: another kind of log.
    """
    import tensorflow as tf
    from tensorflow.core.framework import tensor_pb2

    ((log, message),) = _fields(data)
    request = _first(message, 1)
    name = _first(_first(request, 1), 3).decode() or "serving_default"
    if log == LOGS["predict"]:
        arrays = {}
        for number, entry in _fields(request):
            if number == 2:
                proto = tensor_pb2.TensorProto.FromString(_first(entry, 2))
                arrays[_first(entry, 1).decode()] = tf.make_ndarray(proto)
        return name, arrays
    if log not in LOGS.values():
        raise ValueError(
            f"A warm-up request of kind {log} is not known here; those of "
            "predict, classify and regress are."
        )
    examples = [one for _, one in _fields(_first(_first(request, 2), 1))]
    array = np.empty(len(examples), object)
    array[:] = examples
    return name, {"inputs": array}


def example_inputs(signature, count, size, seed=0):
    """Inputs of one signature: its own examples, or random numbers.

    Args:
        signature: the `Signature`.
        count: rows.
        size: of every axis that the signature leaves open.
        seed: of the random numbers.

    Returns:
        Dictionary of arrays by input name.
    """
    if signature.examples is not None:
        return signature.examples(count)
    generator = np.random.default_rng(seed)
    return {
        name: random_array(
            spec.dtype.name, (count, *spec.shape.as_list()[1:]), generator, size
        )
        for name, spec in signature.inputs.items()
    }


def random_array(dtype, shape, generator, size):
    """Normal numbers, any bytes, or small integers.

    Args:
        dtype: name of a numeric type.
        shape: tuple in which None is `size`.
        generator: `numpy.random.Generator`.
        size: of the open axes.

    Returns:
        Array.
    """
    shape = [size if n is None else n for n in shape]
    if "float" in dtype:
        return generator.normal(size=shape).astype(dtype)
    if dtype == "uint8":
        return generator.integers(0, 256, shape).astype(np.uint8)
    return generator.integers(0, 2, shape).astype(dtype)


def check_examples(signatures):
    """Refuses a signature of strings without examples, before any writing.

    Args:
        signatures: sequence of `Signature`.

    Raises:
        ValueError: there is one.
    """
    for signature in signatures:
        dtypes = {spec.dtype.name for spec in signature.inputs.values()}
        if "string" in dtypes and signature.examples is None:
            raise ValueError(
                f"The signature {signature.name!r} takes strings and needs "
                "`examples`: a function of their number that makes some."
            )


def write_warmup(folder, model_name, signatures, batch_sizes, size):
    """Writes the requests of every signature and batch size.

    Args:
        folder: of the SavedModel.
        model_name: as the server knows the model.
        signatures: sequence of `Signature`.
        batch_sizes: those of signatures that have none of their own.
        size: of every axis that a signature leaves open.

    Raises:
        ValueError: more requests than the server reads.
    """
    import tensorflow as tf

    wanted = [
        (signature, count)
        for signature in signatures
        for count in signature.batch_sizes or batch_sizes
    ]
    if len(wanted) > MOST_RECORDS:
        raise ValueError(
            f"The server reads at most {MOST_RECORDS} warm-up requests. "
            f"Received {len(wanted)}: fewer `batch_sizes` are needed."
        )
    file = pathlib.Path(folder, FILE)
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for signature, count in wanted:
            arrays = example_inputs(signature, count, size)
            # One value for all makes a file that is a tenth the size.
            arrays = {
                name: (
                    np.full_like(array, 0.5)
                    if array.dtype == np.float32
                    else array
                )
                for name, array in arrays.items()
            }
            writer.write(
                encode_log(model_name, signature.name, signature.method, arrays)
            )


def read_warmup(path):
    """The warm-up requests of a SavedModel.

    Args:
        path: folder of one version.

    Returns:
        List of `(signature name, {input name: array})`; empty where the
        version has none.
    """
    import tensorflow as tf

    file = pathlib.Path(path, FILE)
    if not file.is_file():
        return []
    records = tf.data.TFRecordDataset(str(file))
    return [decode_log(record.numpy()) for record in records]
