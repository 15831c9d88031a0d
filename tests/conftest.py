"""A small fixed net and a loop around it; no test reaches a network of computers."""

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from torch import nn
from torchvision import models

from visprior.config.schema import config_dir, register
from visprior.config.typed import Words
from visprior.loop.problem import Moment, Problem, Solution
from visprior.loop.solver import solve
from visprior.loop.start import noise
from visprior.net import download
from visprior.objective.data_terms import FeatureDistance
from visprior.param.pixel import Pixel
from visprior.regularizer.base import Scene
from visprior.schedule.schedule import Schedule

MEAN = [120.0, 115.0, 105.0]


@pytest.fixture(autouse=True, scope="session")
def no_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An empty cache of weights, and a proxy where nothing listens: for subprocesses, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("torch_home")))
        for name in ("http_proxy", "https_proxy"):
            patch.setenv(name, "http://127.0.0.1:9")
        patch.setenv("no_proxy", "127.0.0.1")
        yield


@dataclass
class Published:
    """A small model of torchvision's with weights that torchvision could have published."""

    data: bytes  # the file
    state: dict[str, torch.Tensor]
    path: Path  # its place in the cache, where it is not yet
    words: tuple[str, ...] = ("net=torchvision", "net.model=squeezenet1_1")

    def keep(self) -> None:
        """Put the file into the cache."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(self.data)


@pytest.fixture(scope="session")
def squeezenet() -> tuple[bytes, dict[str, torch.Tensor]]:
    """A state of squeezenet1_1 and its file."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        state = models.squeezenet1_1(weights=None).state_dict()
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue(), state


@pytest.fixture
def published(squeezenet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    """net=torchvision net.model=squeezenet1_1, whose trained weights are in reach of the test."""
    data, state = squeezenet
    name = f"squeezenet1_1-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    weights = models.SqueezeNet1_1_Weights.IMAGENET1K_V1.value
    monkeypatch.setattr(weights, "url", f"https://download.invalid/models/{name}")
    monkeypatch.setattr(download, "_unreachable", {})
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch_home"))
    return Published(data, state, tmp_path / "torch_home" / "hub" / "checkpoints" / name)


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
        Words().add(overrides)
        with initialize_config_dir(config_dir(), version_base="1.3"):
            return compose("config", overrides=list(overrides))

    return compose_job


@pytest.fixture
def run_small() -> Callable[..., Solution]:
    """small_run, for tests."""
    return small_run
