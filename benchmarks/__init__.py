"""Measurements: question, command, machine, result, conclusion.

TensorFlow reads the variable when it is first imported.
"""

import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
