"""Figures that the paper and the authors' code print of a network, once each.

Nothing in this file was measured here. What is printed of one table alone
stands with the row of that table, in `keras_pyconv.tables`.
"""

# Parameters (10^6) and GFLOPs, by network and input size. Operations are by
# the paper's convention, not plain multiply-adds.
COSTS = {
    # Tables 1 and 3
    ("ResNet50", 224): (25.56, 4.14),
    ("ResNet101", 224): (44.55, 7.88),
    ("ResNet152", 224): (60.19, 11.62),
    # comments in the authors' code
    ("PyConvResNet18", 224): (5.91, 0.88),
    ("PyConvResNet34", 224): (11.09, 1.75),
    # Tables 1 and 3
    ("PyConvResNet50", 224): (24.85, 3.88),
    ("PyConvResNet101", 224): (42.31, 7.31),
    ("PyConvResNet152", 224): (56.64, 10.72),
    ("PyConvHGResNet50", 224): (25.23, 4.61),
    ("PyConvHGResNet101", 224): (44.63, 8.42),
    ("PyConvHGResNet152", 224): (60.66, 12.29),
    # Table 3; of PreActResNet the paper prints what ResNet has
    ("PreActResNet50", 224): (25.56, 4.14),
    ("PreActResNet101", 224): (44.55, 7.88),
    ("PreActResNet152", 224): (60.19, 11.62),
    ("NLResNet50", 224): (36.72, 6.18),
    ("NLResNet101", 224): (55.71, 9.91),
    ("NLResNet152", 224): (71.35, 13.66),
    ("SEResNet50", 224): (28.07, 4.15),
    ("SEResNet101", 224): (49.29, 7.90),
    ("SEResNet152", 224): (66.77, 11.65),
    ("ResNeXt50", 224): (25.03, 4.30),
    ("ResNeXt101", 224): (44.18, 8.07),
    ("ResNeXt152", 224): (59.95, 11.84),
    # comments in the authors' code
    ("PyConvResNet18BasicBlock1", 224): (11.21, 1.55),
    ("PyConvResNet34BasicBlock1", 224): (20.44, 3.09),
    # Table 2
    ("Ablation1111", 224): (25.56, 4.14),
    ("Ablation2221", 224): (24.91, 3.91),
    ("Ablation3321", 224): (24.85, 3.85),
    ("Ablation4321", 224): (24.85, 3.84),
    ("Ablation4321Max", 224): (24.85, 3.88),
    ("Ablation4321Final", 224): (24.85, 3.88),
    ("AblationTop4321", 224): (24.24, 3.63),
    ("Ablation5432", 224): (23.45, 3.71),
    # supplement, Table 4
    ("PyConvResNet50", 320): (24.85, 7.91),
    ("PyConvResNet101", 320): (42.31, 14.92),
}

# By network, training and side of the test crop in pixels; "imagenet_cutmix"
# is the paper's "+ augment", 300 epochs with CutMix.

# Top-1 and top-5 errors in per cent: Tables 2 and 3; supplement, Table 4.
ERRORS = {
    ("ResNet50", "imagenet", 224): ("23.88", "7.06"),
    ("ResNet101", "imagenet", 224): ("22.00", "6.10"),
    ("ResNet152", "imagenet", 224): ("21.55", "5.74"),
    ("PyConvResNet50", "imagenet", 224): ("22.12", "6.20"),
    ("PyConvResNet101", "imagenet", 224): ("20.99", "5.53"),
    ("PyConvResNet152", "imagenet", 224): ("20.48", "5.27"),
    ("PyConvHGResNet50", "imagenet", 224): ("21.52", "5.94"),
    ("PyConvHGResNet101", "imagenet", 224): ("20.78", "5.57"),
    ("PyConvHGResNet152", "imagenet", 224): ("20.64", "5.27"),
    ("PreActResNet50", "imagenet", 224): ("23.77", "7.04"),
    ("PreActResNet101", "imagenet", 224): ("22.11", "6.26"),
    ("PreActResNet152", "imagenet", 224): ("21.41", "5.78"),
    ("NLResNet50", "imagenet", 224): ("22.91", "6.42"),
    ("NLResNet101", "imagenet", 224): ("21.40", "5.83"),
    ("NLResNet152", "imagenet", 224): ("21.91", "6.11"),
    ("SEResNet50", "imagenet", 224): ("22.74", "6.37"),
    ("SEResNet101", "imagenet", 224): ("21.31", "5.79"),
    ("SEResNet152", "imagenet", 224): ("21.38", "5.80"),
    ("ResNeXt50", "imagenet", 224): ("22.44", "6.25"),
    ("ResNeXt101", "imagenet", 224): ("21.03", "5.66"),
    ("ResNeXt152", "imagenet", 224): ("20.98", "5.48"),
    ("PyConvResNet50", "imagenet", 320): ("21.10", "5.55"),
    ("PyConvResNet50", "imagenet_cutmix", 224): ("20.56", "5.31"),
    ("PyConvResNet50", "imagenet_cutmix", 320): ("19.41", "4.75"),
    ("PyConvResNet101", "imagenet", 320): ("20.03", "4.82"),
    ("PyConvResNet101", "imagenet_cutmix", 224): ("19.42", "4.87"),
    ("PyConvResNet101", "imagenet_cutmix", 320): ("18.51", "4.28"),
}

# Top-1 accuracies in per cent: README of the authors' code.
CODE_TOP_1 = {
    ("ResNet50", "imagenet", 224): "76.12",
    ("ResNet101", "imagenet", 224): "78.00",
    ("ResNet152", "imagenet", 224): "78.45",
    ("PyConvResNet50", "imagenet", 224): "77.88",
    ("PyConvResNet101", "imagenet", 224): "79.01",
    ("PyConvResNet152", "imagenet", 224): "79.52",
    ("PyConvHGResNet50", "imagenet", 224): "78.48",
    ("PyConvHGResNet101", "imagenet", 224): "79.22",
    ("PyConvHGResNet152", "imagenet", 224): "79.36",
    ("PyConvResNet50", "imagenet_cutmix", 224): "79.44",
    ("PyConvResNet50", "imagenet_cutmix", 320): "80.59",
    ("PyConvResNet101", "imagenet_cutmix", 224): "80.58",
    ("PyConvResNet101", "imagenet_cutmix", 320): "81.49",
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
