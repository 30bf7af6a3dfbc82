"""How long does the whole video network take, beside the same in PyTorch?

    python -m benchmarks.video_network              a quarter of an hour on
                                                    two cores
    python -m benchmarks.video_network --batches 1  four minutes of it
    python -m benchmarks.video_network --smoke      a minute, small

Is PyConvResNet3D-50 at 16 x 224 x 224 at least 2 times as fast at inference,
and 1.5 times in training, as the same network in PyTorch, eager and channels
last? Batches are of one clip and of four.
"""

from benchmarks import run
from benchmarks.plan import Patience, Suite

_SHARED = {"part": "video_network", "batch": [1, 4]}
_MINI = {"subject": "PyConvResNet3DMini", "side": 32, "frames": 4}
SUITE = Suite(
    name="video-network",
    doc=__doc__,
    full=({**_SHARED, "subject": "PyConvResNet3D50", "frames": 16},),
    smoke=({**_SHARED, **_MINI},),
    patience=Patience(turn=4.0),
)

main = run.main_of(SUITE)

if __name__ == "__main__":
    main()
