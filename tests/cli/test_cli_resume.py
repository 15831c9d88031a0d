"""Runs that were interrupted, killed or finished, and go on to the same bits."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import QUICK, runs, status

# Two stages (6 and 1 steps), two seeds, jitter, and a state after every step.
LONGER = ["schedule.steps=7", "seeds=2", "regularizer.jitter.T=4", "record.save_seconds=0"]
SAME = ["preimage_astronaut_seed0.png", "preimage_astronaut_seed1.png", "state.safetensors"]


def same_results(a: Path, b: Path) -> bool:
    return all((a / name).read_bytes() == (b / name).read_bytes() for name in [*SAME, "curves.csv"])


# Within the first stage; before the first step of the second.
@pytest.mark.parametrize("step", [pytest.param(3, marks=pytest.mark.slow), 6])
def test_a_killed_run_goes_on_to_the_same_bits(quick, command, outputs, own, step):
    args = [*QUICK, *LONGER, *own("Once", step=step, number=int(signal.SIGKILL))]
    code = "from visprior.cli import main; main()"
    folder = f"hydra.run.dir={outputs / 'killed'}"
    killed = subprocess.run([sys.executable, "-c", code, *args, folder], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert status(outputs / "killed")["status"] == "running"
    assert not list((outputs / "killed").glob("*.png"))
    assert "trust it again" in command(f"resume={outputs / 'killed'}").error
    result = command(f"resume={outputs / 'killed'}", "trust=[my_parts]")
    assert result.code == 0 and f"going on after step {step}" in result.err
    assert quick(*args, f"hydra.run.dir={outputs / 'whole'}").code == 0
    assert same_results(outputs / "killed", outputs / "whole")
    assert status(outputs / "killed")["overrides"] == [*args]


def test_ctrl_c_saves_what_was_computed(quick, command, outputs, own, monkeypatch):
    args = [*LONGER, "record.save_seconds=60", *own("Once", step=4, number=int(signal.SIGINT))]
    result = quick(*args)
    assert result.code == 130
    (run,) = runs(outputs)
    last = f"visprior: interrupted; visprior resume={run} 'trust=[my_parts]' goes on"
    assert result.err.splitlines()[-1] == last and "Traceback" not in result.err
    assert status(run)["status"] == "interrupted" and status(run)["steps"] == 4
    assert (run / SAME[0]).is_file()
    monkeypatch.chdir(outputs)  # paths of the stored settings are relative to where they were typed
    again = command(f"resume={run.relative_to(outputs)}", "trust=[my_parts]")
    assert again.code == 0 and "going on after step 4" in again.err
    assert status(run)["status"] == "finished"
    quick(*LONGER, *own("Once", step=4, number=int(signal.SIGINT), flag=run / "run.json"))
    for name in SAME[:2]:
        assert (runs(outputs)[1] / name).read_bytes() == (run / name).read_bytes()


def test_ctrl_c_in_a_sweep(quick, outputs, own):
    once = own("Once", step=1, number=int(signal.SIGINT))
    sweep = ["-m", "seed=0,1,2", f"hydra.sweep.dir={outputs / 'mine'}", *once]
    Path("sent").touch()
    sweep_of_one = [a.replace("0,1,2", "0") for a in sweep]
    assert quick(*sweep_of_one).code == 0
    Path("sent").unlink()
    result = quick(*sweep)
    assert result.code == 130
    expected = f"visprior: interrupted; the same command with hydra.sweep.dir={outputs / 'mine'}"
    assert [line for line in result.err.splitlines() if line.startswith(expected)]
    assert "visprior: error" not in result.err and "Traceback" not in result.err
    assert (outputs / "mine" / "index.html").is_file()
    assert [status(run)["status"] for run in runs(outputs)] == ["finished", "interrupted"]
    again = quick(*sweep)
    assert again.code == 0 and again.err.count("already finished") == 1
    assert [status(run)["status"] for run in runs(outputs)] == ["finished"] * 3


def test_the_same_command_gives_the_same_pixels(quick, outputs):
    for _ in range(2):
        quick(*LONGER)
    assert same_results(*runs(outputs))


def test_a_finished_run_says_so(quick, command, outputs):
    quick()
    (run,) = runs(outputs)
    before = (run / "preimage.png").stat().st_mtime_ns
    result = command(f"resume={run}")
    assert result.code == 0
    assert result.err == f"already finished: {run}\n"
    assert (run / "preimage.png").stat().st_mtime_ns == before


@pytest.fixture
def interrupted(quick, outputs, own) -> Path:
    """A run that was stopped after two steps."""
    quick(*own("Once", step=2, number=int(signal.SIGINT)))
    return runs(outputs)[0]


def test_damaged_files_of_a_run(command, interrupted):
    resume = [f"resume={interrupted}", "trust=[my_parts]"]
    state = interrupted / "state.safetensors"
    data = bytearray(state.read_bytes())
    data[-1] ^= 1
    state.write_bytes(data)
    result = command(*resume)
    assert result.code == 2
    assert result.error.startswith(f"the saved state '{state}' is damaged")
    config = interrupted / ".hydra" / "config.yaml"
    config.write_text(config.read_text().replace("seed: 0", "seed: 1"))
    result = command(*resume)
    assert result.code == 2
    assert result.error == f"'{config}' is not what this run was started with"
    config.write_text("a: [")
    assert command(*resume).error.startswith(f"'{config}' cannot be read: ")
    config.unlink()
    assert "no .hydra/config.yaml there" in command(*resume).error


def test_a_sweep_is_not_resumed_by_resume(quick, command, outputs):
    quick("-m", "seed=0,1")
    folder = runs(outputs)[0].parent
    result = command(f"resume={folder}")
    assert result.code == 2
    assert result.error.endswith(f"goes on with its own command and hydra.sweep.dir={folder}")
