"""Every network of configs/net: names, cuts, random weights."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn
from torchvision import models
from torchvision.models.feature_extraction import create_feature_extractor

from visprior.config.schema import config_dir
from visprior.errors import UserError
from visprior.net.fx.initialise import photographs
from visprior.net.redirect import RedirectedReLU
from visprior.net.representation import Representation

SEVEN = ["alexnet", "vgg16", "vgg19", "resnet50", "densenet121", "googlenet", "mobilenet_v2"]
DEPTHS = ["shallow", "middle", "deep"]
Make = Callable[..., Representation]


@pytest.fixture(scope="module", params=SEVEN)
def net(request: pytest.FixtureRequest, make_net: Make) -> Representation:
    return make_net(request.param, size=[64, 64])


def _x(side: int = 64, batch: int = 2, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return 255 * torch.rand(batch, 3, side, side, generator=generator, dtype=dtype)


def test_every_name_in_the_table_is_a_layer(net: Representation) -> None:
    yaml = OmegaConf.load(Path(config_dir()) / "net" / f"{net.name}.yaml")
    shown = [layer.name for layer in net.layers()]
    assert len(set(shown)) == len(shown)
    for name in [*yaml.aliases, *yaml.strength]:
        assert net.layer(name).node
    for name in yaml.layers:
        if "{" not in name:
            assert net.layer(name).node
        else:  # a pattern: some layer bears such a name, and goes by it
            pattern = re.sub(r"\{\w\}", r"\\d+", name)
            found = [layer for layer in net.layers() if re.fullmatch(pattern, layer.name)]
            assert found, name
            assert all(net.layer(layer.name).node == layer.node for layer in found)
    assert {*DEPTHS, "logits"} == set(yaml.aliases)


def test_a_cut_is_what_the_whole_network_computes(net: Representation) -> None:
    """Bit for bit, against torchvision's own extractor and the full model with hooks."""
    names = DEPTHS if net.name.startswith("vgg") else [*DEPTHS, "logits"]  # fc6 is slow to draw
    cut = net.cut(names, "cpu", channels_last=False)
    nodes = {net.layer(name).node: name for name in names}
    # The in-place ReLU trap: the convolution before a ReLU, together with the ReLU.
    extra = {"aux_logits": False, "init_weights": False} if net.name == "googlenet" else {}
    with torch.device("meta"):
        whole = models.get_model(net.name, weights=None, **extra).eval()
    whole.load_state_dict(cut.body.state_dict(), strict=False, assign=True)
    for module in whole.modules():
        if "inplace" in vars(module):
            module.inplace = False  # pyright: ignore[reportArgumentType]
    extractor = create_feature_extractor(whole, nodes, suppress_diff_warning=True).eval()
    x = _x()
    expected = extractor((x - cut.mean) / cut.std)
    for name, phi in cut(x).items():
        assert torch.equal(phi, expected[name]), name
        assert tuple(phi.shape[1:]) == net.layer(name).shape
        alone = net.cut([name], "cpu", channels_last=False)(x)[name]
        assert torch.equal(phi, alone), name


def test_a_cut_is_frozen_and_in_eval_mode(net: Representation) -> None:
    with pytest.raises(UserError, match="no layer"):
        net.cut(["nope"], "cpu")
    cut = net.cut(["middle"], "cpu")
    assert not any(parameter.requires_grad for parameter in cut.parameters())
    assert not any(module.training for module in cut.modules())
    x = _x().requires_grad_()
    cut(x)["middle"].sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_nothing_past_the_layer_is_there(net: Representation) -> None:
    order = [layer.node for layer in net.layers()]
    for name in DEPTHS:
        later = set(order[order.index(net.layer(name).node) + 1 :])
        held = {key for key, module in net.cut([name], "cpu").body.named_modules() if key}
        assert not held & later


def test_float64(net: Representation) -> None:
    cut = net.cut(["middle"], "cpu", dtype=torch.float64)
    phi = cut(_x(dtype=torch.float64))["middle"]
    assert phi.dtype == torch.float64
    close = net.cut(["middle"], "cpu")(_x(dtype=torch.float64).float())["middle"].double()
    assert torch.allclose(phi, close, rtol=1e-3, atol=1e-3)


def test_random_weights_keep_their_scale(net: Representation) -> None:
    """The deviation of every tenth trunk layer on photographs stays within an order of one."""
    maps = [layer.name for layer in net.layers() if layer.trunk and len(layer.shape) == 3]
    x = torch.nn.functional.interpolate(photographs(), net.size, mode="bilinear", antialias=True)
    features = net.cut(maps[::10], "cpu")(x)
    for name, phi in features.items():
        assert 0.1 < phi.std() < 10, name


def test_random_weights_follow_the_seed_and_not_the_cut(
    net: Representation, make_net: Make
) -> None:
    def state(seed: int, layer: str) -> dict[str, torch.Tensor]:
        again = make_net(net.name, size=[64, 64], seed=seed)
        return again.cut([layer], "cpu", channels_last=False).body.state_dict()

    short, long, other = state(0, "shallow"), state(0, "middle"), state(1, "shallow")
    assert set(short) < set(long)
    for key, value in short.items():
        assert torch.equal(value, long[key]), key
    drawn = [key for key, value in short.items() if value.dim() == 4]
    assert drawn and not any(torch.equal(short[key], other[key]) for key in drawn)


def test_random_weights_are_he_weights_in_module_order(make_net: Make) -> None:
    torch.manual_seed(0)
    expected = {}
    whole = models.vgg19(weights=None, num_classes=2).features
    torch.manual_seed(0)
    for name, module in list(whole.named_modules())[:9]:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            expected[f"features.{name}.weight"] = module.weight.detach()
    state = make_net("vgg19").cut(["conv2_2"], "cpu", channels_last=False).body.state_dict()
    assert {key for key in state if key.endswith("weight")} == set(expected)
    assert all(torch.equal(state[key], value) for key, value in expected.items())
    assert all(not value.any() for key, value in state.items() if key.endswith("bias"))


def test_a_shallow_cut_is_ready_at_once(make_net: Make) -> None:
    start = time.process_time()
    cut = make_net("vgg19").cut(["relu2_2"], "cpu")
    assert time.process_time() - start < 1
    assert sum(parameter.numel() for parameter in cut.parameters()) == 260_160


def test_several_layers_cost_one_pass(make_net: Make) -> None:
    calls: list[str] = []
    cut = make_net("vgg19", size=64).cut(["conv1_1", "relu1_1", "pool2"], "cpu")
    for name, module in cut.body.named_modules():
        module.register_forward_hook(lambda *_, name=name: calls.append(name))
    features = cut(_x())
    assert len(calls) == len(set(calls))
    assert features["conv1_1"].min() < 0 <= features["relu1_1"].min()


def test_a_branch_alone_has_the_weights_it_has_in_the_whole(make_net: Make) -> None:
    net = make_net("googlenet", size=64)
    branch = net.cut(["inception3a.branch3"], "cpu").body.state_dict()
    whole = net.cut(["inception3a"], "cpu").body.state_dict()
    assert set(branch) < set(whole)
    assert all(torch.equal(value, whole[key]) for key, value in branch.items())


def test_functions_are_not_in_place_either(make_net: Make) -> None:
    features = make_net("googlenet", size=64).cut(["conv1.bn", "conv1"], "cpu")(_x())
    assert features["conv1.bn"].min() < 0 <= features["conv1"].min()


def test_channels_last(make_net: Make) -> None:
    net = make_net("resnet50", size=64)
    weights = list(net.cut(["shallow"], "cpu").parameters())
    assert weights[0].is_contiguous(memory_format=torch.channels_last)
    x = _x()
    plain = net.cut(["shallow"], "cpu", channels_last=False)(x)["shallow"]
    assert torch.allclose(net.cut(["shallow"], "cpu")(x)["shallow"], plain, atol=1e-3, rtol=1e-3)


KERAS = [
    ("vgg19", "relu5_1", "features.29", (512, 14, 14)),  # block5_conv1, its ReLU inside
    *[("vgg16", "relu5_1", "features.25", (512, 14, 14))],
    ("densenet121", "conv5_block12_0_bn", "features.denseblock4.denselayer12.norm1", (864, 7, 7)),
    ("densenet121", "conv3_block3_1_bn", "features.denseblock2.denselayer3.norm2", (128, 28, 28)),
    ("densenet121", "conv2_block1_concat", "features.denseblock1.denselayer2.cat", (96, 56, 56)),
    ("densenet121", "conv5_block16_concat", "features.denseblock4.cat", (1024, 7, 7)),
    ("densenet121", "dense3", "features.denseblock3.cat", (1024, 14, 14)),
    ("mobilenet_v2", "block_12_add", "features.13.add", (96, 14, 14)),
    ("mobilenet_v2", "block_1_expand_BN", "features.2.conv.0.1", (96, 112, 112)),
    ("mobilenet_v2", "block_16_project_BN", "features.17.conv.3", (320, 7, 7)),
    ("resnet50", "conv4_block6_out", "layer3.5.relu_2", (1024, 14, 14)),
    ("resnet50", "layer3", "layer3.5.relu_2", (1024, 14, 14)),
    ("resnet50", "conv3_block1_1_conv", "layer2.0.conv1", (128, 56, 56)),
    ("googlenet", "inception4c", "inception4c.cat", (512, 14, 14)),
    ("googlenet", "inception4c.branch3", "inception4c.branch3.1.relu", (64, 14, 14)),
    ("googlenet", "conv2", "conv3.relu", (192, 56, 56)),
]


@pytest.mark.parametrize(("net_name", "layer", "node", "shape"), KERAS)
def test_names_of_the_papers_and_of_keras(
    make_net: Make, net_name: str, layer: str, node: str, shape: tuple[int, ...]
) -> None:
    found = make_net(net_name).layer(layer)
    assert (found.name, found.node, found.shape) == (layer, node, shape)


def test_densenet_counts(make_net: Make) -> None:
    names = [layer.name for layer in make_net("densenet121").layers()]
    for block, layers in {2: 6, 3: 12, 4: 24, 5: 16}.items():
        assert f"conv{block}_block{layers}_0_bn" in names
        assert f"conv{block}_block{layers + 1}_0_bn" not in names


def _strengths() -> Iterator[tuple[str, str, float]]:
    yield from [("alexnet", "relu3", 300), ("alexnet", "conv4", 100), ("alexnet", "relu4", 100)]
    yield from [("alexnet", "conv5", 20), ("alexnet", "relu5", 20), ("alexnet", "pool5", 1)]
    yield from [("vgg16", "relu4_3", 300), ("vgg16", "relu5_1", 100), ("vgg16", "relu5_3", 20)]
    yield from [("vgg16", "pool5", 1), ("vgg16", "fc8", 1), ("vgg19", "relu2_2", 300)]
    yield from [("vgg19", "conv5_1", 100), ("vgg19", "relu5_4", 20), ("resnet50", "shallow", 300)]
    yield from [("resnet50", "logits", 1)]


@pytest.mark.parametrize(("net_name", "layer", "C"), list(_strengths()))
def test_the_strength_of_the_data_term(make_net: Make, net_name: str, layer: str, C: float) -> None:
    assert make_net(net_name).strength(layer) == C


def test_small_images_reach_the_first_layers(make_net: Make) -> None:
    net = make_net("vgg19")
    assert net.layer("relu2_2", (20, 24)).shape == (128, 10, 12)
    assert net.cut(["relu2_2"], "cpu", size=20)(_x(20))["relu2_2"].shape == (2, 128, 10, 10)
    with pytest.raises(UserError, match="images of 20x20 pixels do not get to layer 'pool5'"):
        net.layer("pool5", 20)


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "mobilenet_v2"])  # module, F.relu, ReLU6
def test_a_dead_unit_gets_a_gradient(make_net: Make, name: str) -> None:
    layer = {"alexnet": "relu1", "googlenet": "conv1", "mobilenet_v2": "Conv1_relu"}[name]
    cut = make_net(name, size=64).cut([layer], "cpu")
    x = _x(batch=1)
    channel, row, column = (int(i) for i in (cut(x)[layer][0] == 0).nonzero()[0])

    def gradient(redirect: bool) -> torch.Tensor:
        seen = x.clone().requires_grad_()
        with RedirectedReLU() if redirect else nullcontext():
            (-cut(seen)[layer][0, channel, row, column]).backward()
        assert seen.grad is not None
        return seen.grad

    before = gradient(False)
    assert not before.any()
    assert gradient(True).any()
    assert torch.equal(gradient(False), before)
