"""A user's own network, from a module in the current folder."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from visprior.errors import UserError
from visprior.net.listing import layer_table
from visprior.net.representation import Representation

Make = Callable[..., Representation]

SOURCE = '''
import torch
from torch import nn
from torch.nn import functional as F

class Net(nn.Module):
    """In-place everywhere, a shared ReLU, a layer that is never called, an exploding end."""
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 4, 3, 2, 1)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(4, 4, 3, 1, 1)
        self.unused = nn.Conv2d(4, 4, 1)
        self.end = nn.Conv2d(4, 2, 1)
    def forward(self, x):
        x = self.relu(self.conv1(x))
        y = self.conv2(x)
        y += x
        y = F.relu(y, inplace=True)
        return self.relu(self.end(y)).mean((2, 3))

class Loop(Net):
    """Not traceable: control flow that depends on the data."""
    def forward(self, x):
        x = self.conv1(x)
        return self.end(self.conv2(x)) if x.sum() > -1e30 else x

class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 8, 8)
        self.blocks = nn.Sequential(*(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
                                      for _ in range(2)))
        self.head = nn.Linear(8, 5)
    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        return self.head(self.blocks(x).mean(1))

class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.split = Split()
        self.never = Never()
    def forward(self, x):
        return self.never(self.split(x)[0])

class Split(nn.Module):
    def forward(self, x):
        return {"a": (x * 2, x), "b": x}["a"]

class Never(nn.Module):
    def forward(self, x):
        if len(x) == 1 and x.device.type == "cpu":  # layers are listed with two images
            raise AssertionError("computed past the layer")
        return x

def grey(): return Net(1)
def colour(): return Net(3)
def four(): return Net(4)
def loop(): return Loop(3)
def tokens(): return Tokens()
def pair(): return Pair()
def number(): return 3
def broken(): raise ValueError("first line\\nsecond line")
'''
_counter = itertools.count()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module in the current folder, new for every test."""
    name = f"my_nets_{next(_counter)}"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    return name


@pytest.mark.parametrize(("function", "channels"), [("grey", 1), ("colour", 3), ("four", 4)])
def test_any_number_of_channels(make_net: Make, module: str, function: str, channels: int) -> None:
    net = make_net("python", target=f"{module}:{function}", channels=channels, size=[32, 32])
    assert net.channels == channels
    layer = net.layer("conv2")
    assert (layer.shape, layer.stride, layer.field, layer.offset) == ((4, 16, 16), 2, 7, 0)
    x = 255 * torch.rand(2, channels, 32, 32)
    features = net.cut(["conv1", "conv2", "end"], "cpu")(x)
    model = net._model  # pyright: ignore[reportAttributeAccessIssue]
    conv1 = model.conv1(x / 255)
    conv2 = model.conv2(conv1.relu())
    assert torch.equal(features["conv1"], conv1)
    assert torch.equal(features["conv2"], conv2)  # y += x and F.relu(inplace) did not touch it
    assert torch.equal(features["end"], model.end((conv2 + conv1.relu()).relu()))


@pytest.mark.parametrize(
    ("keys", "center"),
    [
        ({}, 127.5),  # nothing is known of its pictures
        ({"mean": 0}, 127.5),  # no photographs are black on average
        ({"mean": [120, 110, 100]}, [120, 110, 100]),
        ({"mean": 127, "center": 100}, 100),
        ({"center": 0}, 0),
    ],
)
def test_the_centre_is_the_mean_or_mid_grey(
    make_net: Make, module: str, keys: dict[str, float], center: float | list[float]
) -> None:
    net = make_net("python", target=f"{module}:colour", size=32, **keys)
    assert net.center == (center if isinstance(center, list) else [center] * 3)
    x = 255 * torch.rand(1, 3, 32, 32)
    seen = (x - torch.tensor(keys.get("mean", 0)).float().view(-1, 1, 1)) / 255
    model = net._model  # pyright: ignore[reportAttributeAccessIssue]
    assert torch.allclose(net.cut(["conv1"], "cpu")(x)["conv1"], model.conv1(seen), atol=1e-5)


def test_a_module_called_twice_is_its_first_call(make_net: Make, module: str) -> None:
    net = make_net("python", target=f"{module}:colour", size=32)
    assert net.layer("relu").shape == (4, 16, 16)
    assert [layer.name for layer in net.layers()] == ["conv1", "relu", "conv2", "end"]
    with pytest.raises(UserError, match="no layer 'unused'"):
        net.layer("unused")


def test_without_a_graph_the_stride_is_the_ratio(make_net: Make, module: str) -> None:
    net = make_net("python", target=f"{module}:loop", size=32)
    layer = net.layer("conv2")
    assert (layer.stride, layer.field) == (2, None)
    assert "conv2  conv2  4x16x16  2       -" in layer_table(net)


def test_tokens(make_net: Make, module: str) -> None:
    net = make_net("python", target=f"{module}:tokens", size=32)
    assert net.layer("blocks.0").shape == (16, 8)
    cut = net.cut(["blocks.0.linear1", "blocks.0", "logits"], "cpu", dtype=torch.float64)
    x = 255 * torch.rand(2, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():  # where PyTorch has a path around the parts of a transformer
        phi = cut(x)
    assert phi["blocks.0.linear1"].shape == (2, 16, 16)
    assert phi["blocks.0"].shape == (2, 16, 8)
    assert phi["logits"].shape == (2, 5)
    model = net._model.double()  # pyright: ignore[reportAttributeAccessIssue]
    with torch.no_grad():
        torch.testing.assert_close(phi["logits"], model(x / 255))


def test_the_first_tensor_and_nothing_past_the_layer(make_net: Make, module: str) -> None:
    net = make_net("python", target=f"{module}:pair", size=8, scale=1)
    x = torch.rand(1, 3, 8, 8)
    assert torch.equal(net.cut(["split"], "cpu")(x)["split"], 2 * x)
    with pytest.raises(AssertionError, match="past the layer"):
        net.cut(["never"], "cpu")(x)


def test_hooks_are_removed_and_weights_frozen(make_net: Make, module: str) -> None:
    cut = make_net("python", target=f"{module}:colour", size=32).cut(["conv1"], "cpu")
    for _ in range(2):
        cut(torch.rand(1, 3, 32, 32))
    assert not any(module._forward_hooks for module in cut.modules())
    assert not any(parameter.requires_grad for parameter in cut.parameters())


def test_weights_from_a_file(make_net: Make, module: str, tmp_path: Path) -> None:
    net = make_net("python", target=f"{module}:colour", size=32)
    state = net.cut(["end"], "cpu").body.state_dict()
    doubled = {name.removeprefix("model."): 2 * value for name, value in state.items()}
    torch.save(doubled, tmp_path / "w.pth")
    again = make_net("python", target=f"{module}:colour", size=32, weights=str(tmp_path / "w.pth"))
    state = again.cut(["end"], "cpu").body.state_dict()
    assert torch.equal(state["model.end.weight"], doubled["end.weight"])
    torch.save({"a": torch.zeros(1)}, tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"missing: conv1\.weight"):
        make_net("python", target=f"{module}:colour", weights=str(tmp_path / "w.pth"))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (None, "net=python needs net.target"),
        ("{module}", "must be package.module:function"),
        ("no_such_module:f", "cannot import 'no_such_module'"),
        ("{module}:colur", "no function 'colur'; did you mean 'colour'"),
        ("{module}:number", "must return an nn.Module, got int"),
        ("{module}:broken", "ValueError: first line$"),
    ],
)
def test_a_wrong_target_is_one_line(
    make_net: Make, module: str, target: str | None, message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        make_net("python", target=target and target.format(module=module))
    assert "\n" not in str(caught.value)


def test_wrong_settings(make_net: Make, module: str) -> None:
    target = f"{module}:colour"
    with pytest.raises(UserError, match=r"net\.mean must have 1 or net\.channels=3 values"):
        make_net("python", target=target, mean=[1, 2])
    with pytest.raises(UserError, match=r"net\.center must have 1 or net\.channels=3 values"):
        make_net("python", target=target, center=[1, 2])
    with pytest.raises(UserError, match="a scale > 0"):
        make_net("python", target=target, scale=0)
    with pytest.raises(UserError, match="a side or"):
        make_net("python", target=target, size=[1, 2, 3])
    with pytest.raises(UserError, match="fails on images"):
        make_net("python", target=target, channels=5, size=32).layers()
    with pytest.raises(UserError, match="have no names"):
        make_net("python", target=target, size=32).class_index("dog")
