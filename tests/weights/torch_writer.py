"""Writes files of PyTorch's two kinds by hand, so that no test needs PyTorch.

Only what checkpoints hold: dicts, tuples, lists, strings, numbers, arrays.
"""

import struct
import zipfile

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}


class Raw:
    """Opcodes of a pickle as they are."""

    def __init__(self, opcodes):
        self.opcodes = opcodes


def name(module, attribute):
    """The opcode that looks a Python object up."""
    return b"c" + f"{module}\n{attribute}\n".encode()


class Writer:
    """Makes pickles; collects the arrays that they refer to.

    `views` adds the sixth entry that old files have for a storage.
    """

    def __init__(self, old):
        self.old, self.arrays = old, []

    def _tensor(self, array):
        key, kind = str(len(self.arrays)), STORAGES[array.dtype.name]
        self.arrays.append(np.ascontiguousarray(array))
        strides = tuple(step // array.itemsize for step in array.strides)
        storage = ("storage", Raw(name("torch", kind)), key, "cpu", array.size)
        storage += (None,) if self.old else ()
        parts = [Raw(self.dump(storage) + b"Q"), 0, array.shape, strides]
        parts += [False, Raw(name("collections", "OrderedDict") + b")R")]
        arguments = self.dump(tuple(parts))
        return name("torch._utils", "_rebuild_tensor_v2") + arguments + b"R"

    def dump(self, value):
        """The opcodes of a value."""
        if isinstance(value, Raw):
            return value.opcodes
        if value is None or isinstance(value, bool):
            return {None: b"N", True: b"\x88", False: b"\x89"}[value]
        if isinstance(value, str):
            text = value.encode()
            return b"X" + struct.pack("<I", len(text)) + text
        if isinstance(value, int):
            number = value.to_bytes(16, "little", signed=True)
            return b"\x8a" + bytes([len(number)]) + number
        if isinstance(value, np.ndarray):
            return self._tensor(value)
        if isinstance(value, dict):
            items = [part for pair in value.items() for part in pair]
            return b"}(" + b"".join(map(self.dump, items)) + b"u"
        items = b"(" + b"".join(map(self.dump, value))
        return items + b"t" if isinstance(value, tuple) else b"]" + items + b"e"

    def pickle(self, value):
        """A whole pickle of a value."""
        return b"\x80\x02" + self.dump(value) + b"."


def save(path, content, old=False, header=MAGIC):
    """Writes `content`: an archive, or a chain of pickles as before 1.6."""
    writer = Writer(old)
    pickled = writer.pickle(content)
    if not old:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickled)
            archive.writestr("archive/byteorder", b"little")
            for key, array in enumerate(writer.arrays):
                archive.writestr(f"archive/data/{key}", array.tobytes())
            archive.writestr("archive/version", b"3\n")
        return
    keys = [str(key) for key in range(len(writer.arrays))]
    parts = [header, 1001, {"little_endian": True}, Raw(pickled[2:-1]), keys]
    with open(path, "wb") as file:
        file.write(b"".join(map(writer.pickle, parts)))
        for array in writer.arrays:
            file.write(struct.pack("<q", array.size) + array.tobytes())
