"""Messages about what nobody typed: keys that a file sets, plugins that are not installed."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from .conftest import runs, status


def test_a_recipe_for_another_task(quick, outputs):
    result = quick("task=caricature", "+recipe=fourier")
    assert result.code == 2 and not outputs.exists()
    assert result.error == (
        "unknown key 'task.scale'; recipe=fourier sets it, which is for task=maximization"
    )
    typed = quick("task=caricature", "+recipe=fourier", "task.scale=none")
    assert typed.error == "unknown key 'task.scale'; allowed: C, start"


def test_a_recipe_of_the_users_own(quick, outputs):
    Path("conf/recipe").mkdir(parents=True)
    Path("conf/recipe/mine.yaml").write_text("# @package _global_\ntask: {where: centre}\n")
    result = quick("--config-dir=conf", "+recipe=mine")
    assert result.error == "unknown key 'task.where'; recipe=mine sets it"


def test_a_layer_that_an_experiment_chose_for_another_net(command, outputs):
    Path("conf/experiment").mkdir(parents=True)
    Path("conf/experiment/blocks.yaml").write_text(
        "# @package _global_\n"
        "layer: block_9_add\n"
        "size: 32\n"
        "hydra: {mode: MULTIRUN, sweeper: {params: {task.C: '1,2,3'}}}\n"
    )
    result = command("--config-dir=conf", "+experiment=blocks", "net=shapes_alex")
    assert result.code == 1
    said = [line for line in result.err.splitlines() if line.startswith("visprior: error: ")]
    assert said[0].startswith("visprior: error: no layer 'block_9_add' in shapes_alex; allowed: ")
    chosen = "experiment=blocks chose it, layer= takes another"
    assert said[0].endswith(chosen)
    assert said[1:3] == ["visprior: error: the same"] * 2
    assert said[3].startswith("visprior: error: 3 of 3 jobs failed: ")
    assert all(status(run)["reason"].endswith(chosen) for run in runs(outputs))


def test_a_layer_that_was_typed(quick):
    assert "chose it" not in quick("layer=nope").error


@pytest.mark.parametrize(
    ("name", "plugin", "extra"),
    [("joblib", "joblib", "sweep"), ("submitit_slurm", "submitit", "slurm")],
)
def test_a_launcher_that_is_not_installed(quick, outputs, name, plugin, extra):
    try:
        installed = find_spec(f"hydra_plugins.hydra_{plugin}_launcher")
    except ModuleNotFoundError:
        installed = None
    if installed:
        pytest.skip(f"the launcher {name} is installed")
    result = quick("-m", f"hydra/launcher={name}", "seed=0,1")
    assert result.code == 2 and not outputs.exists()
    assert result.error == (
        f"hydra/launcher={name} is not installed: pip install visprior[{extra}]"
    )


def test_a_plugin_that_nobody_knows(quick):
    error = quick("-m", "hydra/launcher=jobllib", "seed=0,1").error
    assert error.startswith("no 'jobllib' in group 'hydra/launcher'; did you mean 'joblib'?")
