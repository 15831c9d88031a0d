"""Other models of torchvision by name, and the ways to weights."""

from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torchvision import models

from visprior.errors import UserError
from visprior.net.representation import Representation

Make = Callable[..., Representation]


@pytest.mark.parametrize(
    ("model", "logits", "deep"),
    [("convnext_tiny", "classifier.2", 3), ("vit_b_16", "heads.head", 2), ("swin_t", "head", 3)],
)
def test_other_models_by_name(make_net: Make, model: str, logits: str, deep: int) -> None:
    net = make_net("torchvision", model=model, size=[64, 64])
    names = ["shallow", "middle", "deep", "logits"]
    features = net.cut(names, "cpu")(255 * torch.rand(2, 3, 64, 64))
    assert net.layer("logits").node == logits
    for name, phi in features.items():
        assert tuple(phi.shape[1:]) == net.layer(name).shape
        assert torch.isfinite(phi).all()
    assert len(net.layer("deep").shape) == deep
    order = [layer.node for layer in net.layers()]
    assert [order.index(net.layer(name).node) for name in names] == sorted(
        order.index(net.layer(name).node) for name in names
    )


def test_maps_come_channels_first(make_net: Make) -> None:
    """Swin computes (H, W, C)."""
    net = make_net("torchvision", model="swin_t", size=64)
    assert net.layer("features.1").shape == (96, 16, 16)
    cut, x = net.cut(["features.1"], "cpu"), 255 * torch.rand(1, 3, 64, 64)
    swin = models.swin_t(weights=None)
    swin.load_state_dict(cut.body.state_dict(), strict=False)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (net.mean, net.std))
    with torch.no_grad():
        expected = swin.eval().features[:2]((x - mean) / std)
        torch.testing.assert_close(cut(x)["features.1"], expected.permute(0, 3, 1, 2))


@pytest.mark.slow
@pytest.mark.parametrize("model", models.list_models(module=models))
def test_every_model_has_layers(make_net: Make, model: str) -> None:
    net = make_net("torchvision", model=model)
    if model == "maxvit_t":
        with pytest.raises(UserError, match="net=python"):
            net.layers()
        return
    assert net.layer("logits").shape == (1000,)
    assert len(net.layers()) > 10


def test_what_torchvision_evaluates_with(make_net: Make) -> None:
    net = make_net("torchvision", model="efficientnet_b1")
    assert net.size == (240, 240)
    assert net.mean == pytest.approx([123.675, 116.28, 103.53])
    assert make_net("torchvision", model="inception_v3").mean == [127.5] * 3


def test_an_unknown_model(make_net: Make) -> None:
    with pytest.raises(UserError, match="no model 'resnet5'; did you mean 'resnet50'"):
        make_net("torchvision", model="resnet5")
    with pytest.raises(UserError, match=r"needs net\.model"):
        make_net("torchvision")


def test_classes(make_net: Make) -> None:
    net = make_net("alexnet")
    assert net.class_index("black swan") == 100
    assert net.class_index("Goose") == 99
    assert net.class_index("vending") == net.class_index("vending machine") == 886
    assert net.class_index(7) == net.class_index("7") == 7
    for wrong in ("swan lake", "blak swan", 1000, -1, "dog"):
        with pytest.raises(UserError) as caught:
            net.class_index(wrong)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="did you mean 'black swan'"):
        net.class_index("blak swan")


@pytest.mark.parametrize("form", ["pth", "safetensors", "wrapped", "parallel"])
def test_weights_from_a_file(
    make_net: Make, tmp_path: Path, squeezenet: tuple[bytes, dict[str, torch.Tensor]], form: str
) -> None:
    _, state = squeezenet
    path = tmp_path / f"weights.{form if form == 'safetensors' else 'pth'}"
    parallel = {f"module.{name}": tensor for name, tensor in state.items()}
    if form == "safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save({"pth": state, "parallel": parallel}.get(form, {"state_dict": state}), path)
    net = make_net("torchvision", model="squeezenet1_1", weights=str(path))
    assert not net.random_weights
    held = net.cut(["features.4"], "cpu", channels_last=False).body.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in held.items())


def test_old_densenets_and_training_heads(make_net: Make, tmp_path: Path) -> None:
    state = models.densenet121(weights=None).state_dict()
    old = {
        name.replace("norm1", "norm.1").replace("conv2", "conv.2"): value
        for name, value in state.items()
        if not name.endswith("num_batches_tracked")
    }
    torch.save(old, tmp_path / "old.pth")
    net = make_net("densenet121", weights=str(tmp_path / "old.pth"), size=64)
    phi = net.cut(["dense1"], "cpu")(torch.rand(1, 3, 64, 64))["dense1"]
    assert torch.isfinite(phi).all()
    torch.save(models.googlenet(weights=None, init_weights=False).state_dict(), tmp_path / "g.pth")
    assert make_net("googlenet", weights=str(tmp_path / "g.pth")).cut(["conv1"], "cpu")
