"""Figures that the paper and the authors' code print of a network, once each.

Nothing in this file was measured here. What is printed of one table alone
stands with the row of that table, in `keras_pyconv.tables`.
"""

# Network, training, side of the test crop in pixels; parameters (10^6) and
# GFLOPs, by the paper's convention, not plain multiply-adds; top-1 and top-5
# errors in per cent; top-1 accuracy in the README of the authors' code.
# "imagenet_cutmix" is the paper's "+ augment", 300 epochs with CutMix.
_IMAGENET = """
# Tables 1 and 3.
ResNet50                  imagenet        224  25.56  4.14   23.88  7.06  76.12
PyConvResNet50            imagenet        224  24.85  3.88   22.12  6.20  77.88
PyConvHGResNet50          imagenet        224  25.23  4.61   21.52  5.94  78.48
ResNet101                 imagenet        224  44.55  7.88   22.00  6.10  78.00
PyConvResNet101           imagenet        224  42.31  7.31   20.99  5.53  79.01
PyConvHGResNet101         imagenet        224  44.63  8.42   20.78  5.57  79.22
ResNet152                 imagenet        224  60.19  11.62  21.55  5.74  78.45
PyConvResNet152           imagenet        224  56.64  10.72  20.48  5.27  79.52
PyConvHGResNet152         imagenet        224  60.66  12.29  20.64  5.27  79.36
# Table 3; of PreActResNet it prints what ResNet has.
PreActResNet50            imagenet        224  25.56  4.14   23.77  7.04  -
PreActResNet101           imagenet        224  44.55  7.88   22.11  6.26  -
PreActResNet152           imagenet        224  60.19  11.62  21.41  5.78  -
NLResNet50                imagenet        224  36.72  6.18   22.91  6.42  -
NLResNet101               imagenet        224  55.71  9.91   21.40  5.83  -
NLResNet152               imagenet        224  71.35  13.66  21.91  6.11  -
SEResNet50                imagenet        224  28.07  4.15   22.74  6.37  -
SEResNet101               imagenet        224  49.29  7.90   21.31  5.79  -
SEResNet152               imagenet        224  66.77  11.65  21.38  5.80  -
ResNeXt50                 imagenet        224  25.03  4.30   22.44  6.25  -
ResNeXt101                imagenet        224  44.18  8.07   21.03  5.66  -
ResNeXt152                imagenet        224  59.95  11.84  20.98  5.48  -
# Table 2.
Ablation1111              imagenet        224  25.56  4.14   23.88  7.06  -
Ablation2221              imagenet        224  24.91  3.91   23.12  6.58  -
Ablation3321              imagenet        224  24.85  3.85   22.98  6.62  -
Ablation4321              imagenet        224  24.85  3.84   22.97  6.56  -
AblationTop4321           imagenet        224  24.24  3.63   23.18  6.60  -
Ablation5432              imagenet        224  23.45  3.71   23.03  6.56  -
Ablation4321Max           imagenet        224  24.85  3.88   22.46  6.24  -
Ablation4321Final         imagenet        224  24.85  3.88   22.12  6.20  -
# Supplement, Table 4.
PyConvResNet50            imagenet        320  24.85  7.91   21.10  5.55  -
PyConvResNet50            imagenet_cutmix 224  24.85  3.88   20.56  5.31  79.44
PyConvResNet50            imagenet_cutmix 320  24.85  7.91   19.41  4.75  80.59
PyConvResNet101           imagenet        320  42.31  14.92  20.03  4.82  -
PyConvResNet101           imagenet_cutmix 224  42.31  7.31   19.42  4.87  80.58
PyConvResNet101           imagenet_cutmix 320  42.31  14.92  18.51  4.28  81.49
# Comments in the authors' code.
PyConvResNet18            imagenet        224  5.91   0.88   -      -     -
PyConvResNet34            imagenet        224  11.09  1.75   -      -     -
PyConvResNet18BasicBlock1 imagenet        224  11.21  1.55   -      -     -
PyConvResNet34BasicBlock1 imagenet        224  20.44  3.09   -      -     -
"""
_ROWS = [
    line.split()
    for line in _IMAGENET.splitlines()
    if line and not line.startswith("#")
]
# Parameters and GFLOPs, by network and size.
COSTS = {
    (name, int(size)): (float(parameters), float(operations))
    for name, _, size, parameters, operations, *_ in _ROWS
}
# Errors, and accuracies of the authors' code, by network, training and size.
ERRORS = {
    (name, training, int(size)): (top_1, top_5)
    for name, training, size, _, _, top_1, top_5, _ in _ROWS
    if top_1 != "-"
}
CODE_TOP_1 = {
    (name, training, int(size)): code
    for name, training, size, *_, code in _ROWS
    if code != "-"
}

# Mean IoU and pixel accuracy in per cent of PyConvSegNet on ADE20K, several
# scales, by backbone: README of the authors' code, as in Table 4.
CODE_ADE20K = {
    "ResNet50": ("42.88", "80.97"),
    "PyConvResNet50": ("43.31", "81.18"),
    "ResNet101": ("44.39", "81.60"),
    "PyConvResNet101": ("44.58", "81.77"),
    "ResNet152": ("45.28", "81.89"),
    "PyConvResNet152": ("45.64", "82.36"),
}
