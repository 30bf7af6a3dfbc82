"""`benchmarks.serving_load` on the loopback server.

    python -m tests.serving.load            about 75 seconds
    python -m tests.serving.load --smoke    five seconds of load

All options are those of the benchmark.
"""

import sys
import tempfile

from benchmarks import serving_load
from tests.serving.process import running


def main(arguments=None):
    """Entry point; returns the record."""
    with tempfile.TemporaryDirectory() as folder:
        serving_load.main([folder, "--write"])
        with running(f"{folder}/models") as server:
            where = [
                f"--{name}={value}" for name, value in vars(server).items()
            ]
            return serving_load.main([folder, *where, *(arguments or [])])


if __name__ == "__main__":
    main(sys.argv[1:])
