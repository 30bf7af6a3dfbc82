"""The messages of TF Serving that are written and read here.

TensorFlow brings protobuf and not the server's messages, which stand in
tensorflow-serving-api; an export needs no more than TensorFlow, so the few
fields that it touches are declared here, with their numbers in TF Serving's
`apis/*.proto` and `config/model_server_config.proto`. Tests compare them with
those messages. A TensorProto or tf.Example inside is bytes, which is encoded
alike, and so is a map as a repeated pair.
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
    from google.protobuf import descriptor_pool, message_factory

    # A pool of its own: the server's messages may be loaded beside these.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def _file():
    from google.protobuf import descriptor_pb2

    file = descriptor_pb2.FileDescriptorProto(name="served", syntax="proto3")
    for line in _FIELDS.strip().splitlines():
        name, fields = line.split(": ")
        added = file.message_type.add(name=name)
        for field in fields.split(", "):
            number, key, kind = field.split()
            one = added.field.add(name=key, number=int(number))
            one.label = (
                one.LABEL_REPEATED if kind[0] == "*" else one.LABEL_OPTIONAL
            )
            kind = kind.lstrip("*")
            scalar = f"TYPE_{kind.upper()}"
            if kind in ("string", "bytes"):
                one.type = one.Type.Value(scalar)
            else:
                one.type, one.type_name = one.TYPE_MESSAGE, f".{kind}"
    return file
