"""The user's own YAML files and classes, and what happens when these are wrong."""

import math
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from imageio.v3 import imread

from .conftest import runs, status


def test_own_class_and_own_yaml(quick, outputs, own):
    Path("conf/regularizer").mkdir(parents=True)
    Path("conf/experiment").mkdir()
    pull = "pull:\n  _target_: my_parts.Pull\n  weight: 1\n"
    Path("conf/regularizer/pull.yaml").write_text(pull)
    heading = "# @package _global_\ndefaults:\n  - override /regularizer: [tv, pull]\n"
    Path("conf/experiment/mine.yaml").write_text(f"{heading}seed: 4\n")
    result = quick("--config-dir", "conf", "+regularizer=pull", "trust=[my_parts]")
    assert result.code == 0
    assert "pull" in (runs(outputs)[0] / "curves.csv").read_text().splitlines()[0]
    both = ["--config-dir=conf", "+experiment=mine", "trust=[my_parts]"]
    assert quick(*both, "regularizer.pull.weight=2").code == 0
    about = status(runs(outputs)[1])
    assert about["seed"] == 4 and about["stages"][0]["regularizers"] == ["tv", "pull"]
    assert quick(*both, "+experiment=other").code == 2
    typo = quick(*both, "regularizer.pull.wieght=2")
    assert typo.error == "unknown key 'regularizer.pull.wieght'; did you mean 'weight'?"
    assert quick("--config-dir=conf", "regularizer=pul").error.endswith("did you mean 'pull'?")


def test_own_yaml_under_a_name_that_is_taken(quick, outputs):
    Path("conf/regularizer").mkdir(parents=True)
    Path("conf/regularizer/tv.yaml").write_text("tv: {weight: 3}\n")
    result = quick("--config-dir", "conf")
    assert result.code == 2 and not outputs.exists()
    assert result.error.startswith("'conf/regularizer/tv.yaml' would not be read: visprior has a")


def test_a_file_may_not_trust_itself(quick, outputs):
    Path("conf/experiment").mkdir(parents=True)
    Path("conf/experiment/lent.yaml").write_text("# @package _global_\ntrust: [my_parts]\n")
    result = quick("--config-dir=conf", "+experiment=lent")
    assert result.code == 2
    assert result.error == "trust=['my_parts'] stands in a file; give it on the command line"


def test_own_class_without_trust(quick, own):
    result = quick(*own("Pull", weight=1), "trust=[]")
    assert result.code == 2
    assert result.error == "_target_=my_parts.Pull is not visprior's; trust=[my_parts.py] allows it"


PULL = ["+regularizer.mine._target_=pulls.Pull", "+regularizer.mine.weight=1"]


@pytest.fixture
def a_file(outputs, monkeypatch) -> Iterator[Path]:
    """A file of the user's in a folder that Python does not search; it imports one beside it."""
    folder = Path("code")
    folder.mkdir()
    (folder / "beside.py").write_text("GREY = 128\n")
    (folder / "pulls.py").write_text(FILE)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    monkeypatch.delenv("PYTHONPATH", raising=False)
    yield folder / "pulls.py"
    for name in ("pulls", "beside"):
        sys.modules.pop(name, None)


FILE = """
from beside import GREY
from torch import nn
from visprior.regularizer.base import Regularizer


class Pull(Regularizer):
    def __init__(self, weight):
        self.weight = weight

    def energy(self, x, phi, t):
        return self.weight * (x - GREY).square().flatten(1).mean(1)


def make():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
"""


def test_trust_brings_a_file(quick, command, outputs, a_file):
    assert quick(*PULL, f"trust=[{a_file}]").code == 0
    (run,) = runs(outputs)
    assert status(run)["stages"][0]["regularizers"][-1] == "mine"
    sys.modules.pop("pulls")
    own_net = ["net=python", "net.target=pulls:make", f"trust=[{a_file}]"]
    assert command(*own_net, "layer='1'", "size=32", "schedule.steps=2").code == 0
    sys.modules.pop("pulls")
    listed = command("python", "net.target=pulls:make", f"trust=[{a_file}]", entry="layers")
    assert listed.code == 0 and listed.out.count("\n") == 3


def test_a_run_with_a_trusted_file_goes_on_from_another_folder(
    quick, command, a_file, own, monkeypatch
):
    pull = [key.replace("regularizer.mine", "regularizer.pull") for key in PULL]
    keys = [*own("Once", step=1, number=int(signal.SIGINT)), *pull]
    assert quick(*keys, f"trust=[{a_file},my_parts]", "hydra.run.dir=mine").code == 130
    sys.modules.pop("pulls")
    monkeypatch.chdir("code")
    assert command("resume=../mine").code == 2 and "pulls" not in sys.modules
    assert command("resume=../mine", "trust=[pulls.py,my_parts]").code == 0


def test_a_trusted_file_that_is_of_no_use(quick, outputs, a_file):
    def said(entry: str) -> str:
        result = quick(*PULL, f"trust=[{entry}]")
        assert result.code == 2 and not outputs.exists()
        return result.error

    assert said("code/pull.py") == (
        "trust=[code/pull.py]: there is no such file; did you mean 'pulls.py'?"
    )
    Path("code/json.py").touch()
    assert said("code/json.py") == (
        "trust=[code/json.py]: there is another module 'json'; rename the file"
    )
    Path("code/my-parts.py").touch()
    assert said("code/my-parts.py").endswith("cannot be the name of a module; rename the file")
    for text, why in (
        ("x = 1\ny = missing\n", "line 2: NameError: name 'missing' is not defined"),
        ("import nothing_of_that_name\n", "line 1: ModuleNotFoundError: No module named"),
        ("def f(:\n", "SyntaxError: invalid syntax (pulls.py, line 1)"),
    ):
        a_file.write_text(text)
        assert said("code/pulls.py").startswith(f"trust=[code/pulls.py]: {why}")
        assert "pulls" not in sys.modules


def test_a_file_is_named_where_trust_is_missing(quick, outputs, a_file, monkeypatch):
    monkeypatch.chdir("code")
    assert quick(*PULL).error == (
        "_target_=pulls.Pull is not visprior's; trust=[pulls.py] allows it"
    )


def test_values_that_an_own_class_refuses(quick, own):
    refused = quick(*own("Pull", weight=-1))
    assert refused.code == 2
    assert refused.error == "regularizer.mine: weight must be >= 0, got -1"
    assert quick(*own("Pull")).error == "regularizer.mine needs 'weight'"
    unknown = quick(*own("Pull", weight=1, wait=2))
    assert unknown.error == "unknown key 'regularizer.mine.wait'; did you mean 'weight'?"
    absent = quick(*own("Pul", weight=1))
    assert absent.error == "_target_=my_parts.Pul: there is nothing of that name"


@pytest.mark.parametrize(
    ("name", "last", "folders"),
    [("Bug", "RuntimeError: a bug of mine", 1), ("BrokenStart", "KeyError: ", 0)],
)
def test_a_bug_keeps_its_traceback(quick, outputs, own, name, last, folders):
    result = quick(*own(name))
    assert result.code == 1
    assert "Traceback" in result.err and "my_parts.py" in result.err
    assert result.err.splitlines()[-1].startswith(last)
    assert "visprior: error" not in result.err
    assert len(runs(outputs)) == folders
    for run in runs(outputs):
        assert status(run)["status"] == "failed"
        assert last in (run / "visprior.log").read_text()


def test_an_energy_that_is_not_one_value_for_each_image(quick, own):
    for name, shape in (("Whole", "()"), ("Column", "(2, 1)"), ("Number", "float")):
        result = quick(*own(name), "seeds=2")
        assert result.code == 2
        assert result.error == (
            f"regularizer=mine: the energy of {name} must have one value for each image, of shape "
            f"(B,) = (2,), got {shape}; sum over all axes but the first"
        )


def test_a_bug_in_one_job_of_a_sweep(quick, outputs, own):
    parts = "my_parts.Bug,visprior.regularizer.base.Regularizer"
    result = quick("-m", f"+regularizer.mine._target_={parts}", "trust=[my_parts]")
    assert result.code == 1
    assert result.err.count("Traceback") == 1
    assert [status(run)["status"] for run in runs(outputs)] == ["failed", "finished"]
    assert (runs(outputs)[0].parent / "results.csv").is_file()


def test_a_value_that_is_not_finite(quick, outputs, own):
    result = quick(*own("Poison", step=2), "seeds=2", "schedule.steps=3")
    assert result.code == 1
    assert result.error == "astronaut_seed0: mine was not finite at step 2"
    (run,) = runs(outputs)
    assert status(run)["status"] == "failed" and status(run)["reason"] == result.error
    quick("seeds=2", "schedule.steps=3")
    other = imread(runs(outputs)[1] / "preimage_astronaut_seed1.png")
    assert np.array_equal(imread(run / "preimage_astronaut_seed1.png"), other)
    quick(*own("Poison", step=9), "seeds=2", "schedule.steps=1")
    last_good = imread(runs(outputs)[2] / "preimage_astronaut_seed0.png")
    assert np.array_equal(imread(run / "preimage_astronaut_seed0.png"), last_good)


def test_a_value_that_is_not_finite_in_a_sweep(quick, outputs, own):
    result = quick("-m", *own("Poison", step="1,99"))
    assert result.code == 1 and "Traceback" not in result.err
    assert [status(run)["status"] for run in runs(outputs)] == ["failed", "finished"]
    assert math.isfinite(status(runs(outputs)[1])["main"]["value"])
