"""Simplenn files of both layouts against loops over what MATLAB would have in memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from visprior.net.matconvnet.simplenn import ChannelNorm
from visprior.net.matconvnet.simplenn_file import load_simplenn
from visprior.net.representation import Representation

from .simplenn_reference import conv, new_layout, old_layout, pool, run, tiny, to_structs, write

Make = Callable[..., Representation]
Open = Callable[..., Representation]
MEAN = [120.0, 110.0, 100.0]


@pytest.fixture
def open_layers(make_net: Make, tmp_path: Path) -> Open:
    """The network of a list of layers, through a file."""

    def open_layers(
        chain: list[dict[str, Any]], layout: Any = new_layout, **settings: Any
    ) -> Representation:
        path = write(tmp_path / "net.mat", layout(chain))
        return make_net("matconvnet", weights=str(path), **settings)

    return open_layers


def _features(net: Representation, image: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
    cut = net.cut(names, "cpu")
    x = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    return {name: phi[0].permute(1, 2, 0).numpy() for name, phi in cut(x).items()}


@pytest.mark.parametrize("layout", [new_layout, old_layout])
@pytest.mark.parametrize("channels_last", [True, False])
def test_every_layer_is_what_loops_compute(
    open_layers: Open, layout: Any, channels_last: bool
) -> None:
    layers = tiny()
    image = np.random.default_rng(1).uniform(0, 255, (23, 20, 3)).round()
    # Grey levels would drown the normalisations' constants.
    layers[0]["weights"][0] /= 50
    expected = run(layers, image - MEAN)
    net = open_layers(layers, layout, channels_last=channels_last)
    assert [layer.name for layer in net.layers()] == list(expected)
    found = _features(net, image, list(expected))
    for name, phi in expected.items():
        assert found[name].shape == phi.shape, name
        assert np.abs(found[name] - phi).max() <= 1e-5 * np.abs(phi).max(), name
        assert phi.std() > 1e-3, name


BORDERS = [[0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 1], [2, 0, 1, 2], [0, 2, 2, 1]]


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("method", ["max", "avg"])
def test_borders_of_pooling(open_layers: Open, method: str, border: list[int]) -> None:
    """Negative maps, so that a border of zeros would win a maximum and shrink a mean."""
    filters = -np.abs(np.random.default_rng(0).normal(size=(1, 1, 3, 2))).astype(np.float32)
    image = np.random.default_rng(1).uniform(150, 255, (23, 20, 3)).round()
    for window, stride in ((3, 2), ([4, 3], [3, 2]), ([3, 5], 1)):
        layers = [conv("a", [filters, np.zeros(2)]), pool("b", method, window, stride, border)]
        expected = run(layers, image - MEAN)["b"]
        found = _features(open_layers(layers), image, ["b"])["b"]
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 9, 12, 13, 30])
def test_windows_of_the_normalisation(open_layers: Open, n: int) -> None:
    filters = np.random.default_rng(0).normal(size=(1, 1, 3, 7)).astype(np.float32)
    lrn = {"name": "b", "type": "lrn", "param": [n, 0.5, 1e-4, 0.6]}
    layers = [conv("a", [filters, np.zeros(7)]), lrn]
    image = np.random.default_rng(1).uniform(0, 255, (23, 20, 3)).round()
    expected = run(layers, image - MEAN)["b"]
    found = _features(open_layers(layers), image, ["b"])["b"]
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_the_normalisation_is_torchs_for_odd_windows_and_has_its_gradient() -> None:
    x = torch.randn(2, 9, 4, 5, dtype=torch.double, requires_grad=True)
    for n in (3, 5):
        ours, theirs = (
            ChannelNorm(n, 2.0, 0.1, 0.75),
            torch.nn.LocalResponseNorm(n, n * 0.1, 0.75, 2),
        )
        torch.testing.assert_close(ours(x), theirs(x))
    assert torch.autograd.gradcheck(ChannelNorm(4, 2.0, 0.1, 0.75), x)


def test_what_was_read_can_be_written_and_read_again(make_net: Make, tmp_path: Path) -> None:
    layers = tiny(seed=3)
    first = write(tmp_path / "first.mat", old_layout(layers), compress=True)
    second = write(tmp_path / "second.mat", new_layout(to_structs(load_simplenn(first))))
    image = np.random.default_rng(1).uniform(0, 255, (23, 20, 3)).round()
    nets = [make_net("matconvnet", weights=str(path)) for path in (first, second)]
    names = [layer.name for layer in nets[0].layers()]
    one, two = (_features(net, image, names) for net in nets)
    assert nets[0].layers() == nets[1].layers()
    for name in names:
        np.testing.assert_allclose(one[name], two[name], rtol=1e-6, atol=1e-12)


def test_what_the_file_tells_of_the_images(open_layers: Open) -> None:
    for layout in (new_layout, old_layout):
        net = open_layers(tiny(), layout)
        assert (net.name, net.size, net.mean, net.std) == ("net", (23, 20), MEAN, [1, 1, 1])
        assert net.class_names[0] == "tench, Tinca tinca"
        assert [net.class_index(name) for name in ("tiger", "tench", "TIGER CAT", "pant", 4)] == [
            *(3, 0, 2, 3, 4)
        ]


def test_settings_come_before_the_file(open_layers: Open) -> None:
    net = open_layers(
        tiny()[:4],
        size=[40, 30],
        mean=[1, 2, 3],
        aliases={"deep": "conv1"},
        layers={"end": "pool1"},
        strength={"relu1": 7},
    )
    assert (net.size, net.mean) == ((40, 30), [1, 2, 3])
    assert net.layer("deep").node == "conv1" and net.layer("end").node == "pool1"
    assert net.strength("end") == 7


def test_names_of_layers(open_layers: Open) -> None:
    one = [np.ones((1, 1, 3, 3), np.float32), np.zeros(3)]
    layers = [
        *({"type": "conv", "weights": one}, {"type": "relu"}, {"type": "normalize", "name": ""}),
        *(conv("conv1/3x3", one), conv("a.b c", one), conv("a.b c", one), conv("5", one)),
        *({"type": "relu"}, {"type": "softmaxloss"}, {"type": "loss", "name": "objective"}),
    ]
    net = open_layers(layers)
    names = ["conv1", "relu1", "norm1", "conv1/3x3", "a_b_c", "a_b_c_2", "5", "relu2", "prob1"]
    assert [layer.name for layer in net.layers()] == names
    assert net.layer("logits").node == "relu2"
    features = net.cut(names, "cpu")(torch.rand(1, 3, 23, 20))
    assert all(features[name].shape == (1, 3, 23, 20) for name in names)


def test_what_a_layer_leaves_empty_is_the_default(open_layers: Open) -> None:
    """As MATLAB's [] and ''."""
    nothing = np.zeros((0, 0))
    image = np.random.default_rng(1).uniform(0, 255, (23, 20, 3)).round()
    layers = [pool("b", "max", 3, 1, 0)]
    for method in (nothing, ""):
        empty = [pool("b", method, 3, nothing, nothing)]
        found = _features(open_layers(empty), image, ["b"])["b"]
        np.testing.assert_allclose(found, run(layers, image - MEAN)["b"], rtol=1e-5)


def test_grey_images_and_matlabs_lost_dimensions(make_net: Make, tmp_path: Path) -> None:
    """MATLAB drops last dimensions of one: one channel, and one filter."""
    filters = np.random.default_rng(0).normal(size=(3, 3, 1, 1)).astype(np.float32)
    content = new_layout([conv("a", [filters[:, :, 0, 0], np.ones(1)])])
    content["meta"]["normalization"] = {"averageImage": np.full((9, 9), 3.0)}
    content["meta"]["inputs"] = {"name": "data", "size": [9, 9, 1, 10]}
    net = make_net("matconvnet", weights=str(write(tmp_path / "grey.mat", content)))
    assert (net.channels, net.size, net.mean) == (1, (9, 9), [3])
    image = np.random.default_rng(1).uniform(0, 255, (9, 9, 1))
    expected = run([conv("a", [filters, np.ones(1)])], image - 3)["a"]
    np.testing.assert_allclose(_features(net, image, ["a"])["a"], expected, rtol=1e-5, atol=1e-4)


def test_a_variable_called_net_as_training_saves_it(make_net: Make, tmp_path: Path) -> None:
    path = write(tmp_path / "net-epoch-3.mat", {"net": new_layout(tiny()), "state": {"x": 1.0}})
    net = make_net("matconvnet", weights=str(path))
    assert net.name == "net-epoch-3" and len(net.layers()) == 13
