"""Measurements: question, command, machine, result, conclusion.

TensorFlow reads the variable when it is first imported. oneDNN is off by
default on CPUs without AVX512-VNNI, and has the fast grouped kernels.
"""

import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
