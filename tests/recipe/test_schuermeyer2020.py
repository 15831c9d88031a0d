"""The recipes of Schürmeyer 2020, whose images lie in [-1, 1], against his update in these units.

The update of his section 3.4 and program, in numpy: g / (std(g) + 1e-8), Adam with a step of 0.05,
a blur, clipping to [-1, 1]. Only the derivative of the mean activation comes from torch.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve1d

from visprior.config.build import build
from visprior.config.schema import config_dir
from visprior.files.tensors import load_state
from visprior.files.whole import read_json
from visprior.job.run import run
from visprior.streams import gaussian_noise

OF_OTHERS = ("mahendran", "baust", "best")
RECIPES = sorted(
    path.stem
    for path in (Path(config_dir()) / "recipe").glob("*.yaml")
    if not path.stem.startswith(OF_OTHERS)
)
SIDE = 24
NET = """
import torch
from torch import nn


class Smooth(nn.Module):
    def __init__(self):
        super().__init__()
        g = torch.Generator().manual_seed(3)
        self.conv = nn.Conv2d(3, 2, 5, stride=2, bias=False)
        self.conv.weight.data = torch.randn(2, 3, 5, 5, generator=g) / 4
        self.f = nn.Softplus()

    def forward(self, p):
        return self.f(self.conv(p))


def make():
    return Smooth()
"""
CHANNEL = 1


@pytest.fixture
def net(tmp_path, monkeypatch):
    (tmp_path / "smooth_net.py").write_text(NET)
    monkeypatch.syspath_prepend(tmp_path)
    scale = ["net.mean=127.5", "net.scale=127.5"]  # the network takes images in [-1, 1]
    return ["net=python", "net.target=smooth_net:make", f"net.size=[{SIDE},{SIDE}]", *scale]


def ascent(p):
    """d mean activation / dp, (3, H, W)."""
    g = torch.Generator().manual_seed(3)
    weight = (torch.randn(2, 3, 5, 5, generator=g) / 4).double()
    leaf = torch.from_numpy(p)[None].requires_grad_()
    y = torch.nn.functional.softplus(torch.conv2d(leaf, weight, stride=2))[0, CHANNEL]
    (d,) = torch.autograd.grad(y.mean(), leaf)
    return d[0].numpy()


def l1_slope(p):
    return 0.0035 * np.sign(p)


def tv_slope(p):
    """Of 0.0003 times the sum of absolute differences of neighbours."""
    out = np.zeros_like(p)
    across, down = np.sign(np.diff(p, axis=2)), np.sign(np.diff(p, axis=1))
    out[:, :, 1:] += across
    out[:, :, :-1] -= across
    out[:, 1:] += down
    out[:, :-1] -= down
    return 0.0003 * out


def gaussian(p, sigma):
    k = np.exp(-((np.arange(7) - 3.0) ** 2) / (2 * sigma**2))
    for axis in (1, 2):
        p = convolve1d(p, k / k.sum(), axis, mode="mirror")
    return p


def bilateral(p, _):
    """d = 7, sigma_color 0.8, sigma_space 1; OpenCV: a disc, the L1 distance of colours."""
    wide = np.pad(p, ((0, 0), (3, 3), (3, 3)), "reflect")
    total, weights = np.zeros_like(p), np.zeros(p.shape[1:])
    for a, b in np.ndindex(7, 7):
        r2 = (a - 3) ** 2 + (b - 3) ** 2
        if r2 <= 9:
            other = wide[:, a : a + SIDE, b : b + SIDE]
            w = np.exp(-r2 / 2 - np.abs(other - p).sum(0) ** 2 / (2 * 0.8**2))
            total, weights = total + w * other, weights + w
    return total / weights


def thesis(steps, slope=None, blur=None):
    """The image after so many steps, grey levels (3, SIDE, SIDE)."""
    noise = gaussian_noise([0], (3, SIDE, SIDE))[0].numpy()
    p = 2 / (1 + np.exp(-noise)) - 1
    m, v = np.zeros_like(p), np.zeros_like(p)
    # The thesis has 224 x 224 pixels; a penalty keeps its weight against the mean activation.
    share = 224**2 / SIDE**2
    for k in range(steps):
        g = -ascent(p) + (0 if slope is None else share * slope(p))
        g = g / (g.std() + 1e-8)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        step = m / (1 - 0.9 ** (k + 1)) / (np.sqrt(v / (1 - 0.999 ** (k + 1))) + 1e-8)
        p = p - 0.05 * step
        if blur is not None:
            p = blur(p, k)
        p = np.clip(p, -1, 1)
    return 127.5 * (p + 1)


def fading(p, k, steps=3):
    return gaussian(p, 1.5 - 1 / (1 + np.exp(-8 * (k / (steps - 1) - 0.5))))


CASES = {
    "naive": {},
    "l1": {"slope": l1_slope},
    "tv": {"slope": tv_slope},
    "blur": {"blur": lambda p, k: gaussian(p, 0.7)},
    "blur_ramp": {"blur": fading},
    "bilateral": {"blur": lambda p, k: p if k % 2 else bilateral(p, k)},
}


def job(compose_job, net, folder, recipe, *more):
    given = ["task=maximization", f"+recipe={recipe}", "schedule.steps=3", f"channel={CHANNEL}"]
    cfg = compose_job(*net, *given, "layer=f", "metric.spectrum=false", *more)
    run(cfg, folder, {"task": "maximization", "net": "python"})
    return cfg


@pytest.mark.parametrize("name", CASES)
def test_three_steps_in_the_units_of_the_thesis(compose_job, net, tmp_path, name):
    save = ["precision=fp64", "record.save_seconds=0"]
    job(compose_job, net, tmp_path / "run", name, *save)
    state, _ = load_state(tmp_path / "run" / "state.safetensors")
    np.testing.assert_allclose(state["z"][0].numpy(), thesis(3, **CASES[name]), atol=1e-6)


def test_the_penalties_are_the_thesis_sums_at_its_size(compose_job):
    """0.0035 and 0.0003 times plain sums over values in [-1, 1] at 224 x 224 pixels."""
    p = np.random.default_rng(0).uniform(-1, 1, (3, 224, 224))
    x = torch.from_numpy(127.5 * (p + 1))[None]
    differences = np.abs(np.diff(p, axis=1)).sum() + np.abs(np.diff(p, axis=2)).sum()
    for name, expected in (("l1", 0.0035 * np.abs(p).sum()), ("tv", 0.0003 * differences)):
        part = build(compose_job(f"+recipe={name}", "task=maximization").regularizer[name])
        assert part.energy(x, {}, None).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_runs_and_says_what_it_is(compose_job, net, tmp_path, name):
    assert (Path(config_dir()) / "recipe" / f"{name}.yaml").read_text().count("\n# ") >= 1
    cfg = job(compose_job, net, tmp_path / "run", name)
    assert (cfg.task.scale, cfg.task.C) == ("none", 1)
    acting = [key for key, value in cfg.regularizer.items() if value]
    assert acting[-1] == "clip" or cfg.param.bound == "sigmoid"  # after the blurs
    first = (tmp_path / "run" / "curves.csv").read_text().splitlines()
    values = dict(zip(*(line.split(",") for line in first[:2]), strict=True))
    assert float(values["data"]) == pytest.approx(-float(values["activation"]), rel=1e-6)
    assert read_json(tmp_path / "run" / "run.json")["status"] == "finished"


@pytest.mark.slow
def test_the_sheet_of_all_recipes(tmp_path):
    given = ["schedule.steps=2", "record.snapshots=[1]", f"hydra.sweep.dir={tmp_path / 'sweep'}"]
    command = [sys.executable, "-m", "visprior.cli", "+experiment=schuermeyer_regularizers", *given]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(config_dir()).parent)
    assert done.returncode == 0, done.stderr
    names = [p.parent.name.partition("recipe=")[2] for p in tmp_path.glob("sweep/*/preimage.png")]
    assert {name.partition(",")[0] for name in names} == set(RECIPES) - {"transforms_in_place"}
    assert (tmp_path / "sweep" / "sheet.png").stat().st_size > 0
