"""Where and with what a measurement was made."""

import os
import platform

from keras_pyconv import provenance
from keras_pyconv.provenance import cores

PACKAGES = ("tensorflow", "keras", "numpy", "torch", "jax")
# By what a processor has at best, the kind of which it is.
KINDS = {
    "amx_bf16": "AMX",
    "avx512_bf16": "AVX512-BF16",
    "avx512f": "AVX512",
    "avx2": "AVX2",
    "sve": "SVE",
    "asimd": "NEON",
}


def gpus():
    """Names of the NVIDIA GPUs that the driver shows."""
    query = ("--query-gpu=name", "--format=csv,noheader")
    return provenance.output("nvidia-smi", *query).splitlines()


def gpu_problem():
    """Why no GPU can be measured, or None where one can."""
    return None if gpus() else "no GPU on this machine"


def kind(machine):
    """What kernels run on a machine that was described, as "AVX512-BF16"."""
    sets = machine["instruction_sets"]
    best = [title for name, title in KINDS.items() if name in sets][:1]
    return ", ".join([*best, *machine.get("gpus", [])[:1]])


def description():
    """The machine, the versions, the date and the commit."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        **provenance.provenance(PACKAGES),
        "cpu": provenance.processor(),
        "cores": cores(),
        "instruction_sets": provenance.instruction_sets(),
        "memory_gib": round(memory / 2**30, 1),
        "load_at_start": round(os.getloadavg()[0], 2),
        "gpus": gpus(),
        "system": f"{platform.system()} {platform.machine()}",
    }
