"""Archives and tables of arrays that say other things than they hold."""

import io
import json
import struct
import zipfile

import numpy as np

from tests.weights import hostile

HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }"
DIRECTORY, LOCAL = b"PK\x01\x02", b"PK\x03\x04"


def zipped(members, method=zipfile.ZIP_STORED):
    """An archive with these members, as bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return stream.getvalue()


def npy(header, content=b"", version=1):
    """An array with a header of any text."""
    header = header.encode() + b"\n"
    form = "<H" if version == 1 else "<I"
    begin = b"\x93NUMPY" + bytes([version, 0])
    return begin + struct.pack(form, len(header)) + header + content


def npz(header, content=b"", **options):
    return zipped([("a.npy", npy(header, content, **options))])


def patched(content, where, offset, value):
    """Bytes set at an offset from the first place of some others."""
    content = bytearray(content)
    begin = content.index(where) + offset
    content[begin : begin + len(value)] = value
    return bytes(content)


def flipped(content):
    """One bit changed in the middle of the numbers."""
    content = bytearray(content)
    content[len(content) // 2] ^= 4
    return bytes(content)


def twice():
    """An archive with two members of one name."""
    one, other = (npy(HEADER % "4,", bytes([n]) * 16) for n in (1, 2))
    # The library would warn of the same name.
    both = zipped([("a.npy", one), ("b.npy", other)])
    return both.replace(b"b.npy", b"a.npy")


def tensors(header, content=bytes(16)):
    """A file of safetensors with a header of any content."""
    if not isinstance(header, bytes):
        header = json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + content


def tensor(dtype="F32", shape=(4,), offsets=(0, 16), name="a"):
    about = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
    return tensors({name: about})


GOOD = zipped([("a.npy", npy(HEADER % "4,", bytes(16)))])
LARGE = zipped([("a.npy", npy(HEADER % "1000,", bytes(4000)))])
CHECKPOINT = hostile.archive(
    hostile.START + hostile.state(hostile.tensor(0, (4,), (1,))) + b"."
)
ZEROS = npy(HEADER % f"{1 << 26},", bytes(1 << 28))
NPZ = {
    "a shape of 10 ** 12 without numbers": npz(HEADER % "1000000000000,"),
    "a product beyond any integer": npz(HEADER % ("999999999999, " * 20)),
    "nothing, but large": npz(HEADER % ("0, " + "999999999999999, " * 20)),
    "a negative shape": npz(HEADER % "-4,", bytes(16)),
    "a shape of True": npz(HEADER % "True,", bytes(4)),
    "a shape of digits": npz(HEADER % ("1" * 3000), bytes(16)),
    "more numbers than said": npz(HEADER % "3,", bytes(16)),
    "fewer numbers than said": npz(HEADER % "5,", bytes(16)),
    "a header to evaluate": npz("__import__('os').system('true')"),
    "a header deep in itself": npz("(" * 4000),
    "a header of minus signs": npz("-" * 4000 + "1"),
    "a header of 2 ** 32": zipped(
        [("a.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff")]
    ),
    "a later version": npz(HEADER % "4,", bytes(16), version=9),
    "Python objects": npz(HEADER.replace("<f4", "|O") % "1,", b"\x80\x02N."),
    "a dtype of 10 ** 9 bytes": npz(
        HEADER.replace("<f4", "|V999999999") % "1,"
    ),
    "a dtype of records": npz(
        HEADER.replace("'<f4'", "[('a', '<f4')]") % "4,", bytes(16)
    ),
    "a dtype that is none": npz(HEADER.replace("<f4", "<f3") % "4,", bytes(12)),
    "a dtype with escapes": npz(HEADER.replace("<f4", hostile.ESCAPES) % "4,"),
    "a member with escapes": zipped([(f"{hostile.ESCAPES}.npy", b"nothing")]),
    "a member of 60 kB": zipped([(f"{'x' * 60_000}.npy", b"nothing")]),
    "a member that is no array": zipped([("a.npy", b"")]),
    "a member twice": twice(),
    "256 MB of zeros in 260 kB": zipped(
        [("a.npy", ZEROS)], zipfile.ZIP_DEFLATED
    ),
    "another compression": zipped(
        [("a.npy", npy(HEADER % "4,", bytes(16)))], zipfile.ZIP_LZMA
    ),
    "a size of 2 ** 31 in the directory": patched(
        GOOD, DIRECTORY, 20, struct.pack("<II", 2**31, 2**31)
    ),
    "a size of 2 ** 31 behind the directory": patched(
        GOOD, DIRECTORY, 24, struct.pack("<I", 2**31)
    ),
    "a place behind the end": patched(
        GOOD, DIRECTORY, 42, struct.pack("<I", 2**31)
    ),
    "a directory of 2 ** 31": patched(
        GOOD, b"PK\x05\x06", 12, struct.pack("<I", 2**31)
    ),
    "an encrypted member": patched(GOOD, DIRECTORY, 8, b"\x01"),
    "an unknown compression": patched(GOOD, DIRECTORY, 10, b"\x63"),
    "another name before the numbers": patched(GOOD, LOCAL, 30, b"b"),
    "no member before the numbers": patched(GOOD, LOCAL, 0, b"XX"),
    "a flipped bit": flipped(LARGE),
    "no archive": b"\x80\x02N.",
}
PTH = {
    "a flipped bit in the numbers": CHECKPOINT.replace(
        b"a/data/0" + bytes(16), b"a/data/0" + bytes(15) + b"\x04"
    ),
    "a size of 2 ** 31 in the directory": patched(
        CHECKPOINT, DIRECTORY, 20, struct.pack("<II", 2**31, 2**31)
    ),
    "no program": zipped([("a/version", b"3\n")]),
    "two programs": zipped([("a/data.pkl", b"N."), ("b/data.pkl", b"N.")]),
    "a compressed program": zipped(
        [("a/data.pkl", b"\x80\x02" + b"N" * 10**5)], zipfile.ZIP_DEFLATED
    ),
    "a program with an encrypted place": patched(
        zipped([("a/data.pkl", b"\x80\x02}.")]), DIRECTORY, 8, b"\x01"
    ),
    "numbers that are not there": hostile.archive(
        hostile.START
        + hostile.state(
            hostile.tensor(0, (9,), (1,), of=hostile.storage("9", 9))
        )
        + b"."
    ),
}
SAFETENSORS = {
    "a header of 2 ** 63": struct.pack("<Q", 2**63) + b"{}",
    "a header longer than the file": struct.pack("<Q", 10**7) + b"{}",
    "a header deep in itself": tensors(b"[" * 100_000),
    "a header that is no text": tensors(b'{"\xff\xfe": 1}'),
    "a shape of 2 ** 62": tensor(shape=(2**62, 4)),
    "a shape beyond any integer": tensor(shape=(10**30,)),
    "a negative shape": tensor(shape=(-4,)),
    "a place behind the end": tensor(offsets=(0, 1 << 40)),
    "a place before its own begin": tensor(offsets=(16, 0)),
    "more numbers than it has": tensor(shape=(5,)),
    "a dtype with escapes": tensor(dtype=f"F32{hostile.ESCAPES}"),
    "a dtype of 1 MB": tensor(dtype="x" * 10**6),
    "a dtype that NumPy lacks": tensor(dtype="F8_E4M3", shape=(16,)),
    "an array of complex numbers' bytes": tensor(dtype="C64", shape=(2,)),
    "no table": tensors([1, 2]),
}
FILES = {
    **{f"{name} (npz)": (content, ".npz") for name, content in NPZ.items()},
    **{f"{name} (pth)": (content, ".pth") for name, content in PTH.items()},
    **{
        f"{name} (safetensors)": (content, ".safetensors")
        for name, content in SAFETENSORS.items()
    },
}
assert np.load(io.BytesIO(GOOD))["a"].shape == (4,)
