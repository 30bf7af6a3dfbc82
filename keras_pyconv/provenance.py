"""What a result was made with: date, commit, machine, versions."""

import datetime
import importlib.metadata
import os
import pathlib
import platform
import shutil
import subprocess
from collections.abc import Sequence

from keras_pyconv.arguments import texts

PACKAGES = ("tensorflow", "keras", "numpy", "keras_pyconv")
FOLDER = pathlib.Path(__file__).parent
# The instruction sets on which oneDNN and PyTorch choose their kernels.
INSTRUCTION_SETS = (
    *("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16"),
    *("amx_bf16", "asimd", "bf16", "sve"),
)


def today() -> str:
    """The date, as `2026-01-31`."""
    return datetime.date.today().isoformat()


def output(*command) -> str:
    """What a command prints; empty where it is missing or fails."""
    if not shutil.which(command[0]):
        return ""
    ended = subprocess.run(command, capture_output=True, text=True)
    return ended.stdout.strip() if ended.returncode == 0 else ""


def version(package, missing=None):
    """The version of an installed package, or `missing`."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return missing


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """The model of the processor."""
    return (
        _cpuinfo().get("model name")
        or output("sysctl", "-n", "machdep.cpu.brand_string")
        or platform.processor()
        or platform.machine()
    )


def instruction_sets() -> list[str]:
    """Those of `INSTRUCTION_SETS` that the processor has, from Linux."""
    fields = _cpuinfo()
    flags = fields.get("flags", fields.get("Features", "")).split()
    return [name for name in INSTRUCTION_SETS if name in flags]


def _cpuinfo():
    """What Linux says about the first processor."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in reversed(lines))
    return {key.strip(): value.strip() for key, _, value in pairs}


def commit() -> str:
    """The commit, with `-dirty` where code was changed; else `"unknown"`."""
    # An installed package may stand inside somebody else's repository.
    git = "git", "-C", str(FOLDER)
    if not output(*git, "ls-files", "--error-unmatch", __file__):
        return "unknown"
    code = ":/", ":!/benchmarks/results", ":!/*.md"
    changes = output(*git, "status", "--porcelain", "-uno", "--", *code)
    known = output(*git, "rev-parse", "--short=12", "HEAD") or "unknown"
    return known + "-dirty" * bool(changes)


def provenance(packages: Sequence[str] = PACKAGES) -> dict:
    """Date, commit, machine and the versions of those that are installed."""
    versions = {name: version(name) for name in texts("packages", packages)}
    return {
        "date": today(),
        "commit": commit(),
        "machine": f"{processor()}, {cores()} cores",
        "python": platform.python_version(),
        "versions": {name: v for name, v in versions.items() if v},
    }
