"""A simplenn network as a torch module, with MatConvNet's borders."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from visprior.net.fx.graph import OneNode
from visprior.net.matconvnet import blocks
from visprior.net.matconvnet.blocks import Block, Border, Pair


def network(layers: Iterable[Block]) -> nn.Sequential:
    """The module whose children are the layers, under their names."""
    return nn.Sequential(OrderedDict((layer.name, _module(layer)) for layer in layers))


def _module(layer: Block) -> nn.Module:
    match layer:
        case blocks.Conv():
            return BorderedConv(layer)
        case blocks.Pool(method="max"):
            return BorderedMaxPool(layer.window, layer.stride, layer.pad)
        case blocks.Pool():
            return BorderedAvgPool(layer.window, layer.stride, layer.pad)
        case blocks.Norm():
            return ChannelNorm(layer.window, layer.kappa, layer.alpha, layer.beta)
        case blocks.BatchNorm():
            return nn.BatchNorm2d(layer.channels, eps=0.0)
        case blocks.ReLU():
            return nn.LeakyReLU(layer.leak) if layer.leak else nn.ReLU()
        case blocks.Sigmoid():
            return nn.Sigmoid()
        case blocks.Softmax():
            return nn.Softmax(dim=1)


class BorderedConv(OneNode, nn.Conv2d):
    """A convolution whose zero border may differ on every side.

    `padding` is that of the top and the left, on which the places of the cells depend.
    """

    def __init__(self, layer: blocks.Conv) -> None:
        height, width, depth, count = layer.filters
        super().__init__(
            depth * layer.groups,
            count,
            (height, width),
            layer.stride,
            (layer.pad[0], layer.pad[2]),
            layer.dilate,
            layer.groups,
            layer.bias,
        )
        self.border = layer.pad

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        x, even = input, self.border[::2] == self.border[1::2]
        if not even:
            x = _bordered(x, self, 0.0)
        padding = self.padding if even else 0
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class BorderedMaxPool(OneNode, nn.MaxPool2d):
    """The maximum of each window; the border is below every number."""

    def __init__(self, window: Pair, stride: Pair, border: Border) -> None:
        super().__init__(window, stride, (border[0], border[2]))
        self.border = border

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return F.max_pool2d(_bordered(input, self, -torch.inf), self.kernel_size, self.stride)


class BorderedAvgPool(OneNode, nn.AvgPool2d):
    """The mean of those cells of each window that lie inside the map."""

    def __init__(self, window: Pair, stride: Pair, border: Border) -> None:
        super().__init__(window, stride, (border[0], border[2]))
        self.border = border

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        mean = F.avg_pool2d(_bordered(input, self, 0.0), self.kernel_size, self.stride)
        if not any(self.border):
            return mean
        inside = _bordered(input.new_ones(1, 1, *input.shape[-2:]), self, 0.0)
        return mean / F.avg_pool2d(inside, self.kernel_size, self.stride)


def _bordered(x: torch.Tensor, op: Any, value: float) -> torch.Tensor:
    """x with the border of an operation, as far as its windows reach."""
    top, bottom, left, right = op.border
    dilation = getattr(op, "dilation", 1)
    dilation = dilation if isinstance(dilation, tuple) else (dilation, dilation)
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, op.kernel_size, strict=True)]
    bottom = _reached(x.shape[-2], reach[0], op.stride[0], top, bottom)
    right = _reached(x.shape[-1], reach[1], op.stride[1], left, right)
    sides = (left, right, top, bottom)
    return F.pad(x, sides, value=value) if any(sides) else x


def _reached(length: int, reach: int, stride: int, before: int, after: int) -> int:
    """How many of the cells after the last one are in a window; most networks have more."""
    steps = (length + before + after - reach) // stride
    if steps < 0:
        return after  # too small: the operation will say so
    return max(0, steps * stride + reach - length - before)


class ChannelNorm(OneNode, nn.LocalResponseNorm):
    """y_k = x_k / (kappa + alpha sum_q x_q^2)^beta, q from k - floor((N-1)/2) to k + ceil((N-1)/2).

    (B, C, H, W) -> (B, C, H, W); q ends at the first and the last channel. Three times as fast as
    torch's on a CPU, whose alpha is N times this one and whose windows of even N lie one channel
    lower.
    """

    def __init__(self, window: int, kappa: float, alpha: float, beta: float) -> None:
        super().__init__(window, alpha, beta, kappa)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        channels, squares = input.shape[1], input * input
        before, after = (self.size - 1) // 2, self.size // 2
        if before >= channels - 1:
            total = squares.sum(1, keepdim=True)
        else:
            padded = F.pad(squares, (0, 0, 0, 0, before, after))
            total = padded[:, :channels]
            for start in range(1, self.size):
                total = total + padded[:, start : start + channels]
        return input * (self.k + self.alpha * total) ** -self.beta
