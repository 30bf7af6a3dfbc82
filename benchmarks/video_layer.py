"""The spatio-temporal layer of the video network's first stage, as data.

Blocks after the first of stage 1 (paper, supplementary material 3) give it
16 frames of 56 x 56 with 64 channels. A level is frames x height x width of
its kernel, its channel groups and its filters; padding is half the kernel.
"""

CHANNELS = 64
LAYERS = {
    "stage1": (
        ((3, 3, 3), 1, 16),
        ((3, 5, 5), 4, 16),
        ((5, 7, 7), 8, 16),
        ((7, 9, 9), 16, 16),
    ),
    "level7x9x9": (((7, 9, 9), 16, 16),),
}
