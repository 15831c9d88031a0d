"""Paths from the command line: killed and gone on with, and their errors in one line."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from .conftest import runs, status

PATH = ["task=path", "net=shapes_mobilenet", "layer=shallow", "size=32", "channel=3"]
PATH += ["task.starts=[tv,fourier]", "task.start_steps=3", "task.pivots=2", "task.insert=1"]
PATH += [
    "task.band.stop=false",
    "schedule.stages=[{steps: 4,step_size: 1},{steps: 6,step_size: 1}]",
]
PATH += ["metric.spectrum=false", "metric.classify.nets=null", "record.save_seconds=0"]
WHOLE = ["pivots.safetensors", "activations.csv", "strip.png", "path.mp4"]


# Within the first pass of the first pair; within a second pass (only it has a sixth step).
@pytest.mark.parametrize("step", [2, pytest.param(5, marks=pytest.mark.slow)])
def test_a_killed_path_goes_on_to_the_same_bits(command, outputs, own, step):
    args = [*PATH, *own("Once", step=step, number=int(signal.SIGKILL))]
    code = "from visprior.cli import main; main()"
    killed = outputs / "killed"
    done = subprocess.run(
        [sys.executable, "-c", code, *args, f"hydra.run.dir={killed}"], check=False
    )
    assert done.returncode == -signal.SIGKILL and status(killed)["status"] == "running"
    assert not list(killed.glob("*.mp4"))
    finished = [p for p in killed.rglob("run.json") if status(p.parent)["status"] == "finished"]
    assert len(finished) >= 2  # the start images
    stamps = {p: p.stat().st_mtime_ns for p in finished}
    again = command(f"resume={killed}", "trust=[my_parts]")
    assert again.code == 0 and f"going on after step {step}" in again.err
    assert stamps == {p: p.stat().st_mtime_ns for p in finished}
    assert command(*args, f"hydra.run.dir={outputs / 'whole'}").code == 0
    for name in WHOLE:
        assert (killed / name).read_bytes() == (outputs / "whole" / name).read_bytes()
    assert len(load_file(killed / "pivots.safetensors")["x"]) == 7


@pytest.mark.slow
def test_ctrl_c_within_a_path(command, outputs, own):
    result = command(*PATH, *own("Once", step=2, number=int(signal.SIGINT)))
    assert result.code == 130
    run = next(path for path in runs(outputs) if (path / ".hydra").is_dir())
    assert result.err.splitlines()[-1].endswith(f"resume={run} 'trust=[my_parts]' goes on")
    assert status(run)["status"] == "interrupted" and "Traceback" not in result.err
    assert command(f"resume={run}", "trust=[my_parts]").code == 0
    assert status(run)["status"] == "finished" and (run / "path.mp4").is_file()


def test_values_that_are_not_finite(command, outputs, own):
    """The path freezes at its last good state and is there; the run has failed, and says why."""
    folder = outputs / "p"
    poison = own("Poison", step=2)
    result = command(*PATH, "task.video=false", *poison, f"hydra.run.dir={folder}")
    assert result.code == 1 and "mine was not finite at step 2" in result.error
    assert status(folder)["status"] == "failed"
    assert load_file(folder / "pivots.safetensors")["x"].isfinite().all()


def test_a_video_that_cannot_be_written(command, outputs, monkeypatch):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/nowhere/ffmpeg")
    folder = outputs / "p"
    result = command(*PATH, f"hydra.run.dir={folder}")
    assert result.code == 2
    assert result.error == (
        f"cannot write '{folder / 'path.mp4'}': ffmpeg '/nowhere/ffmpeg' does not start: No such "
        f"file or directory; the path itself is in pivots.safetensors, visprior resume={folder} "
        "makes the video once it can"
    )
    assert len(load_file(folder / "pivots.safetensors")["x"]) == 7
    monkeypatch.delenv("IMAGEIO_FFMPEG_EXE")
    result = command(f"resume={folder}")
    assert result.code == 0 and "7 frames, lowest activation" in result.err
    assert (folder / "path.mp4").is_file() and status(folder)["status"] == "finished"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["task.starts=[naive]"], "a path needs two start images or more"),
        (["task.starts=[naive,tvv]"], "did you mean 'tv'?"),
        (["task.band.tangent=improve"], "did you mean 'improved'?"),
        (["task.bend.freeze=true"], "bend"),
        (["regularizer=[alpha_norm]"], "takes only what changes the gradient"),
    ],
    ids=lambda v: v[0] if isinstance(v, list) else "",
)
def test_mistakes_are_one_line(command, args, words):
    result = command(*PATH, *args)
    assert result.code == 2 and words in result.error


def test_recipes_of_the_users_own(command, outputs):
    """--config-dir may hold recipes beside those that ship."""
    folder = Path("mine") / "recipe"
    folder.mkdir(parents=True)
    (folder / "faint.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /schedule: schuermeyer2020_stages\n"
        "  - override /regularizer: []\ntask: {C: 1, scale: none, start: mean}\n"
    )
    args = [*PATH, "task.starts=[faint,naive]", "task.passes=0", "task.video=false"]
    result = command("--config-dir", "mine", *args, f"hydra.run.dir={outputs / 'own'}")
    assert result.code == 0, result.err
    assert (outputs / "own" / "starts" / "faint" / "preimage.png").is_file()
