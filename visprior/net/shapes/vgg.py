"""A small VGG: 3 x 3 convolutions and ReLU, five blocks, no normalisation."""

from collections.abc import Sequence

from torch import nn


class VGG(nn.Sequential):
    """(B, 3, H, W) -> (B, classes); block{b}.conv{i} is VGG's conv{b}_{i}.

    Two convolutions a block (Simonyan & Zisserman 2015, table 1, B), then, instead of their fully
    connected layers, the mean over positions and two linear ones: any image size will do. Pooling
    keeps incomplete windows, so that even small images get to the end.
    """

    def __init__(self, widths: Sequence[int], hidden: int, classes: int) -> None:
        super().__init__()
        before = 3
        for b, width in enumerate(widths, 1):
            block = nn.Sequential()
            for i in (1, 2):
                block.add_module(f"conv{i}", nn.Conv2d(before, width, 3, padding=1))
                block.add_module(f"relu{i}", nn.ReLU())
                before = width
            block.add_module("pool", nn.MaxPool2d(2, ceil_mode=True))
            self.add_module(f"block{b}", block)
        self.add_module("mean", nn.AdaptiveAvgPool2d(1))
        self.add_module("flatten", nn.Flatten())
        self.add_module("fc6", nn.Linear(before, hidden))
        self.add_module("relu6", nn.ReLU())
        self.add_module("fc8", nn.Linear(hidden, classes))
