"""Configurations from the words of a command line. All calls of Hydra's composer are here.

Hydra's own state is afterwards as it was before: a command that runs may compose others.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobRuntime
from hydra.errors import CompactHydraException, HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from visprior.config.build import build
from visprior.config.files import folders, groups, in_order, without_folders
from visprior.config.loading import loading_by
from visprior.config.schema import config_dir, register
from visprior.config.trusted import check_who_trusts
from visprior.config.typed import Words
from visprior.config.wording import Wording
from visprior.errors import UserError, did_you_mean

# What makes a pre-image: the rest of a configuration says of what, and where it goes.
PARTS = ["task", "regularizer", "kernel", "fluid_kernel", "elastic_kernel"]
PARTS += ["param", "optimizer", "schedule"]

# The last one of a defaults list that names itself.
MISTAKES = (HydraException, CompactHydraException, OmegaConfBaseException, RecursionError)


def compose(*overrides: str) -> DictConfig:
    """The configuration of `visprior OVERRIDES`: compose("task=inversion", "layer=relu3_1").

    Of a command that runs, its --config-dir counts too; "--config-dir=FOLDER" gives one here.

    Raises:
        UserError: what the command would refuse; several values for a key, which a sweep takes
            and one configuration does not.
    """
    cfg = compose_with_choices(*overrides)
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg


def compose_with_choices(*overrides: str) -> DictConfig:
    """The same with Hydra's own node: hydra.runtime.choices has the name chosen in each group.

    Raises:
        UserError: as for compose.
    """
    Words().add(overrides)
    own = _folders_of_the_command()
    cfg = _in_words([*own, *in_order(overrides, [*own, *overrides])])
    check_who_trusts(cfg.trust or ())
    params: Any = cfg.hydra.sweeper.get("params") or {}
    typed = [word.partition("=")[0].lstrip("+") for word in overrides]
    if swept := [str(key) for key in params if key not in typed]:
        one = "one value" if len(swept) == 1 else "one value of each"
        raise UserError(f"the experiment sweeps over {', '.join(swept)}: choose {one}")
    return cfg


@contextmanager
def as_if_run(full: DictConfig) -> Iterator[DictConfig]:
    """What compose_with_choices gave, without Hydra's node, which counts meanwhile as a command's.

    So does hydra.runtime.choices for what asks who has chosen something.
    """
    cfg = copy.deepcopy(full)
    with open_dict(cfg):
        del cfg["hydra"]
    full.hydra.mode = RunMode.RUN  # an experiment's sweep has one value of each by now
    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(full)
    try:
        yield cfg
    finally:
        HydraConfig.instance().cfg = before


def part_of_group(group: str, spec: Any, trust: Any = ()) -> tuple[str, Any]:
    """Another part of a group than the run's, with its own YAML file: its name and the part.

    spec: NAME or {GROUP: NAME, key: value, ...}, with keys of the file changed.

    Raises:
        UserError: no such name in the group; no such key in its file; a value that it refuses.
    """
    pairs = spec.items() if isinstance(spec, dict | DictConfig) else [(group, spec)]
    given: dict[str, Any] = {str(key): value for key, value in pairs}
    name = given.pop(group, None)
    if not isinstance(name, str):
        raise UserError(f"a {group} is a name or {{{group}: NAME, key: value}}, got {spec}")
    cfg = _in_words([*_folders_of_the_command(), f"{group}={name}"])
    OmegaConf.set_struct(cfg, False)
    for key, value in given.items():
        if key not in cfg[group]:
            near = did_you_mean(key, [str(k) for k in cfg[group]])
            raise UserError(f"unknown key '{group}.{key}' of {name}{near}")
        cfg[group][key] = value
    return name, build(cfg[group], trust)


def recipe_parts(name: str) -> dict[str, Any]:
    """The root keys (PARTS) that make a maximization by this recipe.

    Raises:
        UserError: no such recipe.
    """
    cfg = _in_words([*_folders_of_the_command(), "task=maximization", f"+recipe={name}"])
    return {key: cfg[key] for key in PARTS}


def explain(error: BaseException, words: Sequence[str]) -> str:
    """One line for what Hydra, OmegaConf or we say of the words of a command line."""
    return Wording(words, _only_groups).line(error)


def _in_words(words: Sequence[str]) -> DictConfig:
    """The configuration of these words, Hydra's own node included; mistakes as UserError."""
    try:
        return _composed(words)
    except MISTAKES as error:
        raise UserError(explain(error, words)) from error


def _only_groups(words: Sequence[str]) -> DictConfig | None:
    """The configuration with the groups of a command line and nothing else set."""
    settings, own = without_folders(words)
    pairs = [word.split("=", 1) for word in settings if "=" in word and word[0] != "-"]
    known = groups(words)
    chosen = [
        f"{k}={v if v.startswith('[') else v.split(',')[0]}"
        for k, v in pairs
        if k.lstrip("+") in known
    ]
    try:
        return _composed([*chosen, *(f"--config-dir={folder}" for folder in own)])
    except MISTAKES:
        return None


def _composed(words: Sequence[str]) -> DictConfig:
    settings, own = without_folders(words)
    if absent := [folder for folder in own if not folder.is_dir()]:
        raise UserError(f"Additional config directory '{absent[0]}' not found")  # as Hydra has it
    if own:
        paths = ",".join(f"'file://{folder.resolve()}'" for folder in own)
        settings.append(f"hydra.searchpath=[{paths}]")
    with _hydra():
        return hydra.compose("config", settings, return_hydra_config=True)


def _folders_of_the_command() -> list[str]:
    return [f"--config-dir={folder}" for folder in folders()[1:]]


@contextmanager
def _hydra() -> Iterator[None]:
    """Hydra over our files; that of a command which runs is put back."""
    before, job = GlobalHydra.instance().hydra, JobRuntime.instance().conf.copy()
    nodes = ConfigStore.instance().repo.copy()
    GlobalHydra.instance().clear()
    register()
    try:
        with (
            loading_by(ConfigLoaderImpl),
            hydra.initialize_config_dir(config_dir(), "visprior", version_base="1.3"),
        ):
            yield
    finally:
        GlobalHydra.instance().hydra = before
        JobRuntime.instance().conf = job
        ConfigStore.instance().repo = nodes
