"""`python -m keras_pyconv.export`: `keras-pyconv check`, `bench`, `list`."""

import sys

from keras_pyconv.commands import main

if __name__ == "__main__":
    sys.exit(main())
