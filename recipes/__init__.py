"""One short complete file per published setting, run with `model.fit`.

`python -m recipes.NAME --help` says what each does. TensorFlow reads the
variables below when it is first imported, so they are set here. oneDNN is
off by default on CPUs without AVX512-VNNI; it has the fast grouped kernels.
Level 3 hides the log lines about absent GPUs; errors raise all the same.
"""

import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
