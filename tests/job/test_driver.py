"""The driver with a task of a user's own that has parts: two inversions, one after the other."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import torch

from visprior.errors import UserError
from visprior.files.tensors import load_state
from visprior.files.whole import read_json
from visprior.job.run import Run, run
from visprior.loop.problem import Moment
from visprior.loop.solver import Solver

CHAIN = """
import torch
from torch import nn

from visprior.errors import UserError
from visprior.task.inversion import Inversion
from visprior.task.preimages import Findings, Part, Parts

STEPS = 4
prepared = []  # the parts that were, in all starts of a test
given = []  # what the task was sent of each part: its name, and the sum of what was kept


def make():
    g = torch.Generator().manual_seed(0)
    conv = nn.Conv2d(3, 4, 5, stride=2, bias=False)
    nn.init.normal_(conv.weight, std=0.3, generator=g)
    return nn.Sequential(conv, nn.ReLU())


class Chain:
    # Inverts a photograph; each part starts from a seed of its own.
    def __init__(self, parts=2, refused=()):
        self.count, self.refused = parts, list(refused)

    def prepare(self, job):
        return Parts(self._each(job), f"{self.count} inversions", STEPS * self.count)

    def _each(self, job):
        found = []
        for name in [f"part{i}" for i in range(self.count)]:
            keys = {"seed": len(found)}
            done = yield Part(
                name, keys, lambda job: self._one(job, name), STEPS, "inversion", "x.safetensors"
            )
            given.append((name, float(sum(v.sum() for v in done.tensors.values())), done.steps))
            found += [image.within(name) for image in done.images]
            if done.interrupted:
                break
        errors = [image.metrics["error"] for image in found]
        summary = {"n": len(found), "error": sum(errors) / max(1, len(errors))}
        return Findings("error", summary, found, f"{len(found)} found", job.folder / "metrics.json")

    def _one(self, job, name):
        prepared.append(name)
        if name in self.refused:
            raise UserError(f"{name} cannot be")
        images = Inversion(C=1.0).prepare(job)
        images.keep = lambda solution: {"x": solution.x}
        return images
"""
KEYS = ["net=python", "net.target=chain_of_tests:make", "net.size=[16,16]", "layer='1'"]
KEYS += ["schedule.steps=4", "record.save_seconds=0", "regularizer.jitter.T=3", "device=cpu"]
KEYS += ["trust=[chain_of_tests]"]


@pytest.fixture
def chain(tmp_path, monkeypatch) -> Iterator[ModuleType]:
    """The module above."""
    (tmp_path / "chain_of_tests.py").write_text(CHAIN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "chain_of_tests", raising=False)
    yield import_module("chain_of_tests")
    sys.modules.pop("chain_of_tests", None)


@pytest.fixture
def start(chain, compose_job, tmp_path):
    """start(folder, settings of the task): run the task, or go on with it; returns its folder."""

    def start(name: str, **settings) -> Path:
        cfg = compose_job(*KEYS)
        cfg.task = {"_target_": "chain_of_tests.Chain", **settings}
        run(cfg, tmp_path / name, {"task": "chain", "net": "python"})
        return tmp_path / name

    return start


@contextmanager
def stopping(part: int, step: int) -> Iterator[None]:
    """As if Ctrl-C were pressed before that step of that part."""
    take = Solver.step

    def stopped(self: Solver, moment: Moment) -> Moment:
        if (self.problem.seeds[0], moment.step) == (part, step):
            raise KeyboardInterrupt
        return take(self, moment)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Solver, "step", stopped)
        yield


def status(folder: Path) -> dict:
    return read_json(folder / "run.json")


def kept(folder: Path, part: str) -> torch.Tensor:
    return load_state(folder / part / "x.safetensors")[0]["x"]


def test_parts_are_run_in_their_folders_and_sent_back(start, chain):
    folder = start("run")
    assert chain.prepared == ["part0", "part1"]
    sums = [float(kept(folder, part).sum()) for part in ("part0", "part1")]
    assert chain.given == [("part0", sums[0], 4), ("part1", sums[1], 4)]
    assert sums[0] != sums[1]
    metrics = read_json(folder / "metrics.json")
    parts = [read_json(folder / p / "metrics.json")["images"][0] for p in ("part0", "part1")]
    assert [row["error"] for row in metrics["images"]] == [row["error"] for row in parts]
    assert [row["file"] for row in metrics["images"]] == [
        "part0/preimage.png",
        "part1/preimage.png",
    ]
    assert status(folder)["main"] == {"name": "error", "value": metrics["summary"]["error"]}
    assert [status(folder / p)["seed"] for p in ("part0", "part1")] == [0, 1]
    assert not list(folder.rglob("state.safetensors"))  # what is kept has taken its place


def test_a_first_part_that_is_refused_leaves_no_folder(chain, compose_job, tmp_path):
    cfg = compose_job(*KEYS)
    cfg.task = {"_target_": "chain_of_tests.Chain", "refused": ["part0"]}
    with pytest.raises(UserError, match="part0 cannot be"):
        Run(cfg, tmp_path / "run", {"task": "chain", "net": "python"}).check()
    assert chain.prepared == ["part0"] and not (tmp_path / "run").exists()


def test_a_later_part_that_is_refused_leaves_what_there_is(start, chain, tmp_path):
    with pytest.raises(UserError, match="part1 cannot be"):
        start("run", refused=["part1"])
    found = status(tmp_path / "run")
    assert (found["status"], found["reason"]) == ("failed", "part1 cannot be")
    assert status(tmp_path / "run" / "part0")["status"] == "finished"
    assert not (tmp_path / "run" / "part1" / "run.json").exists()


@pytest.mark.parametrize("step", [0, 2])
def test_an_interrupted_part_is_gone_on_with_bit_for_bit(start, chain, tmp_path, step):
    whole = start("whole")
    folder = tmp_path / "halves"
    chain.prepared.clear()
    with stopping(part=1, step=step), pytest.raises(KeyboardInterrupt):
        start("halves")
    assert status(folder)["status"] == status(folder / "part1")["status"] == "interrupted"
    state = folder / "part1" / "state.safetensors"
    assert load_state(state)[1]["step"] == str(step) if step else not state.exists()
    assert not (folder / "part1" / "x.safetensors").exists()
    start("halves")
    assert chain.prepared == ["part0", "part1", "part1"]  # the finished one only once
    assert status(folder)["status"] == "finished"
    for part in ("part0", "part1"):
        assert torch.equal(kept(folder, part), kept(whole, part))
        for name in ("curves.csv", "preimage.png", "metrics.json"):
            assert (folder / part / name).read_bytes() == (whole / part / name).read_bytes()
    assert chain.given[-2:] == chain.given[:2]  # those of the whole run


def test_an_interruption_of_the_first_part_ends_the_run(start, chain, tmp_path):
    with stopping(part=0, step=2), pytest.raises(KeyboardInterrupt):
        start("run")
    assert chain.prepared == ["part0"] and not (tmp_path / "run" / "part1").exists()


def test_a_part_whose_kept_file_is_gone_is_computed_again(start, chain, tmp_path):
    folder = tmp_path / "run"
    with stopping(part=1, step=2), pytest.raises(KeyboardInterrupt):
        start("run")
    before = kept(folder, "part0")
    (folder / "part0" / "x.safetensors").unlink()
    chain.prepared.clear()
    start("run")
    assert chain.prepared == ["part0", "part1"]
    assert torch.equal(kept(folder, "part0"), before)


def test_a_task_that_has_no_part(start, chain):
    folder = start("run", parts=0)
    assert not chain.prepared and status(folder)["status"] == "finished"
    assert read_json(folder / "metrics.json")["images"] == []
