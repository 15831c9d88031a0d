"""The paper's architectures: every layer of Tables 1 to 3, and what figures take from them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from visprior.command.layers import layers_of_figure
from visprior.errors import UserError
from visprior.net.fx.geometry import geometry
from visprior.net.fx.graph import shapes, trace
from visprior.net.matconvnet import blocks
from visprior.net.matconvnet.paper_nets import PAPER_NETS, paper_net
from visprior.net.matconvnet.simplenn import network
from visprior.net.representation import Representation

from .simplenn_reference import new_layout, tiny, write

Make = Callable[..., Representation]

# Mahendran & Vedaldi 2016: name, kernel, receptive field, stride, dimension of every layer.
# No wrong number found; Table 3 once has "r.f. field" for "r.f. size". A normalisation has kernel 1
# in the tables, of positions that is.
TABLES = {
    "caffe-alex": """
        conv1 11 11 4 96, relu1 1 11 4 96, norm1 1 11 4 96, pool1 3 19 8 96, conv2 5 51 8 256,
        relu2 1 51 8 256, norm2 1 51 8 256, pool2 3 67 16 256, conv3 3 99 16 384,
        relu3 1 99 16 384, conv4 3 131 16 384, relu4 1 131 16 384, conv5 3 163 16 256,
        relu5 1 163 16 256, pool5 3 195 32 256, fc6 6 355 32 4096, relu6 1 355 32 4096,
        fc7 1 355 32 4096, relu7 1 355 32 4096, fc8 1 355 32 1000, prob 1 355 32 1000""",
    "vgg-m": """
        conv1 7 7 2 96, relu1 1 7 2 96, norm1 1 7 2 96, pool1 3 11 4 96, conv2 5 27 8 256,
        relu2 1 27 8 256, norm2 1 27 8 256, pool2 3 43 16 256, conv3 3 75 16 512,
        relu3 1 75 16 512, conv4 3 107 16 512, relu4 1 107 16 512, conv5 3 139 16 512,
        relu5 1 139 16 512, pool5 3 171 32 512, fc6 6 331 32 4096, relu6 1 331 32 4096,
        fc7 1 331 32 4096, relu7 1 331 32 4096, fc8 1 331 32 1000, prob 1 331 32 1000""",
    "vgg-verydeep-16": """
        conv1_1 3 3 1 64, relu1_1 1 3 1 64, conv1_2 3 5 1 64, relu1_2 1 5 1 64, pool1 2 6 2 64,
        conv2_1 3 10 2 128, relu2_1 1 10 2 128, conv2_2 3 14 2 128, relu2_2 1 14 2 128,
        pool2 2 16 4 128, conv3_1 3 24 4 256, relu3_1 1 24 4 256, conv3_2 3 32 4 256,
        relu3_2 1 32 4 256, conv3_3 3 40 4 256, relu3_3 1 40 4 256, pool3 2 44 8 256,
        conv4_1 3 60 8 512, relu4_1 1 60 8 512, conv4_2 3 76 8 512, relu4_2 1 76 8 512,
        conv4_3 3 92 8 512, relu4_3 1 92 8 512, pool4 2 100 16 512, conv5_1 3 132 16 512,
        relu5_1 1 132 16 512, conv5_2 3 164 16 512, relu5_2 1 164 16 512, conv5_3 3 196 16 512,
        relu5_3 1 196 16 512, pool5 2 212 32 512, fc6 7 404 32 4096, relu6 1 404 32 4096,
        fc7 1 404 32 4096, relu7 1 404 32 4096, fc8 1 404 32 1000, prob 1 404 32 1000""",
}


def _kernel(block: blocks.Block) -> int:
    if isinstance(block, blocks.Conv):
        return block.filters[0]
    return block.window[0] if isinstance(block, blocks.Pool) else 1


@pytest.mark.parametrize("model", TABLES)
def test_the_printed_tables(make_net: Make, model: str) -> None:
    net = make_net("matconvnet", model=model)
    kernels = {block.name: _kernel(block) for block in paper_net(model).blocks}
    found = [
        [layer.name, kernels[layer.name], layer.field, layer.stride, layer.shape[0]]
        for layer in net.layers()
    ]
    printed = [row.split() for row in TABLES[model].replace("\n", " ").split(",")]
    assert found == [[name, *map(int, numbers)] for name, *numbers in printed]


SIDES = {
    "caffe-alex": (227, "conv1 55 pool1 27 conv2 27 pool2 13 conv5 13 pool5 6 fc6 1 prob 1"),
    "caffe-ref": (227, "conv1 55 pool1 27 norm1 27 conv2 27 pool2 13 norm2 13 pool5 6 fc8 1"),
    "vgg-m": (224, "conv1 109 pool1 54 conv2 26 pool2 13 conv3 13 pool5 6 fc6 1 prob 1"),
    "vgg-verydeep-16": (224, "conv1_1 224 pool1 112 pool2 56 pool3 28 pool4 14 pool5 7 fc6 1"),
}


@pytest.mark.parametrize("model", SIDES)
def test_sizes_of_maps(make_net: Make, model: str) -> None:
    net = make_net("matconvnet", model=model)
    size, sides = SIDES[model]
    assert net.size == (size, size) and net.name == model
    pairs = sides.split()
    for name, side in zip(pairs[::2], pairs[1::2], strict=True):
        assert net.layer(name).shape[1:] == (int(side), int(side)), name
    assert net.layer("logits").node == "fc8" and net.layer("logits").length == 1000
    assert net.layer("conv1_1" if "deep" in model else "conv1").length is None


def test_the_order_of_norm_and_pool() -> None:
    orders = {m: [b.name for b in paper_net(m).blocks][2:4] for m in ("caffe-alex", "caffe-ref")}
    assert orders == {"caffe-alex": ["norm1", "pool1"], "caffe-ref": ["pool1", "norm1"]}
    params = {m: paper_net(m).blocks[2] for m in ("caffe-alex", "vgg-m")}
    assert params["caffe-alex"] == blocks.Norm("norm1", 5, 1.0, 2e-5, 0.75)
    assert params["vgg-m"] == blocks.Norm("norm1", 5, 2.0, 1e-4, 0.75)


def test_vgg_is_torchvisions_vgg16() -> None:
    """With the same weights, at a size that all poolings divide."""
    ours = network(paper_net("vgg-verydeep-16").blocks[:17])
    theirs = make_layers(cfgs["D"])[:17].eval()
    convolutions = ([m for m in net if isinstance(m, nn.Conv2d)] for net in (ours, theirs))
    with torch.no_grad():
        for mine, other in zip(*convolutions, strict=True):
            mine.load_state_dict(other.state_dict())
        x = torch.randn(1, 3, 48, 40)
        torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("model", ["caffe-alex", "caffe-ref"])
def test_caffes_networks_in_torchs_own_layers(model: str) -> None:
    """Up to relu3, with ceil-mode pooling and torch's normalisation (alpha times N)."""
    conv = [nn.Conv2d(3, 96, 11, 4), nn.Conv2d(96, 256, 5, padding=2, groups=2)]
    tail = [nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0), nn.MaxPool2d(3, 2, ceil_mode=True)]
    tail = tail if model == "caffe-alex" else tail[::-1]
    third = nn.Conv2d(256, 384, 3, padding=1)
    theirs = nn.Sequential(conv[0], nn.ReLU(), *tail, conv[1], nn.ReLU(), *tail, third, nn.ReLU())
    ours = network(paper_net(model).blocks[:10])
    for mine, other in (("conv1", "0"), ("conv2", "4"), ("conv3", "8")):
        ours.get_submodule(mine).load_state_dict(theirs.get_submodule(other).state_dict())
    with torch.no_grad():
        x = 50 * torch.randn(1, 3, 127, 119, dtype=torch.double)
        torch.testing.assert_close(ours.double()(x), theirs.double()(x))


def test_pooling_is_caffes() -> None:
    """Caffe's last window may hang over the end: torch's ceil_mode."""
    pool = network([blocks.Pool("pool", (3, 3), (2, 2), (0, 1, 0, 1))])
    for side in range(5, 13):
        x = torch.randn(2, 3, side, side + 1)
        expected = nn.functional.max_pool2d(x, 3, 2, ceil_mode=True)
        assert torch.equal(pool(x), expected)


@pytest.mark.parametrize("kind", ["conv", "avg", "max"])
@pytest.mark.parametrize("border", [(0, 1, 0, 1), (2, 0, 1, 2), (1, 1, 1, 1)])
def test_cells_lie_where_their_gradient_is(kind: str, border: tuple[int, int, int, int]) -> None:
    """A chain with the layer between two convolutions, along both axes."""
    middle = blocks.Conv("b", (4, 3, 1, 1), 1, (2, 3), border, (2, 1))
    first = blocks.Conv("a", (3, 3, 1, 1), 1, (2, 2), (1, 0, 0, 1))
    pooling = blocks.Pool("b", (4, 3), (2, 3), border, kind)
    chain = [first, middle if kind == "conv" else pooling, blocks.Conv("c", (2, 2, 1, 1))]
    graph, model = trace(network(chain).to("meta")), network(chain).double()
    found = shapes(graph.module, 1, (60, 60))[0]
    cells = geometry(graph.module, found)[graph.nodes["c"]]
    for parameter in model.parameters():
        nn.init.ones_(parameter)
    ramp = torch.arange(3600.0, dtype=torch.double).view(1, 1, 60, 60).requires_grad_()
    y = model(ramp)
    assert found[graph.nodes["c"]][2:] == y.shape[2:] and cells is not None
    (g,) = torch.autograd.grad(y[0, 0, 3, 3], ramp)
    for along, axis in zip((1, 0), cells.axes, strict=True):
        seen = g[0, 0].abs().sum(along).nonzero().flatten()
        centre, field = axis.offset + 3 * axis.stride, axis.field or 0
        if kind == "max":  # passes gradient to the last cell of its window, on this ramp
            assert int(seen[-1]) == centre + (field - 1) / 2
        else:
            assert (int(seen[0]), int(seen[-1])) == (
                centre - (field - 1) / 2,
                centre + (field - 1) / 2,
            )


def test_strength_by_depth(make_net: Make) -> None:
    """Section 5.2.1 of the paper."""
    for model in ("caffe-alex", "caffe-ref", "vgg-m"):
        net = make_net("matconvnet", model=model)
        expected = {"conv1": 300, "norm2": 300, "relu3": 300, "conv4": 100, "relu4": 100}
        expected |= {"conv5": 20, "relu5": 20, "pool5": 1, "fc8": 1, "prob": 1}
        assert {name: net.strength(name) for name in expected} == expected
    net = make_net("matconvnet", model="vgg-verydeep-16")
    expected = {"conv1_1": 300, "conv4_3": 300, "conv5_1": 100, "conv5_2": 20, "conv5_3": 20}
    expected |= {"pool5": 1, "fc6": 1}
    assert {name: net.strength(name) for name in expected} == expected


def test_aliases(make_net: Make) -> None:
    for model, depths in {
        "vgg-m": "relu1 relu3 relu5",
        "vgg-verydeep-16": "relu2_2 relu3_3 relu5_1",
    }.items():
        net = make_net("matconvnet", model=model)
        assert [net.layer(a).node for a in ("shallow", "middle", "deep")] == depths.split()


def test_random_weights_are_seeded_and_do_not_depend_on_the_cut(make_net: Make) -> None:
    states = [
        make_net("matconvnet", model="caffe-alex", seed=seed).cut([layer], "cpu").body.state_dict()
        for seed, layer in ((0, "conv2"), (0, "conv1"), (1, "conv1"))
    ]
    assert torch.equal(states[0]["conv1.weight"], states[1]["conv1.weight"])
    assert not torch.equal(states[1]["conv1.weight"], states[2]["conv1.weight"])
    assert set(states[1]) == {"conv1.weight", "conv1.bias"}
    assert float(states[0]["conv2.weight"].std()) == pytest.approx((2 / (48 * 25)) ** 0.5, rel=0.01)


def test_the_network_sees_the_image_less_its_mean(make_net: Make) -> None:
    net = make_net("matconvnet", model="caffe-alex")
    cut = net.cut(["conv1", "norm1"], "cpu")
    grey = torch.tensor(net.mean).view(1, 3, 1, 1).expand(1, 3, 227, 227)
    assert float(cut(grey)["conv1"].abs().max()) < 1e-2
    phi = cut(grey + 10)["norm1"]
    assert phi.shape == (1, 96, 55, 55) and float(phi.std()) > 1


def test_figures_show_the_nets_own_layers() -> None:
    root = OmegaConf.create({"net": {"weights": "random", "model": "caffe-ref"}})
    names = [b.name for b in paper_net("caffe-ref").blocks[:-1]]
    assert layers_of_figure("matconvnet", "all", _root_=root).split(",") == names
    linear = layers_of_figure("matconvnet", "linear", _root_=root)
    assert linear == "conv1,conv2,conv3,conv4,conv5,fc6,fc7,fc8"
    assert layers_of_figure("matconvnet", "convolutions", _root_=root) == linear[:29]


def test_wrong_settings(make_net: Make) -> None:
    wrong = [
        ({"weights": None}, "net=matconvnet needs net.weights=FILE.mat, or net.weights=random"),
        ({}, "net.weights=random needs net.model; allowed: caffe-alex, caffe-ref, vgg-m"),
        ({"model": "vgg-n"}, "net.model=vgg-n is not known; did you mean 'vgg-m'"),
        ({"model": "vgg-m", "mean": [1, 2]}, r"net.mean=\[1.0, 2.0\]: 3 numbers are needed"),
    ]
    for settings, line in wrong:
        with pytest.raises(UserError, match=line):
            make_net("matconvnet", **settings)
    with pytest.raises(UserError, match=r"vgg-m fails on images of net\.size=20x20"):
        make_net("matconvnet", model="vgg-m", size=20).layers()
    assert len(PAPER_NETS) == 4


def test_a_small_image_gets_to_the_first_layers(make_net: Make) -> None:
    net = make_net("matconvnet", model="caffe-alex")
    assert net.layer("pool2", 67).shape == (256, 3, 3)
    with pytest.raises(UserError, match="images of 67x67 pixels do not get to layer 'fc6'"):
        net.layer("fc6", 67)
    assert net.layer("fc8", 291).shape == (1000, 3, 3) and net.layer("fc8", 291).length is None
    assert np.isfinite(net.strength("fc8"))


def test_a_network_that_is_not_the_papers(make_net: Make, tmp_path: Path) -> None:
    net = make_net("matconvnet", weights=str(write(tmp_path / "a.mat", new_layout(tiny()))))
    assert net.layer("logits").node == "fc4" and net.layer("logits").shape == (5, 1, 1)
    order = [layer.node for layer in net.layers()]
    depths = [order.index(net.layer(a).node) for a in ("shallow", "middle", "deep", "logits")]
    assert depths == sorted(set(depths))
    assert [net.strength(name) for name in ("conv1", "pool2", "fc4", "prob")] == [300, 100, 1, 1]
