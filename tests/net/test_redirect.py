"""The redirected gradient against a computation by hand."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from visprior.net.redirect import RedirectedReLU
from visprior.net.representation import Cut

# Rows are images: alive (an ordinary gradient), dead, dead with x at zero, all gradients outward.
X = [[-1.0, 2.0, -3.0], [-1.0, -2.0, -3.0], [0.0, -2.0, -3.0], [-1.0, -2.0, -3.0]]
G = [[-1.0, 1.0, 1.0], [-1.0, 1.0, -2.0], [1.0, -1.0, 1.0], [1.0, 2.0, 3.0]]
EXPECTED = [[0.0, 1.0, 0.0], [-1.0, 0.0, -2.0], [1.0, -1.0, 0.0], [0.0, 0.0, 0.0]]


def _gradient(body: nn.Module, x: torch.Tensor, g: torch.Tensor, redirect: bool) -> torch.Tensor:
    cut = Cut(body, [0.0], [1.0])
    x = x.clone().requires_grad_()
    with RedirectedReLU() if redirect else nullcontext():
        y = cut(x[:, None, None])  # (B, 1, 1, W)
    assert torch.equal(y, body(x)[:, None, None])
    y.backward(g[:, None, None])
    assert x.grad is not None
    return x.grad


class _Function(nn.Module):
    def __init__(self, function: object):
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)  # pyright: ignore[reportCallIssue]


BODIES = [
    nn.ReLU(),
    *map(_Function, (F.relu, torch.relu, torch.Tensor.relu, lambda x: F.relu(x, inplace=False))),
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_relu_by_hand(body: nn.Module, dtype: torch.dtype) -> None:
    x, g, expected = (torch.tensor(rows, dtype=dtype) for rows in (X, G, EXPECTED))
    assert torch.equal(_gradient(body, x, g, redirect=True), expected)
    assert torch.equal(_gradient(body, x, g, redirect=False), g * (x > 0))


def test_relu6_above_six_only_what_lowers_x() -> None:
    x = torch.tensor([[-1.0, 7.0, 8.0], [7.0, 8.0, 3.0]])
    g = torch.tensor([[-1.0, 2.0, -3.0], [1.0, 1.0, 1.0]])
    expected = torch.tensor([[-1.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    assert torch.equal(_gradient(nn.ReLU6(), x, g, redirect=True), expected)
