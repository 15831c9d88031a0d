"""Recipes composed while a task runs."""

from pathlib import Path

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from visprior.config.recipe import PARTS, recipe_names, recipe_parts
from visprior.config.schema import config_dir, register


def test_the_recipes_are_the_files():
    register()
    files = sorted(p.stem for p in (Path(config_dir()) / "recipe").glob("*.yaml"))
    assert recipe_names() == files and {"naive", "tv", "fourier"} <= set(files)


def test_its_parts_are_those_of_the_command_line(compose_job):
    whole = compose_job("task=maximization", "+recipe=blur")
    parts = recipe_parts("blur")
    assert list(parts) == PARTS
    for key in PARTS:
        assert parts[key] == whole[key]
    assert OmegaConf.select(parts["regularizer"], "blur.size") == 7


def test_a_command_that_runs_keeps_its_hydra():
    register()
    assert not GlobalHydra.instance().is_initialized()
    recipe_names()
    assert not GlobalHydra.instance().is_initialized()
    with initialize_config_dir(config_dir(), version_base="1.3"):
        recipe_parts("naive")
        assert GlobalHydra.instance().is_initialized()
