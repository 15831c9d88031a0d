"""A small module and pictures as a notebook has them."""

import numpy as np
import pytest
import torch
from torch import nn

from visprior.record.run_file import say_once

# Of a run that takes a fraction of a second.
QUICK = ["layer='2'", "schedule.steps=4", "regularizer.jitter.T=2"]
QUICK += ["metric.spectrum=null", "device=cpu"]


class Small(nn.Sequential):
    """Two convolutions with weights from a seed."""

    def __init__(self, seed: int = 0) -> None:
        g = torch.Generator().manual_seed(seed)
        conv, deep = nn.Conv2d(3, 6, 5, stride=2, padding=2), nn.Conv2d(6, 4, 3)
        for part in (conv, deep):
            nn.init.normal_(part.weight, std=0.3, generator=g)
            assert part.bias is not None
            nn.init.zeros_(part.bias)
        super().__init__(conv, nn.ReLU(inplace=True), deep)


@pytest.fixture
def small() -> Small:
    """A module that is being trained."""
    return Small().train()


@pytest.fixture
def described() -> dict:
    """What visprior.run is told of `small`."""
    return {"mean": 128, "scale": 255, "size": 24}


@pytest.fixture
def pictures() -> np.ndarray:
    """Three pictures, (3, H, W, 3) uint8, larger than the net takes."""
    return np.random.default_rng(3).integers(0, 255, (3, 30, 36, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def said_afresh() -> None:
    """What an earlier test has said is said again."""
    say_once.cache_clear()


@pytest.fixture(autouse=True)
def folder_of_its_own(tmp_path, monkeypatch):
    """The current folder, empty."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work
