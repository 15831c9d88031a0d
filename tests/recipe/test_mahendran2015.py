"""The recipe of Mahendran & Vedaldi's 2015 program against a transcription of its update."""

import sys

import pytest
import torch
from torch import nn

from visprior.data.picture import find_pictures, load_picture
from visprior.files.tensors import load_state
from visprior.files.whole import read_json
from visprior.job.run import run
from visprior.loop.start import natural_norm

SIDE, MEAN, STEPS = 24, 120.0, 8
SIGMA = 27098.1157 * SIDE / 224  # the norm goes with the side; at 224 px it is the recipe's own
NET = """
import torch
from torch import nn


class Smooth(nn.Module):
    def __init__(self):
        super().__init__()
        g = torch.Generator().manual_seed(3)
        self.conv = nn.Conv2d(3, 4, 5, stride=2, bias=False)
        self.conv.weight.data = torch.randn(4, 3, 5, 5, generator=g) / 4
        self.f = nn.Softplus()

    def forward(self, p):
        return self.f(self.conv(p))


def make():
    return Smooth()
"""


def energy(phi, target, x):
    """sigma^2 times the program's energy: features, total variation and a range term, as sums."""
    data = SIGMA**2 * (phi(x) - target).square().sum() / target.square().sum()
    dx = nn.functional.pad(x.diff(dim=3), (0, 1))
    dy = nn.functional.pad(x.diff(dim=2), (0, 0, 0, 1))
    return data + 10 / 2 * (dx**2 + dy**2).sum() + 8e-10 / 2 * (x**6).sum()


def transcription(phi, target, x):
    """x, minus the mean, after some steps: momentum 0.9, which a new step size resets."""
    for steps, lr in ((2, 0.004), (4, 0.0004), (2, 0.00004)):
        mu = torch.zeros_like(x)
        for _ in range(steps):
            leaf = x.clone().requires_grad_()
            (g,) = torch.autograd.grad(energy(phi, target, leaf), leaf)
            mu = 0.9 * mu - lr * g
            x = x + mu
    return x


def test_a_few_steps_are_those_of_the_program(compose_job, tmp_path, monkeypatch):
    (tmp_path / "program_net.py").write_text(NET)
    monkeypatch.syspath_prepend(tmp_path)
    given = ["net=python", "net.target=program_net:make", f"net.size=[{SIDE},{SIDE}]"]
    given += [
        f"net.mean={MEAN}",
        "net.scale=50",
        "layer=f",
        "image=coffee",
        f"schedule.steps={STEPS}",
    ]
    given += ["precision=fp64", "record.save_seconds=0", "metric.ssim=false"]
    cfg = compose_job("+recipe=mahendran2015", *given, f"task.C={SIGMA**2}")
    run(cfg, tmp_path / "run", {"task": "inversion", "net": "python"})

    net = sys.modules["program_net"].make().double()
    photograph = load_picture(find_pictures("coffee")[0][1], (SIDE, SIDE), 3).double()

    def phi(x):
        return net(x / 50)

    start = natural_norm([0], (SIDE, SIDE), [MEAN] * 3) - MEAN
    expected = transcription(phi, phi(photograph - MEAN).detach(), start) + MEAN
    state, _ = load_state(tmp_path / "run" / "state.safetensors")
    torch.testing.assert_close(state["z"], expected, rtol=1e-9, atol=1e-6)
    assert read_json(tmp_path / "run" / "run.json")["status"] == "finished"


@pytest.mark.slow
def test_it_gets_somewhere(compose_job, tmp_path):
    """With another start, or another weight of the data term, nothing moves: 0.99."""
    given = ["layer=relu2_2", "image=rocket", "size=224", "schedule.steps=120"]
    cfg = compose_job("+recipe=mahendran2015", *given)
    assert pytest.approx(27098.1157**2) == cfg.task.C
    run(cfg, tmp_path / "run", {"task": "inversion", "net": "shapes_vgg_robust"})
    summary = read_json(tmp_path / "run" / "metrics.json")["summary"]
    assert summary["error"] < 0.3 and summary["ssim"] > 0.65
