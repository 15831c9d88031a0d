"""DenseNet-BC for small images (Huang et al. 2017), with max pooling in the transitions."""

import torch
from torch import Tensor, nn

from visprior.errors import UserError


class Dense(nn.Module):
    """norm, ReLU, 1 x 1 convolution to 4 * growth, norm, ReLU, 3 x 3 to growth, appended to x."""

    def __init__(self, before: int, growth: int) -> None:
        super().__init__()
        self.norm1, self.relu1 = nn.BatchNorm2d(before), nn.ReLU()
        self.conv1 = nn.Conv2d(before, 4 * growth, 1, bias=False)
        self.norm2, self.relu2 = nn.BatchNorm2d(4 * growth), nn.ReLU()
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        new = self.conv1(self.relu1(self.norm1(x)))
        return torch.cat([x, self.conv2(self.relu2(self.norm2(new)))], 1)


class Transition(nn.Sequential):
    """norm, ReLU, 1 x 1 convolution to half the channels, max pooling (arXiv 2007.10757)."""

    def __init__(self, before: int) -> None:
        super().__init__()
        self.add_module("norm", nn.BatchNorm2d(before))
        self.add_module("relu", nn.ReLU())
        self.add_module("conv", nn.Conv2d(before, before // 2, 1, bias=False))
        self.add_module("pool", nn.MaxPool2d(2, ceil_mode=True))


class DenseNet(nn.Module):
    """(B, 3, H, W) -> (B, classes): conv0, dense1, transition1, dense2, transition2, dense3, cl.

    Args:
        depth: 3 n + 4, n = 2 * layers per block; 100 and growth 12 are the paper's 0.8 M weights.
        growth: channels that a layer adds.

    Raises:
        UserError: no such depth.
    """

    def __init__(self, depth: int, growth: int, classes: int) -> None:
        super().__init__()
        if depth < 10 or (depth - 4) % 6:
            raise UserError(f"net.model.depth must be 10, 16, 22, ..., got {depth}")
        layers, width = (depth - 4) // 6, 2 * growth
        self.conv0 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        for b in (1, 2, 3):
            block = [Dense(width + i * growth, growth) for i in range(layers)]
            width += layers * growth
            self.add_module(f"dense{b}", nn.Sequential(*block))
            if b < 3:
                self.add_module(f"transition{b}", Transition(width))
                width //= 2
        self.norm, self.relu = nn.BatchNorm2d(width), nn.ReLU()
        self.mean, self.flatten = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.cl = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv0(x)
        x = self.get_submodule("transition1")(self.get_submodule("dense1")(x))
        x = self.get_submodule("transition2")(self.get_submodule("dense2")(x))
        x = self.relu(self.norm(self.get_submodule("dense3")(x)))
        return self.cl(self.flatten(self.mean(x)))
