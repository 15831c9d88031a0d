"""Tables 1 and 3 of Mahendran & Vedaldi 2016, and receptive fields measured by gradients."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from visprior.errors import UserError
from visprior.net.fx.graph import layers_of, shapes, trace
from visprior.net.layer import Layer
from visprior.net.representation import Representation

# Name, r.f. size, r.f. stride. The norm layers of Table 1 are not in torchvision's AlexNet, whose
# conv1 pads by 2 (offset 3 instead of 5); sizes and strides are the same. No misprints found.
TABLE_1 = """
conv1 11 4, relu1 11 4, pool1 19 8, conv2 51 8, relu2 51 8, pool2 67 16, conv3 99 16, relu3 99 16,
conv4 131 16, relu4 131 16, conv5 163 16, relu5 163 16, pool5 195 32, fc6 355 32, relu6 355 32,
fc7 355 32, relu7 355 32, fc8 355 32
"""
TABLE_3 = """
conv1_1 3 1, relu1_1 3 1, conv1_2 5 1, relu1_2 5 1, pool1 6 2, conv2_1 10 2, relu2_1 10 2,
conv2_2 14 2, relu2_2 14 2, pool2 16 4, conv3_1 24 4, relu3_1 24 4, conv3_2 32 4, relu3_2 32 4,
conv3_3 40 4, relu3_3 40 4, pool3 44 8, conv4_1 60 8, relu4_1 60 8, conv4_2 76 8, relu4_2 76 8,
conv4_3 92 8, relu4_3 92 8, pool4 100 16, conv5_1 132 16, relu5_1 132 16, conv5_2 164 16,
relu5_2 164 16, conv5_3 196 16, relu5_3 196 16, pool5 212 32, fc6 404 32, relu6 404 32,
fc7 404 32, relu7 404 32, fc8 404 32
"""


@pytest.mark.parametrize(("name", "table"), [("alexnet", TABLE_1), ("vgg16", TABLE_3)])
def test_the_printed_tables(make_net: Callable[..., Representation], name: str, table: str) -> None:
    net = make_net(name)
    for row in table.replace("\n", " ").split(","):
        layer, field, stride = row.split()
        found = net.layer(layer)
        assert (found.field, found.stride) == (int(field), int(stride)), layer


def _layer(model: nn.Module, size: int = 48) -> Layer:
    graph = trace(model.to("meta"))
    found, error = shapes(graph.module, 1, (size, size))
    assert error is None
    return list(layers_of(graph, found, (size, size)).values())[-1]


def _conv(kernel: int, stride: int = 1, padding: int | str = 0, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(1, 1, kernel, stride, padding, dilation)


class _Sum(nn.Module):
    def __init__(self, *branches: nn.Module):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.branches[0](x) + self.branches[1](x)
        return torch.cat([x, 2 * x], 1)


MODELS = {
    "strided": nn.Sequential(_conv(5, 2, 1), nn.AvgPool2d(3, 2), _conv(3, 1, 1)),
    "dilated": nn.Sequential(_conv(3, 1, 2, 2), _conv(4, 3, 0)),
    "same": nn.Sequential(_conv(5, 1, "same"), nn.AvgPool2d(2)),
    "ceil": nn.Sequential(_conv(3, 2), nn.AvgPool2d(2, ceil_mode=True)),
    "union": nn.Sequential(_Sum(_conv(1), _conv(5, 1, 2)), nn.AvgPool2d(2)),
    "shifted": nn.Sequential(_Sum(_conv(1, 4), _conv(4, 4))),
    "adaptive": nn.Sequential(_conv(3, 2, 1), nn.AdaptiveAvgPool2d(6)),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_box_of_a_cell_is_where_its_gradient_is(name: str) -> None:
    model = MODELS[name]
    layer = _layer(model)
    real = model.to_empty(device="cpu").double()
    for parameter in real.parameters():
        nn.init.ones_(parameter)
    x = torch.zeros(1, 1, 48, 48, dtype=torch.double, requires_grad=True)
    phi = real(x)
    first, last = phi.shape[-1] // 2 - 1, phi.shape[-1] // 2
    phi[0, 0, first, first : last + 1].sum().backward()
    assert x.grad is not None
    columns = x.grad[0, 0].abs().sum(0).nonzero().flatten()
    assert layer.box(first, last) == (int(columns[0]), int(columns[-1]) + 1)


def test_one_cell_that_sees_the_whole_map() -> None:
    for head in (nn.AdaptiveAvgPool2d(1), nn.Sequential(nn.Flatten(), nn.Linear(576, 2))):
        layer = _layer(nn.Sequential(_conv(3, 2, 1), head))
        assert (layer.field, layer.stride, layer.offset) == (3 + 23 * 2, 2, 23)


class _Attention(nn.Module):
    """Squeeze and excitation, or what torch.fx shows of it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(x.mean((2, 3), keepdim=True))


class _Odd(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.fft.fft2(x).real


def test_what_is_not_known_is_not_invented() -> None:
    squeezed = _layer(nn.Sequential(_conv(3, 2, 1), _Attention()))
    assert (squeezed.stride, squeezed.field) == (2, None)
    assert _layer(nn.Sequential(_conv(3, 2, 1), _Odd(), _conv(3, 2, 1))).field is None
    with pytest.raises(UserError, match="receptive field of layer"):
        squeezed.box(0, 1)


def test_a_branch_is_no_trunk() -> None:
    graph = trace(nn.Sequential(_Sum(_conv(1), _conv(5, 1, 2)), nn.AvgPool2d(2)).to("meta"))
    table = layers_of(graph, shapes(graph.module, 1, (8, 8))[0], (8, 8))
    assert [name for name, layer in table.items() if not layer.trunk] == [
        *("0.branches.0", "0.branches.1", "0.mul")
    ]
