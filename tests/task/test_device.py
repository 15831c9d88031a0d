"""Every task on a pretended accelerator: it mixes no devices and no step makes the host wait."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.pretended_device import pretended
from visprior.config.schema import config_dir
from visprior.files.whole import read_json
from visprior.record import watch
from visprior.task import job
from visprior.task.path import link

GPU = torch.device("gpu:0")
TASKS = [path.stem for path in (Path(config_dir()) / "task").glob("*.yaml")]


class Waits:
    """What made the host wait in each step of the loops that have run."""

    def __init__(self, waits: list[str]) -> None:
        self.waits, self.before = waits, 0
        self.steps: list[tuple[int, list[str]]] = []  # (step, what the host waited for in it)

    def noted(self, step: Callable) -> Callable:
        """A watch's step that notes what the loop's own step waited for; its own it may."""

        def noting(watch: Any, moment: Any, solver: Any) -> bool:
            self.steps.append((moment.step, self.waits[self.before :]))
            stops = step(watch, moment, solver)
            self.before = len(self.waits)
            return stops

        return noting

    @property
    def later(self) -> list[list[str]]:
        """Of all steps but the first of a loop, before which its constants are moved."""
        return [names for step, names in self.steps if step > 1]


@pytest.fixture
def on_device(go, monkeypatch):
    """on_device(task, *overrides): a job on the device; its metrics and its Waits."""

    def on_device(task: str, *overrides: str, folder: str = "run") -> tuple[dict, Waits]:
        with pretended() as waits, monkeypatch.context() as patch:
            noted = Waits(waits)
            patch.setattr(job, "device_named", lambda name: GPU)
            patch.setattr(watch.SavingWatch, "step", noted.noted(watch.SavingWatch.step))
            out, metrics = go(task, *overrides, "record.every=1000", folder=folder)
        assert read_json(out / "run.json")["device"] == "gpu:0"
        assert waits, "nothing was computed on the device"
        return metrics, noted

    return on_device


def assert_no_step_waits(noted: Waits, steps: int) -> None:
    """Of loops that have taken so many steps in all, four each."""
    assert len(noted.steps) == steps
    assert noted.later == [[]] * (steps * 3 // 4)


SMALL = ["size=32", "schedule.steps=4"]
VGG = ["net=shapes_vgg", "layer=relu2_1", *SMALL]
TWO = ["image=[astronaut,coffee]", "seeds=2", "micro_batch=3"]
NETS = "metric.error_in.nets={alex: shapes_alex, vgg: {net: shapes_vgg, layer: relu3_1}}"
TERMS = (
    "task.terms=[{layer: relu1_2, channel: 3}, {layer: relu2_1, between: [0, 1, 0.25], power: 1},"
    "{layer: relu2_1, where: [2, 3], weight: 0.5}]"
)
LUCID = ["param=fourier", "regularizer=[transforms_lucid]", "optimizer=adam"]
MAXIMIZED = {  # what is maximized in how many steps
    "channels": (["channel=[3,5]"], 4),
    "a place": (["channel=3", "task.where=centre"], 4),
    "terms": ([TERMS], 4),
    "mosaic": (["channel=[0,1,2,3]", "task.where=mosaic"], 4),
    "mosaic of a number": (["channel=[0,1,2,3]", "task.where=mosaic", "task.M=2"], 4),
    "probability": (["layer=logits", "channel=[1,2]", "task.score=probability"], 4),
    "log probability": (["layer=logits", "channel=1", "task.score=log_probability"], 4),
    "diversity": (["channel=1", "seeds=3", "regularizer=[tv,diversity]"], 4),
    "book": (["channel=[0,1,2,3]", "task.batch=2"], 8),
}
INVERTED = {
    "pictures and seeds": [*VGG, *TWO, NETS],
    "classes": [*VGG, "layer=logits", "metric.classify.top_k=2"],
    "window": [*VGG, "task.window=3", "task.channels=[0,2]"],
    "from a picture": [*VGG, "task.start=coffee"],
    "hog": ["net=hog", "layer=hog", *SMALL],
    "dsift": ["net=dsift", "layer=dsift", *SMALL],
    "fourier and transforms": [*VGG, *LUCID],
    "transforms in place": [*VGG, "regularizer=[transforms_in_place]"],
    "fluid": [*VGG, "kernel.size=7", "regularizer=[tv,fluid]"],
    "elastic": [*VGG, "kernel.size=7", "regularizer=[tv,elastic]"],
}


@pytest.mark.parametrize("name", MAXIMIZED)
def test_maximization(on_device, name):
    overrides, steps = MAXIMIZED[name]
    metrics, noted = on_device("maximization", *VGG, *overrides)
    assert_no_step_waits(noted, steps)
    assert all(row["activation"] and row["tv"] for row in metrics["images"])


@pytest.mark.parametrize("name", INVERTED)
def test_inversion(on_device, name):
    metrics, noted = on_device("inversion", *INVERTED[name])
    assert_no_step_waits(noted, 4)
    assert all(0 < row["error"] < 10 and "ssim" in row for row in metrics["images"])


def test_other_networks_measure_and_classify_on_it(on_device, go):
    keys = [*VGG, *TWO, NETS]
    there, _ = on_device("inversion", *keys)
    _, here = go("inversion", *keys, "device=cpu", folder="here")
    for a, b in zip(there["images"], here["images"], strict=True):
        assert a["error_alex"] == pytest.approx(b["error_alex"], rel=1e-3)
        assert a["python_class"] == b["python_class"]  # `go` calls the net so
        assert a.keys() == b.keys()


def test_caricature(on_device):
    metrics, noted = on_device("caricature", *VGG, *TWO)
    assert_no_step_waits(noted, 4)
    assert all(row["likeness"] > 0.5 for row in metrics["images"])


PATH = ["task.starts=[naive,tv,fourier]", "task.start_steps=2", "task.pivots=2", "task.insert=1"]
PATH += ["task.video=false", "task.band.stop=false", "channel=2", "layer='2'"]


def test_path(on_device, tiny, monkeypatch):
    """Three start images, then two passes over both of the links between them."""
    monkeypatch.setattr(link, "sags", lambda *args: True)
    metrics, noted = on_device("path", *tiny, *PATH, "schedule.steps=12")
    assert [pair["steps"] for pair in metrics["images"][0]["pairs"]] == [[10, 2]] * 2
    assert len(noted.steps) == 3 * 2 + 2 * (10 + 2)
    assert noted.later == [[]] * (3 * 1 + 2 * (9 + 1))


def test_statistics(on_device, go, tiny, photographs):
    assert_as_on_a_cpu(on_device, go, "statistics", tiny, photographs)


def test_examples(on_device, go, tiny, photographs):
    assert_as_on_a_cpu(on_device, go, "examples", tiny, photographs)


def assert_as_on_a_cpu(on_device, go, task: str, net: list[str], data: str) -> None:
    keys = [*net, "layer='2'", f"data={data}", "task.k=3", "micro_batch=2"]
    there, noted = on_device(task, *keys)
    _, here = go(task, *keys, "device=cpu", folder="here")
    assert not noted.steps
    assert there == here


@pytest.mark.parametrize("task", TASKS)
def test_a_task_has_a_test_here(task):
    assert f"test_{task}" in globals()
