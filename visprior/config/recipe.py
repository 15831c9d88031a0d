"""Recipes: configurations of a pre-image by name, which a task may compose while it runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from visprior.config.schema import config_dir

# What makes a pre-image: the rest of a configuration says of what, and where it goes.
PARTS = ["task", "regularizer", "kernel", "fluid_kernel", "elastic_kernel"]
PARTS += ["param", "optimizer", "schedule"]


def recipe_names() -> list[str]:
    """The recipes in configs/recipe and in the user's own --config-dir."""
    with _hydra():
        return GlobalHydra.instance().config_loader().get_group_options("recipe")


def recipe_parts(name: str) -> dict[str, Any]:
    """The root keys that make a maximization by this recipe."""
    with _hydra():
        cfg = compose("config", ["task=maximization", f"+recipe={name}"])
    return {key: cfg._get_node(key) for key in PARTS}


@contextmanager
def _hydra() -> Iterator[None]:
    """Hydra as the command has set it up, or else over the files that ship."""
    if GlobalHydra.instance().is_initialized():
        yield
        return
    with initialize_config_dir(config_dir(), version_base="1.3"):
        yield
