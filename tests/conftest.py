"""A small fixed net and a loop around it, for tests that need no real network."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from torch import nn

from visprior.config import config_dir, register
from visprior.loop.problem import Moment, Problem, Solution
from visprior.loop.solver import solve
from visprior.loop.start import noise
from visprior.param.pixel import Pixel
from visprior.regularizer.base import Scene
from visprior.schedule.schedule import Schedule
from visprior.task.objective import FeatureDistance

MEAN = [120.0, 115.0, 105.0]


class SmallNet(nn.Module):
    """Two convolutions and a ReLU, one stride of 2, weights from a seed; images in grey levels."""

    def __init__(self, dtype: torch.dtype = torch.float64, channels: int = 3) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(7)
        a = torch.randn(8, channels, 5, 5, generator=g, dtype=torch.float64).to(dtype) / 8
        b = torch.randn(12, 8, 3, 3, generator=g, dtype=torch.float64).to(dtype) / 8
        self.a, self.b = nn.Buffer(a), nn.Buffer(b)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        y = torch.relu(nn.functional.conv2d((x - 115) / 58, self.a, stride=2, padding=2))
        return {"f": nn.functional.conv2d(y, self.b, padding=1)}


def small_run(
    seeds: list[int],
    regularizers: dict[str, Any],
    optimizer: Any,
    schedule: Schedule,
    dtype: torch.dtype = torch.float64,
    size: int = 24,
    micro_batch: int | None = None,
    objective: Callable[..., Any] | None = None,
    watch: Any = None,
    param: Any = None,
    moment: Moment | None = None,
    device: torch.device | None = None,
) -> Solution:
    """One inversion of SmallNet: the batch of these seeds, each towards its own target."""
    cut = SmallNet(dtype)
    scene = Scene((size, size), MEAN, 2.0, "f", len(seeds))
    for part in regularizers.values():
        part.prepare(scene)
    targets = noise([s + 1000 for s in seeds], (size, size), MEAN).to(dtype)
    make = objective or (lambda phi0: FeatureDistance("f", phi0, None, 300.0))
    problem = Problem(
        features=cut.to(device),
        objective=make(cut(targets.to(device))["f"]),
        optimizer=optimizer,
        stages=schedule.stages("inversion"),
        seeds=seeds,
        size=(size, size),
        fill=MEAN,
        regularizers=regularizers,
        param=param or Pixel(),
        per_pixel=schedule.per_pixel,
        micro_batch=micro_batch,
        precision="fp64" if dtype == torch.float64 else "fp32",
        device=device or torch.device("cpu"),
    )
    return solve(problem, watch, moment)


@pytest.fixture
def compose_job() -> Callable[..., DictConfig]:
    """The configuration that a list of overrides gives."""

    def compose_job(*overrides: str) -> DictConfig:
        register()
        with initialize_config_dir(config_dir(), version_base="1.3"):
            return compose("config", overrides=list(overrides))

    return compose_job


@pytest.fixture
def run_small() -> Callable[..., Solution]:
    """small_run, for tests."""
    return small_run
