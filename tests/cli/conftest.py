"""The commands, run in this process: what they print, how they end, what they leave behind."""

import json
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.core.global_hydra import GlobalHydra
from imageio.v3 import imwrite

from visprior import cli, services

QUICK = ["layer=relu1_1", "size=32", "schedule.steps=3", "metric.spectrum=false"]


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
        services._say_once.cache_clear()
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
    return lambda *args, **kw: command(*QUICK, *args, **kw)


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
