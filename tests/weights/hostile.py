"""Pickles and archives made to crash, hang, fill, change or deceive a reader.

Each is the program of a pickle, to stand where a checkpoint has its content.
"""

import io
import struct
import zipfile

from tests.weights import torch_writer
from tests.weights.torch_writer import Raw, name

START = b"\x80\x02"
ESCAPES = "\x1b[2J\x1b]0;owned\x07\r\u202e"
LONG = "x" * 5_000_000
REBUILD = name("torch._utils", "_rebuild_tensor_v2")
FLOATS = name("torch", "FloatStorage")
ORDERED = name("collections", "OrderedDict")


def dump(value):
    return torch_writer.Writer(False).dump(value)


def storage(key="0", count=4, kind=FLOATS):
    return dump(("storage", Raw(kind), key, "cpu", count)) + b"Q"


def tensor(*view, of=None):
    """A call that rebuilds a tensor: offset, size, strides."""
    parts = (Raw(storage() if of is None else of), *view)
    return REBUILD + dump((*parts, False, None)) + b"R"


def state(value, key=b"X\x01\x00\x00\x00a"):
    """A dictionary with one entry."""
    return b"}" + key + value + b"s"


def keys(numbers):
    """A dictionary of these integers."""
    return b"}(" + b"".join(dump(n) + b"N" for n in numbers) + b"u"


def _share(kind):
    """A value that stands twice in the next, sixty times over."""
    first, step = {
        "tuple": (b")", b"h\x00h\x00\x86"),
        "list": (b"]", b"](h\x00h\x00e"),
        "dict": (b"}", b"}(K\x00h\x00K\x01h\x00u"),
    }[kind]
    return first + b"q\x00" + (step + b"q\x00") * 60


PROGRAMS = {
    # Deep, so that hashing, comparing, printing or freeing recurses.
    "a key a million tuples deep": b"})" + b"\x85" * 10**6 + b"K\x01s",
    "a key 2,000 tuples deep": b"})" + b"\x85" * 2000 + b"K\x01s",
    "a value a million tuples deep": state(b")" + b"\x85" * 10**6),
    "lists a million deep": b"]" * 10**6 + b"a" * (10**6 - 1),
    "dictionaries deep": b"}" + b"K\x00}" * 10**5 + b"s" * 10**5,
    "lists deep from above": b"]q\x00"
    + b"h\x00]q\x01ah\x01q\x00" * 10**5
    + b"h\x00",
    "calls in calls": (ORDERED + b"]" + dump("a")) * 200
    + b"N"
    + b"\x86a\x85R" * 200,
    # Shared, so that it is huge where it is walked.
    "a key of pairs of pairs by copies": b"})" + b"2\x86" * 60 + b"K\x01s",
    "a key of pairs of pairs by the memo": b"}" + _share("tuple") + b"K\x01s",
    "a value of pairs of pairs": state(_share("tuple")),
    "a value of lists of lists": state(_share("list")),
    "a value of dictionaries": state(_share("dict")),
    "a size of pairs of pairs": tensor(0, Raw(_share("tuple")), (1,)),
    "an offset of lists of lists": tensor(Raw(_share("list")), (2,), (1,)),
    "a storage of lists of lists": state(_share("list") + b"Q"),
    "a storage's key of lists": state(
        dump(("storage", Raw(FLOATS), Raw(_share("list")), "cpu", 4)) + b"Q"
    ),
    "a storage's kind of lists": state(
        dump((Raw(_share("list")), Raw(FLOATS), "0", "cpu", 4)) + b"Q"
    ),
    "a Python name of lists": _share("list") + dump("a") + b"\x93",
    "a state of lists": state(REBUILD + _share("list") + b"b"),
    "a set of pairs of pairs": b"\x8f(" + _share("tuple") + b"\x90",
    "a frozen set of pairs": b"(" + _share("tuple") + b"\x91",
    "a Counter of pairs": name("collections", "Counter")
    + b"}"
    + _share("tuple")
    + b"K\x01s\x85R",
    "an OrderedDict of pairs of pairs": ORDERED
    + b"]"
    + _share("tuple")
    + b"K\x01\x86a\x85R",
    # In itself, so that walking has no end.
    "a list in itself": b"]q\x00h\x00a",
    "a list in itself by several": b"]q\x00(NNh\x00e",
    "a dictionary in itself": b"}q\x00K\x00h\x00s",
    "a list in its list": b"]q\x00]h\x00a0h\x00h\x00a",
    "two lists in each other": b"]q\x00]q\x01h\x00ah\x00h\x01a",
    "a tuple in its list": b"]q\x00h\x00\x85q\x010h\x00h\x01a",
    # Sizes that nothing is behind.
    "a byte array of 2 ** 40": b"\x96" + struct.pack("<Q", 2**40),
    "bytes of 2 ** 40": b"\x8e" + struct.pack("<Q", 2**40),
    "bytes of 2 ** 32": b"B" + b"\xff" * 4,
    "text of 2 ** 40": b"\x8d" + struct.pack("<Q", 2**40),
    "text of 2 ** 32": b"X" + b"\xff" * 4,
    "old text of 2 ** 31": b"T" + b"\xff\xff\xff\x7f",
    "old text of -1": b"T" + b"\xff" * 4,
    "an integer of 2 ** 31 bytes": b"\x8b\xff\xff\xff\x7f",
    "an integer of 255 bytes": state(b"\x8a\xff" + b"\x01" * 255),
    "a frame of 2 ** 62": b"\x95" + struct.pack("<Q", 2**62) + b"N",
    "a memo of 2 ** 32": b"]r\xff\xff\xff\xff" + b"j\xfe\xff\xff\xff",
    "a buffer from elsewhere": b"\x97\x98",
    "a storage of 2 ** 60": state(
        tensor(0, (2,), (1,), of=storage("1", 2**60))
    ),
    "a storage of -1": state(tensor(0, (2,), (1,), of=storage("0", -1))),
    "a storage of 2 ** 120": state(
        tensor(0, (1,), (1,), of=storage("1", 2**120))
    ),
    "a storage that is not there": state(
        tensor(0, (1,), (1,), of=storage("no" + ESCAPES, 1))
    ),
    "a storage of two kinds": b"("
    + tensor(0, (4,), (1,))
    + tensor(*(0, (4,), (1,)), of=storage(kind=name("torch", "DoubleStorage")))
    + b"t",
    "a storage of True": state(tensor(0, (1,), (1,), of=storage("0", True))),
    "a storage of no kind": state(storage(kind=ORDERED)),
    "a tensor of 10 ** 12": state(tensor(0, (10**12,), (0,))),
    "a tensor of nothing, but large": state(tensor(0, (0, 10**30), (1, 1))),
    "a tensor of 10,000 axes": state(tensor(0, (1,) * 10**4, (1,) * 10**4)),
    "a tensor with a stride of 10 ** 30": state(tensor(0, (2,), (10**30,))),
    "a tensor before its storage": state(tensor(-1, (2,), (1,))),
    "a tensor with a negative stride": state(tensor(3, (2,), (-1,))),
    "a tensor of True": state(tensor(0, (True,), (1,))),
    "a tensor of text": state(tensor(0, "aa", "aa")),
    "a tensor of no storage": state(tensor(0, (1,), (1,), of=b"N")),
    "a parameter of no tensor": state(
        name("torch._utils", "_rebuild_parameter") + b"K\x01\x85R"
    ),
    # Long, so that it takes for ever or all the memory.
    "a million instructions": b"N" * 10**6,
    "a million lists": b"]" * 10**6,
    "a million marks": b"(" * 10**6,
    "keys of one hash": keys((2**61 - 1) * i for i in range(1, 20_000)),
    "40 MB of text": state(dump(LONG) * 8),
    # What would change the process.
    "a state for a function": REBUILD
    + state(b"K\x01\x85", dump("__defaults__"))
    + b"b",
    "a state of slots for a function": REBUILD
    + b"N"
    + state(b"K\x01\x85", dump("__defaults__"))
    + b"\x86b",
    "a state for a kind of storages": FLOATS + state(b"N", dump("name")) + b"b",
    "a state for a size": name("torch", "Size") + state(b"N") + b"b",
    "a state for OrderedDict": ORDERED + state(b"N", dump("update")) + b"b",
    "entries for a function": REBUILD + b"K\x01K\x02s",
    "members for a function": REBUILD + b"K\x01a",
    "attributes of functions": name(
        "torch._utils", "_rebuild_tensor_v2.__code__"
    ),
    "a class of a class": name("collections", "OrderedDict.__class__") + b")R",
    "builtins": name("builtins", "eval") + dump("1") + b"\x85R",
    "old builtins": name("__builtin__", "eval") + dump("1") + b"\x85R",
    "getattr": name("builtins", "getattr"),
    "numpy's loader": name("numpy", "load") + dump("x") + b"\x85R",
    "an instance": b"(ios\nsystem\n",
    "an object": b"(" + name("os", "system") + dump("true") + b"o",
    "an extension": b"\x82\x01",
    "a new object with names": ORDERED + b")}\x92",
    "a persistent id of text": b"Pabc\n",
    "a persistent id of a number": b"K\x01Q",
    "a call of a storage's kind": FLOATS + b"K\x7f\x85R",
    "a call of a precision": name("torch", "float32") + b")R",
    "a call of a tensor": tensor(0, (1,), (1,)) + b")R",
    "a call with a list": ORDERED + b"]R",
    "a call with another count": REBUILD + b")R",
    "an OrderedDict of a number": ORDERED + b"K\x01\x85R",
    "an OrderedDict of text": ORDERED + dump(["ab"]) + b"\x85R",
    # What would deceive who reads the message, or fill the terminal.
    "a Python name with escapes": name("os" + "\x1b[2J", "system\x07"),
    "a Python name of 5 MB": name("os", LONG),
    "a Python name without an end": b"cos\nsystem",
    "a Python name that is no text": b"c\xff\xfe\n\xff\n",
    "text that is no text": b"X\x02\x00\x00\x00\xff\xfe",
    "text of half characters": b"X\x03\x00\x00\x00\xed\xa0\x80",
    "a name with escapes": state(b"]", dump(ESCAPES)),
    "a name of 5 MB": state(b"]", dump(LONG)),
    "a tuple as a key": state(b"N", b"K\x01\x85"),
    "a list as a key": state(b"N", b"]"),
    # No pickle at all.
    "nothing": b"",
    "values from an empty stack": b"\x86\x86",
    "entries from an empty stack": b"u",
    "a mark that is not there": b"t",
    "a value that was never kept": b"h\x07",
    "a key without a value": b"}(K\x01u",
    "a later pickle": b"\x80\xff}",
    "an unknown instruction": b"\xff",
    "an instruction of text": b"I" + b"9" * 10**6 + b"\n",
    "a zero by another way": b"L" + b"9" * 10**6 + b"L\n",
    "a popped mark": b"(1",
}
# The whole pickle, which ends at once.
PROGRAMS = {key: START + value + b"." for key, value in PROGRAMS.items()}


def archive(program):
    """A checkpoint of today with a program as its content."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("a/data.pkl", program)
        file.writestr("a/byteorder", b"little")
        file.writestr("a/data/0", bytes(16))
        file.writestr("a/version", b"3\n")
    return stream.getvalue()


def chain(program):
    """A checkpoint of before with a program as its content."""
    header = (torch_writer.MAGIC, 1001, {"little_endian": True})
    parts = [START + dump(value) + b"." for value in header]
    parts += [program, START + dump(["0"]) + b"."]
    return b"".join(parts) + struct.pack("<q", 4) + bytes(16)


def bare(program):
    """The program alone, as `pickle.dump` writes one."""
    return program


KINDS = {"archive": archive, "chain": chain, "bare": bare}
