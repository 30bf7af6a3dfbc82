"""What TensorFlow can compute with the kernels of this run."""

import functools
import subprocess
import sys

import pytest
import tensorflow as tf

PRODUCT = """
import sys, tensorflow as tf
tf.matmul(*[tf.ones(shape, sys.argv[1]) for shape in ((2, 4), (4, 2))])
tf.matmul(*[tf.ones(shape, sys.argv[1]) for shape in ((3, 8, 4), (3, 4, 8))])
"""


@functools.cache
def _ends_at_products(dtype):
    command = [sys.executable, "-c", PRODUCT, dtype]
    return subprocess.run(command, capture_output=True).returncode < 0


def needs_products(dtype):
    """Skips a test where a matrix product of this type ends the process.

    TensorFlow asks the processor whether it has bfloat16, and oneDNN the
    setting `ONEDNN_MAX_CPU_ISA`; where they disagree, nobody computes.
    """
    if _ends_at_products(dtype):
        pytest.skip(f"TensorFlow ends at its own matrix product of {dtype}")


def convolves(dtype):
    """Whether oneDNN does, which refuses types that it may not compute in."""
    images = tf.ones((1, 4, 4, 8), dtype)
    try:
        tf.nn.conv2d(images, tf.ones((3, 3, 8, 8), dtype), 1, "SAME")
    except tf.errors.AbortedError:
        return False
    return True
