"""The commands, run in this process: what they print, how they end, what they leave behind."""

import json
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.core.global_hydra import GlobalHydra
from imageio.v3 import imwrite

from visprior import cli
from visprior.record.run_file import say_once

QUICK = ["layer=relu1_1", "size=32", "schedule.steps=3"]
QUICK += ["metric.spectrum=false", "metric.ssim=false", "net=vgg19"]


@dataclass
class Result:
    """How a command ended."""

    code: Any
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that says what was wrong, without 'visprior: error: '."""
        mark = "visprior: error: "
        lines = self.err.splitlines()
        assert "Traceback" not in self.err and "Error executing job" not in self.err, self.err
        assert len([line for line in lines if line.startswith(mark)]) == 1, self.err
        assert lines[-1].startswith(mark), self.err
        return lines[-1].removeprefix(mark)


@pytest.fixture
def outputs(tmp_path, monkeypatch) -> Path:
    """Where results go; the current folder is beside it."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("VISPRIOR_OUTPUTS", str(tmp_path / "results"))
    monkeypatch.setenv("HYDRA_FULL_ERROR", "")  # put back afterwards: main() sets it
    return tmp_path / "results"


@pytest.fixture
def command(outputs, monkeypatch, capsys):
    """Run a command with its arguments, as the console script does."""

    def command(*args: str, entry: str = "main") -> Result:
        monkeypatch.setattr(sys, "argv", ["visprior", *args])
        GlobalHydra.instance().clear()
        say_once.cache_clear()
        capsys.readouterr()
        with pytest.raises(SystemExit) as leaving:
            getattr(cli, entry)()
        for handler in logging.root.handlers[:]:
            logging.root.removeHandler(handler)
            handler.close()
        logging.raiseExceptions = True
        out, err = capsys.readouterr()
        return Result(leaving.value.code, out, err)

    return command


@pytest.fixture
def quick(command):
    """visprior with settings that take a fraction of a second."""

    def quick(*args: str, **kw: str) -> Result:
        other = any(a.startswith("net=") for a in args)
        return command(*(QUICK[:-1] if other else QUICK), *args, **kw)

    return quick


@pytest.fixture
def picture(outputs) -> Path:
    """A picture in the current folder."""
    grey = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    imwrite("picture.png", grey)
    return Path("picture.png")


def runs(outputs: Path) -> list[Path]:
    """The folders of all runs, in the order of their numbers or times."""
    found = [p.parent for p in outputs.rglob("run.json")]
    return sorted(found, key=lambda p: (p.parent.name, p.name))


def status(folder: Path) -> dict[str, Any]:
    """run.json."""
    return json.loads((folder / "run.json").read_text())


PARTS = '''
import os, signal
from pathlib import Path

import torch
from visprior.regularizer.base import Regularizer


class Pull(Regularizer):
    """Towards grey. Errors: ValueError for a negative weight."""

    def __init__(self, weight):
        if weight < 0:
            raise ValueError(f"weight must be >= 0, got {weight}")
        self.weight = weight

    def energy(self, x, phi, t):
        return self.weight * (x - 128).square().flatten(1).mean(1)


class Once(Regularizer):
    """Sends this process a signal at a step, but not a second time."""

    def __init__(self, step, number, flag="sent"):
        self.step, self.number, self.flag = step, number, Path(flag)

    def energy(self, x, phi, t):
        if t.step == self.step and not self.flag.exists():
            self.flag.touch()
            os.kill(os.getpid(), self.number)
        return x.flatten(1).mean(1) * 0


class Poison(Regularizer):
    """Not a number for the first image of a batch, from a step on."""

    def __init__(self, step):
        self.step = step

    def energy(self, x, phi, t):
        energy = x.flatten(1).mean(1) * 0
        if t.step >= self.step:
            energy = energy + torch.tensor([float("nan")] + [0.0] * (len(x) - 1))
        return energy


class Bug(Regularizer):
    def energy(self, x, phi, t):
        raise RuntimeError("a bug of mine")


class Whole(Regularizer):
    def energy(self, x, phi, t):
        return x.square().mean()


class Column(Regularizer):
    def energy(self, x, phi, t):
        return x.square().flatten(1).mean(1, keepdim=True)


class Number(Regularizer):
    def energy(self, x, phi, t):
        return 0.5


class BrokenStart(Regularizer):
    def __init__(self):
        {}["missing"]
'''


@pytest.fixture
def own(outputs, monkeypatch):
    """A module of the user's, my_parts, beside the current folder; returns settings that use it."""
    Path("my_parts.py").write_text(PARTS)
    monkeypatch.syspath_prepend(str(Path.cwd()))
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()), prepend=os.pathsep)
    monkeypatch.delitem(sys.modules, "my_parts", raising=False)

    def own(name: str, **settings: object) -> list[str]:
        target = [f"+regularizer.mine._target_=my_parts.{name}", "trust=[my_parts]"]
        return target + [f"+regularizer.mine.{key}={value}" for key, value in settings.items()]

    yield own
    sys.modules.pop("my_parts", None)
