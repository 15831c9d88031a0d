"""visprior.run with save=FOLDER, and tasks of several parts: what is in folders, what is not."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from imageio.v3 import imread

import visprior
from visprior.config.compose import compose
from visprior.files.tensors import load_state
from visprior.files.whole import read_json
from visprior.job.identity import config_hash, stored_settings
from visprior.job.run import Run
from visprior.render.picture import to_bytes

from .conftest import QUICK, Small
from .test_run import interrupt_at, pngs

PATH = ["task=path", "layer='2'", "channel=1", "task.where=centre", "task.starts=[coffee,rocket]"]
PATH += ["task.pivots=2", "task.insert=1", "task.passes=0", "task.video=false", "device=cpu"]


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """The folder for temporary files, empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_a_folder_holds_what_the_command_leaves(small, described, pictures):
    result = visprior.run(*QUICK, net=small, image=pictures[0], save="run", **described)
    assert result.folder == Path("run").absolute() and result.x is not None
    assert (result.images == pngs(Path("run"))).all()
    assert (to_bytes(result.x[0])[0] == result.images[0]).all()
    kept = read_json(Path("run/metrics.json"))
    assert result.metrics == kept["images"] and result.summary == kept["summary"]
    about = read_json(Path("run/run.json"))
    assert about["status"] == "finished" and about["model"] == "Small"
    assert about["weights"] == "as they were given"
    kinds = [word.partition("{object:")[::2] for word in about["overrides"] if "object:" in word]
    assert [(word, rest.split(",")[0]) for word, rest in kinds] == [
        ("net.target=", f"'{Small.__module__}.Small'"),
        ("image=[", "'numpy.ndarray'"),
    ]


def test_the_same_call_only_reads_what_is_finished(small, described, pictures, caplog):
    def call() -> visprior.Result:
        return visprior.run(*QUICK, net=small, image=pictures[0], save="run", **described)

    first = call()
    times = {p: p.stat().st_mtime_ns for p in Path("run").glob("*.*")}
    caplog.set_level("INFO", "visprior")
    again = call()
    assert "already finished: run" in caplog.messages
    assert {p: p.stat().st_mtime_ns for p in Path("run").glob("*.*")} == times
    assert (again.images == first.images).all() and again.metrics == first.metrics
    assert again.x is None


def test_an_interrupted_call_goes_on_to_the_same_bits(small, described, pictures, monkeypatch):
    def call(folder: str) -> visprior.Result:
        return visprior.run(
            *[*QUICK, "seeds=2"], net=small, image=pictures[0], save=folder, **described
        )

    interrupt_at(3, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        call("cut")
    about = read_json(Path("cut/run.json"))
    assert (about["status"], about["steps"]) == ("interrupted", 3)
    cut, whole = call("cut"), call("whole")
    assert cut.x is not None and whole.x is not None and (cut.x == whole.x).all()
    assert read_json(Path("cut/run.json"))["steps"] == 4
    curves = [Path(folder, "curves.csv").read_bytes() for folder in ("cut", "whole")]
    assert curves[0] == curves[1]


OTHERS: dict[str, Any] = {
    "image": lambda given: given | {"image": given["image"] + 1},
    "net": lambda given: given | {"net": Small(1)},
    "net ": lambda given: given | {"net": torch.nn.Sequential(*given["net"])},
    "net  ": lambda given: given | {"net": _with_tanh(given["net"])},
}


def _with_tanh(net: Small) -> Small:
    net[1] = torch.nn.Tanh()
    return net


@pytest.mark.parametrize("key", OTHERS)
def test_another_object_is_another_job(key, small, described, pictures):
    given = {"net": small, "image": pictures[0] // 2}
    visprior.run(*QUICK, **given, save="run", **described)
    with pytest.raises(visprior.UserError) as refused:
        visprior.run(*QUICK, **OTHERS[key](given), save="run", **described)
    words = f"'run' holds another job, of another {key.strip()}; choose another folder"
    assert str(refused.value) == words


def test_resume_says_how_it_goes_on(small, described):
    visprior.run(*QUICK, net=small, save="run", **described)
    line = "this run was started from Python with objects; the same call with save='run' goes on"
    with pytest.raises(visprior.UserError) as refused:
        Run(compose("resume=run"), Path("run"), {})
    assert str(refused.value) == line


def test_resume_takes_a_run_without_objects():
    visprior.run("layer=relu1_1", "size=24", "schedule.steps=2", "device=cpu", save="run")
    cfg, cwd = stored_settings(Path("run"))
    assert cfg == compose("layer=relu1_1", "size=24", "schedule.steps=2", "device=cpu")
    assert config_hash(cfg) == read_json(Path("run/run.json"))["config_hash"] and cwd == Path.cwd()


def test_an_object_is_of_one_call():
    word = "image=[{object:'numpy.ndarray',digest:'0123'}]"
    with pytest.raises(visprior.UserError) as refused:
        visprior.run(word)
    assert str(refused.value) == (
        "numpy.ndarray is an object, which only visprior.run in Python has"
    )


@pytest.mark.parametrize("save", [None, "run"])
def test_the_images_of_a_path_are_its_frames(save, small, described, temporary):
    result = visprior.run(*PATH, net=small, save=save, **described)
    kept = visprior.run(*PATH, net=small, save="kept", **described)
    x = load_state(Path("kept/pivots.safetensors"))[0]["x"]
    assert (result.images == np.stack([to_bytes(frame)[0] for frame in x])).all()
    assert result.x is None and len(result.images) == result.metrics[0]["frames"] == len(x)
    assert result.summary["lowest"] == kept.summary["lowest"]
    assert not list(temporary.iterdir()) and ("file" in result.metrics[0]) == (save is not None)


def test_a_book_has_the_pictures_of_all_its_pages(small, described, temporary):
    words = ["task=maximization", "layer=['0','2']", "channel=[0,1,3]", "task.batch=2"]
    result = visprior.run(*words, *QUICK[1:], net=small, **described)
    assert result.images.shape == (6, 24, 24, 3)
    assert [row["layer"] for row in result.metrics] == ["0"] * 3 + ["2"] * 3
    one = visprior.run(*words[:1], *QUICK, "channel=[0,1,3]", net=small, **described)
    assert (one.images == result.images[3:]).all()
    assert not list(temporary.iterdir())


def test_statistics_have_no_images(small, described, temporary):
    words = ["task=statistics", "layer='2'", "data=shapes10", "sample.count=3", "device=cpu"]
    result = visprior.run(*words, net=small, **described)
    assert result.images.shape == (0, 0, 0, 3) and result.metrics == [] and result.x is None
    assert result.summary["channels"] == 4 and not list(temporary.iterdir())


def test_examples_are_the_pictures(small, described, temporary):
    words = ["task=examples", "layer='2'", "data=shapes10", "sample.count=3", "device=cpu"]
    result = visprior.run(*words, "channel=[0,1]", "task.k=2", net=small, save="run", **described)
    assert len(result.images) == len(result.metrics) == 4
    assert (result.images[0] == imread(Path("run") / result.metrics[0]["file"])).all()


def test_nothing_stays_of_a_task_that_is_interrupted(small, described, temporary, monkeypatch):
    interrupt_at(1, monkeypatch)
    words = ["task=maximization", "layer=['0','2']", "channel=0"]
    with pytest.raises(KeyboardInterrupt):
        visprior.run(*words, *QUICK[1:], net=small, **described)
    assert not list(temporary.iterdir())
