"""A small CaffeNet: AlexNet with local response normalisation and two streams."""

from collections.abc import Sequence

from torch import nn


class CaffeNet(nn.Sequential):
    """(B, 3, H, W) -> (B, classes); CaffeNet's layers and names, conv1 relu1 pool1 norm1 ... fc8.

    Up to norm2 the two halves of the channels are separate streams, but for the neighbours across
    the border in norm1 and norm2; conv4 and conv5 have two groups again (Krizhevsky et al. 2012;
    as in Caffe). conv1 is 7 x 7 with stride 2 instead of 11 x 11 with stride 4, fc6 to fc8 are
    convolutions, and the logits are fc8's mean over positions: any image size will do.

    alpha is 1 instead of 1e-4 as the network sees images of deviation 1, not grey levels.
    """

    def __init__(self, widths: Sequence[int], hidden: int, classes: int) -> None:
        super().__init__()
        a, b, c, d, e = widths
        self._block("1", nn.Conv2d(3, a, 7, stride=2, padding=3), pool=True, norm=True)
        self._block("2", nn.Conv2d(a, b, 5, padding=2, groups=2), pool=True, norm=True)
        self._block("3", nn.Conv2d(b, c, 3, padding=1))
        self._block("4", nn.Conv2d(c, d, 3, padding=1, groups=2))
        self._block("5", nn.Conv2d(d, e, 3, padding=1, groups=2), pool=True)
        self.add_module("fc6", nn.Conv2d(e, hidden, 3, padding=1))
        self.add_module("relu6", nn.ReLU())
        self.add_module("fc7", nn.Conv2d(hidden, hidden, 1))
        self.add_module("relu7", nn.ReLU())
        self.add_module("fc8", nn.Conv2d(hidden, classes, 1))
        self.add_module("mean", nn.AdaptiveAvgPool2d(1))
        self.add_module("flatten", nn.Flatten())

    def _block(self, i: str, conv: nn.Conv2d, pool: bool = False, norm: bool = False) -> None:
        self.add_module(f"conv{i}", conv)
        self.add_module(f"relu{i}", nn.ReLU())
        if pool:
            self.add_module(f"pool{i}", nn.MaxPool2d(3, stride=2, padding=1))
        if norm:
            self.add_module(f"norm{i}", nn.LocalResponseNorm(5, alpha=1.0, beta=0.75, k=1.0))
