"""Warm-up requests: what TF Serving asks a version before clients may.

The first request of each signature and batch size takes up to seconds. One in
the file that fails keeps the version from loading.
"""

import os
import pathlib

import numpy as np

from keras_pyconv.export.serving.messages import message
from keras_pyconv.export.signatures.images import as_objects
from keras_pyconv.lazy import tf
from keras_pyconv.reading import explained

FILE = "assets.extra/tf_serving_warmup_requests"
MOST_RECORDS = 1000  # the server reads no more
RECORD_BYTES = 16  # of a TFRecord, beside its data


def _tensor(array):
    """The bytes of a TensorProto; equal values are written once."""
    array = np.asarray(array)
    values, shape = array, None
    if array.dtype == np.float32 and array.size and np.ptp(array) == 0:
        values, shape = array.flat[0], array.shape
    return tf.make_tensor_proto(values, shape=shape).SerializeToString()


def encode_log(model_name, signature_name, method, arrays):
    """The bytes of one PredictionLog; `arrays` are by input name."""
    log = message("PredictionLog")()
    request = getattr(log, method).request
    request.model_spec.name = model_name
    request.model_spec.signature_name = signature_name
    if method == "predict":
        for name, array in arrays.items():
            request.inputs.add(key=name, value=_tensor(array))
    else:
        (serialized,) = arrays.values()
        request.input.example_list.examples.extend(serialized)
    return log.SerializeToString()


def _arrays(request, is_predict):
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    if not is_predict:
        return {"inputs": as_objects(request.input.example_list.examples)}
    return {
        one.key: tf.make_ndarray(TensorProto.FromString(one.value))
        for one in request.inputs
    }


def decode_log(data):
    """Signature and arrays of one PredictionLog; a ValueError if damaged."""
    with explained("A warm-up request is damaged"):
        log = message("PredictionLog").FromString(data)
        kinds = [field.name for field, _ in log.ListFields()]
        if len(kinds) != 1:
            raise ValueError("it is neither a predict nor a classify request")
        request = getattr(log, kinds[0]).request
        arrays = _arrays(request, kinds == ["predict"])
    return request.model_spec.signature_name or "serving_default", arrays


def _log(model_name, signature, arrays):
    """The bytes of a request to one signature."""
    # One value for all makes a file that is a tenth the size.
    arrays = {
        name: np.full_like(array, 0.5) if array.dtype == np.float32 else array
        for name, array in arrays.items()
    }
    # The server takes examples in strings alone; of other inputs it can only
    # be asked to predict.
    is_text = all(array.dtype == object for array in arrays.values())
    method = signature.method if is_text else "predict"
    return encode_log(model_name, signature.name, method, arrays)


def write_warmup(folder, model_name, signatures, batch_sizes, size):
    """Writes the requests of every signature and batch size.

    Open axes are `size`; a signature may have batch sizes of its own.
    """
    wanted = [
        (signature, count)
        for signature in signatures
        for count in signature.batch_sizes or batch_sizes
    ]
    if len(wanted) > MOST_RECORDS:
        raise ValueError(
            f"The server reads at most {MOST_RECORDS} warm-up requests. "
            f"Received {len(wanted)}: pass fewer `batch_sizes`."
        )
    file = pathlib.Path(folder, FILE)
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for signature, count in wanted:
            examples = signature.example_inputs(count, size)
            arrays = {name: np.asarray(a) for name, a in examples.items()}
            writer.write(_log(model_name, signature, arrays))


def read_warmup(path):
    """The warm-up requests of a version; none where it has no file of them.

    Pairs of a signature's name and arrays by input; a ValueError if damaged.
    """
    file = pathlib.Path(path, FILE)
    if not os.path.lexists(file):
        return []
    try:
        if not file.is_file():
            raise ValueError("it is not a regular file")
        data = [one.numpy() for one in tf.data.TFRecordDataset(str(file))]
        # TensorFlow takes what is too short for a record for the end.
        read = sum(len(one) + RECORD_BYTES for one in data)
        if read != file.stat().st_size:
            raise ValueError("it ends within a request")
        return list(map(decode_log, data))
    except (tf.errors.OpError, ValueError) as error:
        reason = getattr(error, "message", str(error))
        raise ValueError(f"{file} is damaged: {reason}") from error
