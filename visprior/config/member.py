"""Another member of a group than the one that the run chose, with its own YAML file."""

from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from visprior.config.build import build
from visprior.config.explain import explain
from visprior.config.schema import config_dir
from visprior.errors import UserError, did_you_mean


def member(group: str, spec: Any, trust: Any = ()) -> tuple[str, Any]:
    """Its name and the part, from NAME or {GROUP: NAME, key: value, ...}.

    Errors: UserError when there is no such member, or it has no such key.
    """
    pairs = spec.items() if isinstance(spec, dict | DictConfig) else [(group, spec)]
    given: dict[str, Any] = {str(key): value for key, value in pairs}
    name = given.pop(group, None)
    if not isinstance(name, str):
        raise UserError(f"a {group} is a name or {{{group}: NAME, key: value}}, got {spec}")
    node = _composed(group, name)[group]
    for key, value in given.items():
        if key not in node:
            raise UserError(
                f"unknown key '{group}.{key}' of {name}{did_you_mean(key, [str(k) for k in node])}"
            )
        node[key] = value
    return name, build(node, trust)


def _composed(group: str, name: str) -> DictConfig:
    """The configuration with this member chosen; Hydra's own state is as before afterwards."""
    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(config_dir(), version_base="1.3"):
            own = ",".join(f"'file://{folder}'" for folder in _own_folders())
            cfg = compose("config", overrides=[f"{group}={name}", f"hydra.searchpath=[{own}]"])
            OmegaConf.set_struct(cfg, False)
            return cfg
    except (CompactHydraException, OmegaConfBaseException) as error:
        raise UserError(explain(error)) from error
    finally:
        GlobalHydra.instance().clear()
        GlobalHydra.instance().hydra = before


def _own_folders() -> list[str]:
    """The folders that --config-dir named."""
    if not HydraConfig.initialized():
        return []
    sources = HydraConfig.get().runtime.config_sources
    return [str(s.path) for s in sources if s.schema == "file" and s.provider == "command-line"]
