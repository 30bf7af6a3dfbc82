"""How fast is ResNeXt, beside the same from stock Keras layers and in PyTorch?

    python -m benchmarks.resnext            a quarter of an hour on two cores
    python -m benchmarks.resnext --smoke    small images, a few minutes

`keras.applications` has no ResNeXt. Stock layers make one, whose convolutions
with groups XLA compiles; ours computes its 32 groups as those of a PyConv.
ResNet-50 of keras.applications costs about the same.
"""

from benchmarks import run
from benchmarks.plan import Suite

_SHARED = {"part": "network", "subject": "ResNeXt50"}
_SHARED["contender"] = ("ours", "stock", "torch", "resnet50")
SUITE = Suite(
    name="resnext",
    doc=__doc__,
    full=(_SHARED,),
    smoke=({**_SHARED, "batch": 2, "side": 32},),
)

main = run.main_of(SUITE)

if __name__ == "__main__":
    main()
