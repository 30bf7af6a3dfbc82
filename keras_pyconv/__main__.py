"""`python -m keras_pyconv`, which is `keras-pyconv`."""

import sys

from keras_pyconv.commands import main

if __name__ == "__main__":
    sys.exit(main())
