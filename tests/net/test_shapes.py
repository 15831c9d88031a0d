"""The networks that ship with weights."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file

from visprior.config.schema import config_dir
from visprior.data.shapes10 import Shapes10
from visprior.errors import UserError
from visprior.net.representation import Representation
from visprior.net.shapes.shapes_net import training, weights_file

Make = Callable[..., Representation]
NAMES = sorted(p.stem for p in (Path(config_dir()) / "net").glob("shapes_*.yaml"))
SHIPPED = [name for name in NAMES if weights_file(name).exists()]
UNSEEN = 4  # of shapes_densenet_no4


@pytest.fixture(scope="module", params=SHIPPED)
def net(request: pytest.FixtureRequest, make_net: Make) -> Representation:
    return make_net(request.param, weights="default")


def test_the_default_networks_ship() -> None:
    assert {"shapes_vgg", "shapes_vgg_robust"} <= set(SHIPPED)


def test_all_weights_together_are_small() -> None:
    files = list(weights_file("shapes_vgg").parent.iterdir())
    assert sum(file.stat().st_size for file in files) < 12e6
    assert {f.suffix for f in files} <= {".safetensors", ".json", ".sha256"}


def test_accuracy_is_what_the_record_claims(net: Representation) -> None:
    record = training(net.name)
    data = Shapes10("test", net.size[0])
    unseen = UNSEEN if "unseen_class" in record else None
    x, y = data.batch([i for i in range(20_000, 20_500) if i % 10 != unseen])
    cut = net.cut(["logits"], "cpu")
    with torch.no_grad():
        right = (cut(x)["logits"].argmax(1) == y).float().mean()
    least = 0.9 if "robust" in net.name else 0.97
    assert record["test_accuracy"] >= least
    assert record["test_images"] == 5000
    assert float(right) == pytest.approx(record["test_accuracy"], abs=0.025)


def test_the_record_is_complete(net: Representation) -> None:
    record = training(net.name)
    wanted = {"seed", "versions", "epochs", "minutes", "device", "train_accuracy", "confusion"}
    assert wanted <= set(record)
    table = torch.tensor(record["confusion"])
    assert table.shape == (10, 10)
    assert table.sum(1).tolist() == [500] * 10
    seen = [i for i in range(10) if i != UNSEEN or "unseen_class" not in record]
    share = table[seen, seen].sum() / table[seen].sum()
    assert float(share) == pytest.approx(record["test_accuracy"], abs=1e-4)
    assert record["classes"] == net.class_names == list(Shapes10().class_names)


@pytest.mark.parametrize("name", [name for name in SHIPPED if "densenet" in name])
def test_classifiers_for_inverse_visualization(name: str) -> None:
    record = training(name)
    assert record["classifier"]["common_component"] <= 0.01
    assert record["classifier"].get("unseen_row", 0) <= 0.2
    if name.endswith("no4"):
        assert sum(record["unseen_goes_to"].values()) == 500


def test_half_precision_is_read_as_single(net: Representation) -> None:
    stored = load_file(weights_file(net.name))
    read = net.cut(["logits"], "cpu").body.state_dict()
    numbers = {key: value for key, value in stored.items() if value.dtype == torch.float16}
    assert len(numbers) > 10
    for key, value in numbers.items():
        assert read[key].dtype == torch.float32 and torch.equal(read[key], value.float()), key


@pytest.mark.parametrize("name", NAMES)
def test_names_resolve(name: str, make_net: Make) -> None:
    net = make_net(name)
    shown = [layer.name for layer in net.layers()]
    assert len(set(shown)) == len(shown)
    yaml = OmegaConf.load(Path(config_dir()) / "net" / f"{name}.yaml")
    for alias in [*yaml.aliases, *yaml.strength]:
        assert net.layer(alias).node
    assert net.layer("logits").shape == (10,)
    depths = [net.layer(alias).field or 0 for alias in ("shallow", "middle", "deep")]
    assert depths == sorted(set(depths))


PAPER = [
    ("shapes_vgg", "conv1_1 relu1_1 conv1_2 relu1_2 pool1 relu3_1 conv5_2 pool5 fc6 relu6 fc8"),
    ("shapes_alex", "conv1 relu1 pool1 norm1 conv2 relu2 pool2 norm2 relu5 pool5 fc6 fc7 fc8"),
    ("shapes_mobilenet", "Conv1 block_1_expand block_2_depthwise_BN block_2_project block_6_add"),
    ("shapes_densenet", "dense1 dense2 dense3 cl"),
]


@pytest.mark.parametrize(("name", "layers"), PAPER)
def test_layers_have_the_papers_names(name: str, layers: str, make_net: Make) -> None:
    net = make_net(name)
    order = [layer.node for layer in net.layers()]
    places = [order.index(net.layer(layer).node) for layer in layers.split()]
    assert places == sorted(set(places))


@pytest.mark.parametrize("size", [16, 45, 100])
@pytest.mark.parametrize("name", NAMES)
def test_every_layer_takes_any_size(name: str, size: int, make_net: Make) -> None:
    net = make_net(name)
    assert len(net.layers(size)) == len(net.layers())
    x = torch.zeros(1, 3, size, size)
    assert net.cut(["logits"], "cpu", size=size)(x)["logits"].shape == (1, 10)


def test_streams_stay_apart_up_to_the_neighbours_in_norm(make_net: Make) -> None:
    """The first half of norm2 depends on the first half of conv1, but for LRN's neighbours."""
    cut = make_net("shapes_alex").cut(["conv1", "conv2"], "cpu")
    x = (255 * torch.rand(1, 3, 32, 32)).requires_grad_()
    features = cut(x)
    (g,) = torch.autograd.grad(features["conv2"][:, :48].sum(), features["conv1"])
    reach = g.abs().amax((0, 2, 3)).nonzero().max()
    assert reach < features["conv1"].shape[1] // 2 + 2


def test_weights_from_a_file_and_random(make_net: Make, tmp_path: Path) -> None:
    path = weights_file("shapes_vgg")
    state = make_net("shapes_vgg", weights="default").cut(["relu2_1"], "cpu").body.state_dict()
    copied = tmp_path / "mine.safetensors"
    copied.write_bytes(path.read_bytes())
    again = make_net("shapes_vgg", weights=str(copied)).cut(["relu2_1"], "cpu").body.state_dict()
    drawn = make_net("shapes_vgg", seed=3).cut(["relu2_1"], "cpu").body.state_dict()
    for key, value in state.items():
        assert torch.equal(value, again[key])
        assert not torch.equal(value, drawn[key]) or key.endswith("bias")
    with pytest.raises(UserError, match=r"weights=defualt: no such file; did you mean"):
        make_net("shapes_vgg", weights="defualt").cut(["relu2_1"], "cpu")
    with pytest.raises(UserError, match=r"'fc6.bias' has shape"):
        make_net("shapes_alex", weights=str(copied)).cut(["relu1"], "cpu")


def test_shipped_files_are_what_safetensors_writes(net: Representation) -> None:
    from safetensors.torch import load_file, save

    path = weights_file(net.name)
    assert save(load_file(path)) == path.read_bytes()
    assert json.loads(path.with_suffix(".json").read_text())["net"] == net.name
