"""The loopback server in a process of its own, with XLA switched off."""

import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
import sys

SCRIPT = pathlib.Path(__file__).with_name("loopback.py")


@dataclasses.dataclass(frozen=True)
class Running:
    """Where it listens, and its process."""

    rest: int
    grpc: int
    process: int


@contextlib.contextmanager
def running(folder, onednn=None):
    """Serves the models below `folder` while the block runs."""
    environment = {
        **os.environ,
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    environment.pop("TF_XLA_FLAGS", None)
    if onednn is not None:
        environment["TF_ENABLE_ONEDNN_OPTS"] = "1" if onednn else "0"
    process = subprocess.Popen(
        [sys.executable, "-P", str(SCRIPT), str(folder)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("The loopback server did not start.")
        yield Running(**json.loads(line), process=process.pid)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
