"""The old name of `keras-pyconv doctor FOLDER --task video`."""

import sys

from keras_pyconv.commands import main
from keras_pyconv.renamed import GOES

if __name__ == "__main__":
    print(
        "`python -m keras_pyconv.check_videos` is `keras-pyconv doctor` now, "
        f"its --report is --table, and it goes with version {GOES}.",
        file=sys.stderr,
    )
    words = ["--table" if w == "--report" else w for w in sys.argv[1:]]
    sys.exit(main(["doctor", *words, "--task", "video"]))
