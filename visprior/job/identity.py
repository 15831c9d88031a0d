"""Which job a folder holds: the digest of its settings, what an earlier start has left."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from visprior.config.allowed import check_names
from visprior.config.objects import has_objects
from visprior.config.typed_values import check_values
from visprior.errors import UserError, one_line, shown
from visprior.files.lock import check_free
from visprior.files.whole import read_json, write_bytes

AUTO = "auto"  # net.weights: trained ones if they can be had; micro_batch: as many as fit

# Keys that do not change what is computed, so that a run can be recognised without them.
_APART = ["resume", "report", "record"]


def config_hash(cfg: DictConfig) -> str:
    """The identity of a job: a digest of every key that its result depends on."""
    kept = _that_matter(_resolved(cfg))
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]


def _that_matter(plain: dict[str, Any]) -> dict[str, Any]:
    """The keys that the result depends on.

    In single precision a convolution of several images rounds otherwise than of each alone. How
    many `auto` takes together is no setting, but what the others say.
    """
    kept = {k: v for k, v in plain.items() if k not in _APART}
    if kept.get("micro_batch") == AUTO:
        del kept["micro_batch"]
    return kept


def keep_settings(folder: Path, cfg: DictConfig, hydra_cfg: Any) -> None:
    """.hydra/, as Hydra would write it before a job can look at the folder (output_subdir).

    hydra_cfg: the configuration with Hydra's own node and nothing else.
    """
    (folder / ".hydra").mkdir(parents=True, exist_ok=True)
    nodes = {"config": cfg, "hydra": hydra_cfg, "overrides": hydra_cfg.hydra.overrides.task}
    for name, node in nodes.items():
        write_bytes(folder / ".hydra" / f"{name}.yaml", OmegaConf.to_yaml(node).encode())


def stored_settings(folder: Path, trust: Sequence[str] = ()) -> tuple[DictConfig, Path]:
    """The configuration of the run in a folder, and the folder it was started from.

    Raises:
        UserError: there is none, or it names code that `trust` does not.
    """
    path = folder / ".hydra" / "config.yaml"
    if not path.is_file():
        raise UserError(f"resume={shown(folder)}: no .hydra/config.yaml there to go on with")
    try:
        cfg = OmegaConf.load(path)
        about = OmegaConf.load(path.with_name("hydra.yaml"))
        cwd = Path(str(OmegaConf.select(about, "hydra.runtime.cwd")))
    except (OSError, ValueError, YAMLError, OmegaConfBaseException) as error:
        raise UserError(f"'{shown(path)}' cannot be read: {one_line(error)}") from error
    digest = read_json(folder / "run.json").get("config_hash")
    if not isinstance(cfg, DictConfig) or config_hash(cfg) != digest:
        raise UserError(f"'{shown(path)}' is not what this run was started with")
    if has_objects(cfg):
        again = f"the same call with save='{shown(folder)}' goes on"
        raise UserError(f"this run was started from Python with objects; {again}")
    if (stored := list(cfg.get("trust") or ())) and not trust:
        again = f"visprior resume={shown(folder)} trust=[{','.join(map(str, stored))}]"
        raise UserError(f"this run's code is run again only if you trust it again: {again}")
    check_names(_resolved(cfg), trust)
    return cfg, cwd if cwd.is_dir() else Path.cwd()


def with_trust(cfg: DictConfig, trust: Iterable[str]) -> DictConfig:
    """Stored settings that trust what was typed now. Not part of the digest."""
    cfg = cfg.copy()
    cfg.trust = list(trust)
    return cfg


def earlier_start(cfg: DictConfig, folder: Path) -> dict[str, Any]:
    """run.json of an earlier start of this job in this folder, or {}.

    Raises:
        UserError: the folder holds another job, or a sweep; another process works there.
    """
    path = folder / "run.json"
    if (folder / "multirun.yaml").is_file():
        raise UserError(f"'{shown(folder)}' holds a sweep; choose another hydra.run.dir")
    before = read_json(path) if path.is_file() else {}
    if not before or before.get("config_hash") == config_hash(cfg):
        check_free(folder)
        return before
    other = f"'{shown(folder)}' holds another job{_differing(cfg, folder)}"
    raise UserError(f"{other}; choose another folder")


def _differing(cfg: DictConfig, folder: Path) -> str:
    """', of another layer, task': the root keys that differ, where the settings can be read."""
    try:
        loaded: Any = OmegaConf.load(folder / ".hydra" / "config.yaml")
        stored = _resolved(loaded)
    except (OSError, ValueError, YAMLError, OmegaConfBaseException, UserError):
        return ""
    own, stored = _that_matter(_resolved(cfg)), _that_matter(stored)
    keys = sorted(k for k in own | stored if own.get(k) != stored.get(k))
    return f", of another {', '.join(keys)}" if keys else ""


def of_sweep(folder: Path, cfg: DictConfig) -> dict[str, Any]:
    """run.json of another job of the same sweep with the same net, whose weights are settled."""
    if cfg.net.get("weights") != AUTO or not (folder.parent / "multirun.yaml").is_file():
        return {}
    wanted = {"weights_asked": AUTO, "model": cfg.net.get("model")}
    for path in sorted(folder.parent.glob("*/run.json")):
        with suppress(UserError):  # a damaged file is that job's misfortune, not this one's
            about = read_json(path)
            if about.get("weights") and wanted.items() <= about.items():
                return about
    return {}


def with_weights(cfg: DictConfig, before: dict[str, Any]) -> DictConfig:
    """The job with the weights that `auto` came to before: what is gone on with never changes them.

    Not part of its digest: whether a folder holds this job can be told without a network.
    """
    if cfg.net.get("weights") != AUTO or not before.get("weights"):
        return cfg
    cfg = cfg.copy()
    cfg.net.weights = before["weights"]
    return cfg


def check_keys(cfg: DictConfig) -> None:
    """Refuse what composes but is no configuration: what check_values refuses, or no value."""
    check_values(_resolved(cfg))


def _resolved(cfg: DictConfig) -> dict[str, Any]:
    """The configuration as plain values. Raises UserError when it has none for a key."""
    try:
        plain: Any = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise UserError(str(error).splitlines()[0]) from error
    return plain
