"""Where and with what a measurement was made."""

import datetime
import importlib.metadata
import os
import pathlib
import platform
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent

# The instruction sets on which oneDNN and PyTorch choose their kernels.
INSTRUCTION_SETS = (
    "avx2",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_bf16",
    "asimd",
    "bf16",
    "sve",
)
PACKAGES = ("tensorflow", "keras", "numpy", "torch", "jax")


def cores():
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _output(*command, **options):
    """What a command prints; empty where it is missing or fails."""
    if not shutil.which(command[0]):
        return ""
    ended = subprocess.run(command, capture_output=True, text=True, **options)
    return ended.stdout.strip() if ended.returncode == 0 else ""


def _cpu():
    """Model and flags of the processor."""
    path = pathlib.Path("/proc/cpuinfo")
    if not path.exists():
        model = _output("sysctl", "-n", "machdep.cpu.brand_string")
        return model or platform.machine(), []
    fields = {}
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    model = fields.get("model name") or platform.machine()
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    return model, [name for name in INSTRUCTION_SETS if name in flags]


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def gpus():
    """Names of the NVIDIA GPUs that the driver shows."""
    query = ("--query-gpu=name", "--format=csv,noheader")
    return _output("nvidia-smi", *query).splitlines()


def gpu_problem():
    """Why no GPU can be measured, or None where one can."""
    if not gpus():
        return "no GPU on this machine"
    code = "import jax; print(jax.default_backend())"
    backend = _output(sys.executable, "-c", code).splitlines()[-1:]
    return None if backend == ["gpu"] else "JAX with GPU is not installed"


def description():
    """The machine, the versions, the date and the commit."""
    model, instruction_sets = _cpu()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    # What earlier measurements wrote changes nothing that is measured.
    code = (".", ":!benchmarks/results", ":!*.md")
    changes = _output(
        "git", "status", "--porcelain", "-uno", "--", *code, cwd=ROOT
    )
    commit = _output("git", "rev-parse", "--short=12", "HEAD", cwd=ROOT)
    return {
        "date": datetime.date.today().isoformat(),
        "commit": (commit or "unknown") + ("+changes" if changes else ""),
        "cpu": model,
        "cores": cores(),
        "instruction_sets": instruction_sets,
        "memory_gib": round(memory / 2**30, 1),
        "load_at_start": round(os.getloadavg()[0], 2),
        "gpus": gpus(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
    }
