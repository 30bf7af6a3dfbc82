"""The few messages of TF Serving that are written and read here.

They stand in tensorflow-serving-api, and an export needs TensorFlow alone; so
their fields are declared here with the server's numbers. A TensorProto or
tf.Example inside is bytes, which is encoded alike, and so is a map as pairs.
"""

import functools

# Message: fields as number, name, type; `*` is repeated.
_FIELDS = """
ModelSpec: 1 name string, 3 signature_name string
Input: 1 key string, 2 value bytes
PredictRequest: 1 model_spec ModelSpec, 2 inputs *Input
RequestLog: 1 request PredictRequest
ExampleList: 1 examples *bytes
Examples: 1 example_list ExampleList
ExamplesRequest: 1 model_spec ModelSpec, 2 input Examples
ExampleLog: 1 request ExamplesRequest
PredictionLog: 2 classify ExampleLog, 3 regress ExampleLog, 6 predict RequestLog
ModelConfig: 1 name string
ModelConfigList: 1 config *ModelConfig
ModelServerConfig: 1 model_config_list ModelConfigList
"""


@functools.cache
def message(name):
    """The class of a message of `_FIELDS`."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="served", syntax="proto3")
    for line in _FIELDS.strip().splitlines():
        declared, fields = line.split(": ")
        added = file.message_type.add(name=declared)
        for number, key, kind in map(str.split, fields.split(", ")):
            one = added.field.add(name=key, number=int(number))
            is_repeated = kind.startswith("*")
            one.label = (
                one.LABEL_REPEATED if is_repeated else one.LABEL_OPTIONAL
            )
            kind = kind.lstrip("*")
            if kind in ("string", "bytes"):
                one.type = one.Type.Value(f"TYPE_{kind.upper()}")
            else:
                one.type, one.type_name = one.TYPE_MESSAGE, f".{kind}"
    # A pool of its own: the server's messages may be loaded beside these.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
