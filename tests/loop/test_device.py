"""The loop on a pretended accelerator: it mixes no devices and never makes the host wait in a step.

An accelerator works while the host prepares the next step; whatever asks it for a value stops both.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.pretended_device import pretended
from visprior.config.build import build
from visprior.config.schema import config_dir
from visprior.optimizer.adam import Adam
from visprior.param.fourier import Fourier
from visprior.regularizer.base import acts
from visprior.schedule.schedule import Schedule

GROUPS = Path(config_dir())
GPU = torch.device("gpu:0")
SHORT = Schedule([{"steps": 2, "step_size": 1.0}, {"steps": 2, "step_size": 0.5}])
OCTAVES = Schedule([{"steps": 2, "step_size": 1.0}, {"steps": 2, "step_size": 0.5, "scale": 1.2}])


class CountWaits:
    """A watch that notes what made the host wait in each step."""

    def __init__(self, waits: list[str]) -> None:
        self.waits = waits
        self.steps: list[list[str]] = []
        self.before = 0

    def step(self, moment, solver) -> bool:
        self.steps.append(self.waits[self.before :])
        self.before = len(self.waits)
        return False


def names(group: str) -> list[str]:
    return sorted(path.stem for path in (GROUPS / group).glob("*.yaml"))


def steps_on_device(run_small: Callable, *args, **keys) -> list[list[str]]:
    """What the host waited for in each step but the first of a stage, where constants move."""
    with pretended() as waits:
        watch = CountWaits(waits)
        solution = run_small([3, 11], *args, device=GPU, watch=watch, dtype=torch.float32, **keys)
        assert solution.steps == 4 and not solution.failures
    return watch.steps[1::2]


@pytest.mark.parametrize("name", names("regularizer"))
def test_regularizers(run_small, compose_job, name):
    cfg = compose_job(f"regularizer=[{name}]", "kernel.size=7")
    parts = {k: build(v) for k, v in cfg.regularizer.items() if v}
    schedule = OCTAVES if name == "crop" else SHORT
    if any(acts(part, "stop") for part in parts.values()):
        pytest.skip("asks the device after each step, and says so")
    assert steps_on_device(run_small, parts, Adam(), schedule) == [[], []]


@pytest.mark.parametrize("name", names("optimizer"))
def test_optimizers(run_small, compose_job, name):
    rule = build(compose_job(f"optimizer={name}").optimizer)
    assert steps_on_device(run_small, {}, rule, SHORT) == [[], []]


@pytest.mark.parametrize("bound", ["sigmoid", "clip", "none"])
@pytest.mark.parametrize("name", names("param"))
def test_parametrizations(run_small, compose_job, name, bound):
    param = build(compose_job(f"param={name}", f"param.bound={bound}").param)
    assert steps_on_device(run_small, {}, Adam(), SHORT, param=param) == [[], []]


def test_the_device_refuses_to_mix_and_counts_waits():
    with pretended() as waits:
        x = torch.ones(3, device=GPU)
        with pytest.raises(RuntimeError, match="one device"):
            x + torch.ones(3)
        assert not waits
        assert float(x.sum()) == 3 and waits
        assert isinstance(Fourier(), Fourier)
