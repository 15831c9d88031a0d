"""Configurations composed from Python: those of the command, with its sentences, and no trace."""

import sys
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.conf import ConfigSourceInfo
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from tests.cli.test_cli import BEFORE_THE_RUN
from visprior.config.compose import (
    PARTS,
    compose,
    compose_with_choices,
    part_of_group,
    recipe_parts,
)
from visprior.config.files import chosen_by, folders, names_in
from visprior.config.schema import config_dir, register
from visprior.errors import UserError

# Of a command line only: what the shell and argparse make of its words, and resume=.
_OF_THE_SHELL = ("the shell has split", "unknown option", "argument --cfg", "no configuration")
MISTAKES = [
    (words, line)
    for words, line in BEFORE_THE_RUN
    if not line.startswith(_OF_THE_SHELL) and not words.startswith("resume=")
]


@pytest.fixture
def running(tmp_path, monkeypatch):
    """Hydra as it is while a command runs that was given a --config-dir; returns that folder."""
    own = tmp_path / "conf"
    (own / "net").mkdir(parents=True)
    (own / "recipe").mkdir()
    (own / "net" / "mine.yaml").write_text("defaults: [hog, _self_]\ncell: 4\n")
    (own / "recipe" / "grey.yaml").write_text(
        "# @package _global_\ndefaults: [{override /task: maximization}]\ntask: {M: 7}\n"
    )
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    with initialize_config_dir(config_dir(), version_base="1.3"):
        cfg: Any = compose_with_choices("+recipe=blur", "task=maximization")
        cfg.hydra.runtime.config_sources.append(ConfigSourceInfo(str(own), "file", "command-line"))
        HydraConfig.instance().set_config(cfg)
        yield own


def state() -> tuple[Any, Any]:
    return GlobalHydra.instance().hydra, HydraConfig.instance().cfg


def compose_wrong() -> None:
    with pytest.raises(UserError):
        compose("net=nope")


def part_wrong() -> None:
    with pytest.raises(UserError):
        part_of_group("net", {"net": "hog", "clel": 3})


CALLS = {
    "compose": lambda: compose("net=vgg19"),
    "compose a mistake": compose_wrong,
    "part_of_group": lambda: part_of_group("optimizer", "adam"),
    "part_of_group, a mistake": part_wrong,
    "recipe_parts": lambda: recipe_parts("blur"),
    "names_in": lambda: names_in("net"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_command_that_runs_keeps_its_hydra(running, name):
    before = state()
    assert before[0] is not None and before[1] is not None
    CALLS[name]()
    assert all(a is b for a, b in zip(state(), before, strict=True))


@pytest.mark.parametrize("name", CALLS)
def test_nothing_is_left_where_there_was_no_hydra(monkeypatch, name):
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    GlobalHydra.instance().clear()
    CALLS[name]()
    assert state() == (None, None)


def test_it_is_the_configuration_of_the_command(compose_job):
    words = ["task=maximization", "+recipe=blur", "layer=relu3_1", "+regularizer=l2"]
    assert compose(*words) == compose_job(*words)
    shuffled = [words[3], *words[:3]]  # to Hydra the recipe would take back what stands before it
    assert compose(*shuffled) == compose_job(*words) != compose_job(*shuffled)
    assert compose_with_choices(*words).hydra.runtime.choices.task == "maximization"


@pytest.mark.parametrize(("words", "line"), MISTAKES)
def test_a_mistake_is_said_as_on_the_command_line(monkeypatch, words, line):
    monkeypatch.setattr(sys, "argv", ["other_program", "--config-dir=/elsewhere", "net=alexnet"])
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    with pytest.raises(UserError) as refused:
        compose(*words.split())
    assert str(refused.value).startswith(line) and "\n" not in str(refused.value)


SWEEPS = [
    ("seed=1,2", "seed=1,2 has several values: -m sweeps over them, 'seed=[1,2]' is a list"),
    ("seed=range(1,4)", "seed=range(1,4) has several values: -m sweeps over them"),
    ("+experiment=mahendran_fig14", "the experiment sweeps over layer: choose one value"),
]


@pytest.mark.parametrize(("words", "line"), SWEEPS)
def test_a_sweep_is_no_configuration(words, line):
    with pytest.raises(UserError) as refused:
        compose(words)
    assert str(refused.value) == line


def test_a_point_of_a_sweep_is_one():
    cfg = compose("+experiment=mahendran_fig14", "layer=conv1")
    assert (cfg.layer, cfg.image) == ("conv1", "fox")


def test_the_recipes_are_the_files():
    files = sorted(p.stem for p in (Path(config_dir()) / "recipe").glob("*.yaml"))
    assert names_in("recipe", []) == files and {"naive", "tv", "fourier"} <= set(files)


def test_the_parts_of_a_recipe_are_those_of_the_command_line(compose_job):
    whole = compose_job("task=maximization", "+recipe=blur")
    parts = recipe_parts("blur")
    assert list(parts) == PARTS
    for key in PARTS:
        assert parts[key] == whole[key]
    assert OmegaConf.select(parts["regularizer"], "blur.size") == 7


def test_another_part_of_a_group():
    name, part = part_of_group("optimizer", {"optimizer": "adam", "eps": 0.5})
    assert name == "adam" and part.eps == 0.5


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        ("hogg", "no 'hogg' in group 'net'; did you mean 'hog'"),
        ({"net": "hog", "clel": 4}, "unknown key 'net.clel' of hog; did you mean 'cell'?"),
        (3, "a net is a name or {net: NAME, key: value}, got 3"),
    ],
)
def test_no_part_of_a_group(spec, line):
    with pytest.raises(UserError) as refused:
        part_of_group("net", spec)
    assert str(refused.value).startswith(line)


def test_the_folders_of_the_command_that_runs(running):
    assert folders() == [Path(config_dir()), running]
    assert "mine" in names_in("net") and "mine" not in names_in("net", [])
    assert compose("net=mine").net.cell == 4
    assert recipe_parts("grey")["task"]["M"] == 7
    with pytest.raises(UserError, match="no 'minee' in group 'net'; did you mean 'mine'"):
        compose("net=minee")


def test_a_folder_may_be_named(tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "other.yaml").write_text("defaults: [hog]\n")
    assert "_target_" in compose(f"--config-dir={tmp_path}", "net=other").net
    with pytest.raises(UserError, match="no 'othr' in group 'net'; did you mean 'other'"):
        compose(f"--config-dir={tmp_path}", "net=othr")


def test_a_file_may_not_trust_itself(running):
    (running / "recipe" / "sly.yaml").write_text("# @package _global_\ntrust: [mine.py]\n")
    with pytest.raises(UserError, match="stands in a file; give it on the command line"):
        compose("+recipe=sly")
    assert compose("+recipe=sly", "trust=[other.py]").trust == ["other.py"]


def test_who_chose_a_key(running, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["visprior", "+recipe=blur"])
    assert chosen_by("layer") is None
    assert chosen_by("schedule.steps") == "recipe=blur"
    monkeypatch.setattr(sys, "argv", ["visprior", "+recipe=blur", "schedule.steps=3"])
    assert chosen_by("schedule.steps") is None


def test_a_figure_keeps_the_resolver_of_the_command():
    from visprior.command.layers import layers_of_figure

    OmegaConf.register_new_resolver("figure_layers", layers_of_figure, replace=True)
    register()
    random = {
        "net": {"weights": "random", "model": "vgg-m"},
        "x": "${figure_layers:matconvnet,linear}",
    }
    assert OmegaConf.create(random).x == "conv1,conv2,conv3,conv4,conv5,fc6,fc7,fc8"
