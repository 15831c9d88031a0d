"""Hydra's loader of configurations with a check of each, before anything is made of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import hydra._internal.hydra as hydra_internals
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from visprior.config.allowed import check_names
from visprior.config.hydra_node import check_hydra
from visprior.config.trusted import check_who_trusts
from visprior.errors import UserError


class CheckedLoader(ConfigLoaderImpl):
    """All that a command runs comes from here: a run, a sweep, each job of a sweep.

    A launcher takes it along to the processes that it starts. What is composed besides is no more
    than data, of which build() makes parts.
    """

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        cfg = super().load_configuration(
            config_name, overrides, run_mode, from_shell, validate_sweep_overrides
        )
        if not validate_sweep_overrides:  # Hydra asks for hydra.mode, drops the rest and comes back
            return cfg
        trust: Any = OmegaConf.select(cfg, "trust") or ()
        trust = [trust] if isinstance(trust, str) else list(trust)
        check_who_trusts(trust)
        check_hydra(cfg, trust, run_mode == RunMode.MULTIRUN)
        for key in cfg:
            node = cfg._get_node(key)
            if key != "hydra" and OmegaConf.is_config(node):
                plain = OmegaConf.to_container(node, resolve=False)  # pyright: ignore[reportArgumentType]
                check_names(plain, trust, resolved=False)
        return cfg

    def _process_config_searchpath(
        self,
        config_name: str | None,
        parsed_overrides: list[Override],
        repo: CachingConfigRepository,
    ) -> None:
        """A package on the search path is imported, so none comes from a file."""
        loaded = repo.load_config(config_path=config_name) if config_name else None
        path = OmegaConf.select(loaded.config, "hydra.searchpath") if loaded else None
        for entry in path or ():
            if "://" in str(entry) and not str(entry).startswith("file://"):
                raise UserError(f"hydra.searchpath: {entry} stands in a file; name a folder")
        super()._process_config_searchpath(config_name, parsed_overrides, repo)


@contextmanager
def loading_by(loader: type[ConfigLoaderImpl]) -> Iterator[None]:
    """What Hydra loads configurations with, here. It has no hook that comes before callbacks."""
    names: dict[str, Any] = hydra_internals.__dict__
    before, names["ConfigLoaderImpl"] = names["ConfigLoaderImpl"], loader
    try:
        yield
    finally:
        names["ConfigLoaderImpl"] = before
