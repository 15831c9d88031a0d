"""A tiny network of the user's own that has classes, and a folder of pictures for it."""

import sys

import numpy as np
import pytest
from PIL import Image

from visprior.files.whole import read_json
from visprior.job.run import run
from visprior.task.job import Job

NET = """
import torch
from torch import nn


def make(seed=0):
    g = torch.Generator().manual_seed(seed)
    conv, deep = nn.Conv2d(3, 6, 5, stride=2, padding=2), nn.Conv2d(6, 4, 3)
    for part in (conv, deep):
        nn.init.normal_(part.weight, std=0.3, generator=g)
        nn.init.zeros_(part.bias)
    return nn.Sequential(conv, nn.ReLU(), deep)


def other():
    return make(1)


class Colours(nn.Module):
    # The class is the channel of the largest mean.
    def __init__(self, order=(0, 1, 2)):
        super().__init__()
        self.conv, self.order = nn.Conv2d(3, 3, 1, bias=False), list(order)
        self.conv.weight.data = torch.eye(3).view(3, 3, 1, 1)
        self.logits = nn.Identity()

    def forward(self, x):
        return self.logits(self.conv(x).mean((2, 3))[:, self.order])


def swapped():
    return Colours((1, 0, 2))
"""


@pytest.fixture
def tiny(tmp_path, monkeypatch) -> list[str]:
    """net=python with the module above on the path."""
    (tmp_path / "tiny_nets.py").write_text(NET)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("tiny_nets", None)
    return ["net=python", "net.target=tiny_nets:make", "net.size=[24,24]", "net.mean=128"]


@pytest.fixture
def photographs(tmp_path) -> str:
    """Seven pictures of blurred noise."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    rng = np.random.default_rng(5)
    for i in range(7):
        small = Image.fromarray(rng.integers(0, 255, (6, 6, 3), np.uint8))
        small.resize((24, 24), Image.Resampling.BICUBIC).save(folder / f"p{i}.png")
    return str(folder)


@pytest.fixture
def job_of(compose_job, tmp_path):
    """job_of(*overrides): what a task is given, of a job that is not run."""

    def job_of(*overrides: str, task: str = "inversion") -> Job:
        names = {"task": task, "net": "python"}
        return Job(compose_job(f"task={task}", *overrides), tmp_path, names)

    return job_of


@pytest.fixture
def go(compose_job, tmp_path):
    """go(task, overrides, folder): run a job; its folder and its metrics."""

    def go(task: str, *overrides: str, folder: str = "run", net: str = "python"):
        run(compose_job(f"task={task}", *overrides), tmp_path / folder, {"task": task, "net": net})
        return tmp_path / folder, read_json(tmp_path / folder / "metrics.json")

    return go
