"""Every YAML file of every group: what it sets is what runs."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from visprior.config.schema import config_dir, register

ROOT = Path(config_dir())
FILES = sorted(p for p in ROOT.glob("*/*.yaml") if p.parent.name != "hydra")
ADDED = ("experiment", "recipe")  # chosen with a +: the default job has none
PRESETS = ("experiment", "recipe", "task")  # may set keys of other groups


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def is_global(path: Path) -> bool:
    return path.read_text().startswith("# @package _global_")


def composed(path: Path) -> DictConfig:
    """The job that chooses this file and nothing else, by its own name."""
    group, name = path.parent.name, path.stem
    chosen = f"[{name}]" if group == "regularizer" else name
    with initialize_config_dir(config_dir(), version_base="1.3"):
        override = f"{'+' if group in ADDED else ''}{group}={chosen}"
        return compose("config", [override], return_hydra_config=True)


def leaves(node: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    if not isinstance(node, dict):
        return [(path, node)]
    return [found for k, v in node.items() for found in leaves(v, (*path, str(k)))]


@pytest.mark.parametrize("path", FILES, ids=named)
def test_every_key_that_it_sets_is_in_the_job(path):
    register()
    given = OmegaConf.to_container(OmegaConf.create(yaml.safe_load(path.read_text())))
    assert isinstance(given, dict)
    given.pop("defaults", None)
    job: Any = OmegaConf.to_container(composed(path), resolve=False)
    if not is_global(path):
        job = job[path.parent.name]
    for keys, value in leaves(given):
        found = job
        for key in keys:
            found = found[key]
        if keys[0] == "hydra":  # its own keys are typed: texts, enums
            found, value = getattr(found, "name", str(found)), str(value)
        assert found == value, ".".join(keys)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_only_presets_reach_into_other_groups(path):
    assert not is_global(path) or path.parent.name in PRESETS
    if path.parent.name not in PRESETS:
        defaults = (yaml.safe_load(path.read_text()) or {}).get("defaults", [])
        assert all(isinstance(entry, str) for entry in defaults), "an override of another group"
