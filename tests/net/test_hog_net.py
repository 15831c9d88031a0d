"""HOG as a user's net: its layer, its errors, its glyphs, a run."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from visprior.config.build import build
from visprior.config.schema import config_dir
from visprior.errors import UserError
from visprior.files.whole import read_json
from visprior.job.run import run
from visprior.net.hog.glyph import glyph
from visprior.net.hog.hog import Hog


def make(name: str = "hog", **settings: Any) -> Hog:
    """As the YAML file has it, but for these."""
    cfg = cast(DictConfig, OmegaConf.load(Path(config_dir()) / "net" / f"{name}.yaml"))
    cfg.update(settings)
    return build(cfg)


@pytest.mark.parametrize("alias", ["hog", "shallow", "middle", "deep", "logits"])
def test_has_one_layer(alias):
    layer = make().layer(alias, [100, 90])
    assert layer.shape == (31, 13, 11)
    assert (layer.stride, layer.node) == (8, "hog")
    assert make().strength(alias) == 100


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        ({"texture": False}, (27, 8, 8)),
        ({"variant": "dalal_triggs"}, (36, 8, 8)),
        ({"variant": "paper", "size": [61, 63]}, (27, 7, 7)),
        ({"variant": "dpm", "size": [68, 67]}, (32, 7, 6)),
        ({"cell": 6}, (31, 11, 11)),
    ],
)
def test_shapes(settings, shape):
    net = make(**{"size": [64, 64], **settings})
    layer = net.layer("hog")
    x = torch.rand(2, 1, *net.size)
    assert layer.shape == shape == tuple(net.cut(["hog"], "cpu")(x)["hog"].shape[1:])


@pytest.mark.parametrize(("cell", "variant"), [(8, "uoctti"), (5, "uoctti"), (8, "dpm")])
def test_a_cell_sees_its_receptive_field_and_no_more(cell, variant):
    net = make(cell=cell, variant=variant, texture=False, binning="hard", size=[96, 96])
    layer = net.layer("hog")
    g = torch.Generator().manual_seed(1)
    x = (255 * torch.rand(1, 1, 96, 96, generator=g, dtype=torch.float64)).requires_grad_()
    phi = net.cut(["hog"], "cpu", torch.float64)(x)["hog"]
    (seen,) = torch.autograd.grad(phi[0, :, 5, 6].sum(), x)
    rows, columns = (seen[0, 0].abs().sum(d).nonzero().flatten().tolist() for d in (1, 0))
    assert (rows[0], rows[-1] + 1) == layer.box(5, 5)
    assert (columns[0], columns[-1] + 1) == layer.box(6, 6)


def test_sees_grey_levels_as_they_are_and_centres_at_128():
    net = make()
    x = 255 * torch.rand(1, 1, 40, 40, dtype=torch.float64)
    phi = net.cut(["hog"], "cpu", torch.float64, size=40)(x)["hog"]
    assert torch.equal(phi, net.features(x))
    assert (net.mean, net.center) == ([0], [128])
    assert make(mean=0).center == [0]
    assert make(channels=3).center == [128] * 3


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("hog", {"variant": "vlfeat"}, "uoctti"),
        ("hog", {"binning": "bilinar"}, "bilinear"),
        ("hog", {"cell": 1}, "net.cell"),
        ("hog", {"orientations": 2.5}, "orientations must be a whole number"),
        ("hog", {"channels": 2}, "1 or 3"),
        ("hog", {"mean": [1, 2]}, "net.mean"),
        ("hogb", {"variant": "dpm"}, "hard"),
        ("hog", {"variant": "paper", "texture": True}, "texture"),
        ("hog", {"texture": "maybe"}, "texture must be true or false"),
    ],
)
def test_mistakes_are_named(name, settings, said):
    with pytest.raises(UserError, match=said):
        make(name, **settings)


def test_an_image_without_a_cell_is_refused():
    with pytest.raises(UserError, match="3x3"):
        make().layer("hog", 3)
    for variant in ("uoctti", "dpm"):
        with pytest.raises(UserError, match=r"size=3x3 \(not one cell fits\)"):
            make(size=[3, 3], variant=variant).layers()


@pytest.mark.parametrize("k", range(9))
def test_a_stroke_lies_across_the_gradient(k):
    u = torch.zeros(9, 2, 3)
    u[k, 1, 2] = 0.3
    picture = glyph(u, 24).astype(float)
    assert picture.shape == (48, 72)
    assert picture.max() == 255
    assert not picture[:24].any()
    assert not picture[:, :48].any()
    y, x = np.mgrid[:24, :24] - 11.5
    angle, bright = k * np.pi / 9, picture[24:, 48:]
    across = np.abs(np.cos(angle) * x + np.sin(angle) * y)
    assert bright[across > 2].sum() == 0
    assert bright.sum() > 255 * 15


def test_grey_of_a_stroke_is_its_value():
    u = torch.zeros(9, 1, 2)
    u[0, 0, 0], u[4, 0, 1] = 0.4, 0.1
    picture = glyph(u, 20)
    assert picture[:, :20].max() == 255
    assert picture[:, 20:].max() in (63, 64)


@pytest.mark.parametrize(
    "settings", [{}, {"texture": False}, {"variant": "dalal_triggs"}, {"variant": "dpm"}]
)
def test_every_variant_draws_the_edge_that_it_sees(settings):
    """Stripes along the columns: upright strokes."""
    net = make(**settings)
    x = (128 + 100 * torch.sin(torch.arange(64) / 3)).expand(1, 1, 64, 64)
    (picture,) = net.drawings(net.features(x))
    cell = picture[32:48, 32:48].astype(float)
    assert cell[:, 7:9].sum() > 0.9 * cell.sum() > 0


@pytest.mark.parametrize(("net", "channels"), [("hogr", 1), ("hogb", 3)])
def test_an_inversion_comes_with_its_glyph(net, channels, compose_job, tmp_path):
    cfg = compose_job(
        "task=inversion", f"net={net}", f"net.channels={channels}", "size=[48,64]",
        "schedule.steps=40", "task.C=100", "seeds=2",
    )  # fmt: skip
    run(cfg, tmp_path / "run", {"task": "inversion", "net": net})
    metrics = read_json(tmp_path / "run" / "metrics.json")
    assert metrics["summary"]["error"] < 0.9
    for image in metrics["images"]:
        drawn = Image.open(tmp_path / "run" / image["glyph"])
        assert drawn.size == (128, 96)
        assert (tmp_path / "run" / image["comparison"]).is_file()


def test_a_maximization_raises_a_channel(compose_job, tmp_path):
    cfg = compose_job(
        "task=maximization", "net=hog", "layer=hog", "channel=3", "size=48", "schedule.steps=30"
    )
    run(cfg, tmp_path / "run", {"task": "maximization", "net": "hog"})
    assert read_json(tmp_path / "run" / "metrics.json")["summary"]["activation"] > 0.1
