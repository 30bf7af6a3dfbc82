"""Who runs a graph, and what that machine can do.

A rule that is right on one processor and wrong on another asks here. What can
be tried on this machine is tried, and not read off its name.
"""

import dataclasses
import functools
import os

from keras_pyconv import provenance
from keras_pyconv.lazy import tf
from keras_pyconv.ops.graph import is_compiled


@functools.cache
def cpu_differentiates_groups(dtype: str) -> bool:
    """Whether oneDNN is on, and the CPU has arithmetic for the dtype."""
    if dtype == "bfloat16" and cpu_emulates_bfloat16():
        return False
    with tf.init_scope(), tf.device("CPU:0"):
        images = tf.ones((1, 5, 5, 4), dtype)
        kernel = tf.ones((3, 3, 2, 4), dtype)
        options = {"strides": (1, 1, 1, 1), "padding": "SAME"}
        try:
            # Not by a GradientTape, which does not record in an init_scope.
            tf.raw_ops.Conv2DBackpropInput(
                input_sizes=images.shape,
                filter=kernel,
                out_backprop=images,
                **options,
            )
            tf.raw_ops.Conv2DBackpropFilter(
                input=images,
                filter_sizes=kernel.shape,
                out_backprop=images,
                **options,
            )
        except tf.errors.OpError:
            return False
    return True


def _onednn_limit() -> str:
    return os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()


@functools.cache
def cpu_has_avx512() -> bool:
    """Whether the CPU has AVX-512, and oneDNN may use it."""
    limit = _onednn_limit()
    may = limit in ("ALL", "DEFAULT") or "512" in limit or "AVX10" in limit
    return may and "avx512f" in provenance.instruction_sets()


@functools.cache
def cpu_emulates_bfloat16() -> bool:
    """Whether oneDNN computes in bfloat16 by AVX-512 for float32.

    It takes that for arithmetic: PyConvResNet-50 trained on 2.7 images a
    second, and on 6.1 in float32, and predicted 8.2 and 21.3 (AMD EPYC, oneDNN
    limited to AVX-512, two threads, 2026-11-30, commit 9384ab4).
    Only Linux tells the instructions; elsewhere they count as sufficient.
    """
    may = _onednn_limit() not in ("AVX512_CORE", "AVX512_CORE_VNNI")
    has = may and "avx512_bf16" in provenance.instruction_sets()
    return cpu_has_avx512() and not has


@dataclasses.dataclass(frozen=True)
class Target:
    """Who runs the graphs that are made.

    Attributes:
        is_here: whether this process does. Other machines are not known, and
            taken for CPUs with oneDNN; gradients are still those of this one.
        fills_batches: whether layers take care of empty batches. Where they
            do not, whoever builds the graph does, or the runtime need not.
        of_images: whether convolutions are of images alone, with TensorFlow's
            own groups: other formats have none of three axes, or no groups
            in them.
        pads_inside: whether convolution and pooling can pad by themselves.
        has_bfloat16: whether CPUs have arithmetic for bfloat16.
    """

    is_here: bool = False
    fills_batches: bool = False
    of_images: bool = False
    pads_inside: bool = True
    has_bfloat16: bool = False

    def on_gpu(self, inputs) -> bool:
        """Whether `inputs` are, or will be, computed with on a GPU."""
        if not self.is_here or "CPU" in (inputs.device or ""):
            return False
        return bool(tf.config.list_logical_devices("GPU"))

    def pads(self, inputs) -> bool:
        """Whether convolution and pooling of images pad by themselves."""
        return self.pads_inside and not self.on_gpu(inputs)

    def dilates(self, inputs) -> bool:
        """Whether TensorFlow's own dilation of images is the fastest.

        Of one of 60 x 60 with 512 channels, dilated by 4, it takes 147 ms of a
        thread, and without dilation, of every fourth pixel, 159; but 231 and
        163 with AVX2, for which oneDNN lacks a kernel (AMD EPYC, 2026-11-29).
        """
        return self.is_here and not self.on_gpu(inputs) and cpu_has_avx512()

    def differentiates_groups(self, inputs) -> bool:
        """Whether TensorFlow differentiates its own grouped convolution."""
        if not self.is_here or self.on_gpu(inputs):
            return True
        return cpu_differentiates_groups(inputs.dtype.name)

    def lacks_arithmetic(self, inputs) -> bool:
        """Whether the CPU may have no arithmetic for the 16 bits of `inputs`.

        TensorFlow computes all the same, gradients twenty times as slowly as
        with 32, and oneDNN fails at some convolutions.
        """
        if inputs.dtype.size != 2 or is_compiled():
            return False
        if self.has_bfloat16 and inputs.dtype == "bfloat16":
            return False
        return not (self.is_here and self.differentiates_groups(inputs))


TARGETS = {
    "here": Target(is_here=True, fills_batches=True),
    # TensorFlow Serving; the export fills batches for the whole network.
    "served": Target(),
    # The same on machines that were found to be faster in bfloat16.
    "served_bfloat16": Target(has_bfloat16=True),
    "onnx": Target(of_images=True),
    "portable": Target(of_images=True, pads_inside=False),
}
HERE = TARGETS["here"]
