"""One job: from a composed configuration to results in a folder."""

import hashlib
import json
import logging
from contextlib import chdir, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from visprior.build import build
from visprior.config import RunConfig
from visprior.errors import RunFailed, UserError, did_you_mean, one_line, shown
from visprior.net.listing import layer_table
from visprior.record.files import read_json
from visprior.record.recorder import Recorder
from visprior.services import Services, say_once
from visprior.typed import ALWAYS, typed_keys, useless

log = logging.getLogger("visprior")

AUTO = "auto"  # net.weights: trained ones if they can be had

# Keys that do not change what is computed, so that a run can be recognised without them.
_APART = ["resume", "report", "micro_batch", "record"]


def config_hash(cfg: DictConfig) -> str:
    """The identity of a job: a digest of every key that its result depends on."""
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    kept = {k: v for k, v in plain.items() if k not in _APART}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]


def run(cfg: DictConfig, folder: Path, choices: Any) -> float | None:
    """Compute a job's results in a folder; go on with what is there. Returns the main metric."""
    if not cfg.resume:
        return _run(cfg, folder, choices)
    cfg, cwd = _stored(folder)
    with chdir(cwd):  # the paths in it were typed there
        return _run(cfg, folder, choices)


def _run(cfg: DictConfig, folder: Path, choices: Any) -> float | None:
    _check(cfg)
    digest = config_hash(cfg)
    before = _before(folder, digest)
    if before.get("status") == "finished":
        log.info("already finished: %s", shown(folder))
        return (before.get("main") or {}).get("value")
    settled = before if before.get("weights") else of_sweep(folder, cfg)
    asked, cfg = cfg.net.get("weights"), with_weights(cfg, settled)
    names = before.get("parts") or {k: choices.get(k) for k in ("task", "net")}
    recorder = Recorder(folder, cfg, digest, names, goes_on=bool(before))
    known = {key: settled[key] for key in ("weights", "why_random") if key in settled}
    recorder.run |= {"weights_asked": asked, **known}
    with recorder.running():
        return _run_task(cfg, folder, recorder)


def _run_task(cfg: DictConfig, folder: Path, recorder: Recorder) -> float | None:
    services = Services(cfg, folder, recorder)
    try:
        task = build(cfg.task, cfg.trust)
        _say_what_is_useless(task, cfg, recorder)
        recorder.know(services.net)
        services.say_weights()
        recorder.write_run()  # whoever resumes this run takes the same weights
        value = task.run(services)
    except torch.cuda.OutOfMemoryError as error:
        tried = services.micro_batch(recorder.batch or 1)
        raise UserError(
            f"out of GPU memory with {tried} images per forward pass; "
            f"set micro_batch={max(1, tried // 2)}, or a smaller size"
        ) from error
    except RuntimeError as error:
        if "Kernel size can't be greater than actual input" in str(error):
            raise UserError(f"size={services.size} is too small for layer={cfg.layer}") from error
        raise
    recorder.finish(services.device)
    if recorder.failures:
        raise RunFailed("; ".join(f"{k}: {v}" for k, v in recorder.failures.items()))
    if recorder.interrupted:
        raise KeyboardInterrupt
    return value


def _say_what_is_useless(task: Any, cfg: DictConfig, recorder: Recorder) -> None:
    """A warning for every key that was typed and does nothing; a task of a user's may not tell."""
    if not hasattr(task, "uses"):
        return
    uses = ALWAYS | task.uses(cfg)
    for typed in useless(typed_keys(recorder.run["overrides"]), uses, cfg):
        hint = getattr(task, "instead", {}).get(typed.key)
        line = f"{typed.words} does nothing in task={recorder.task}{f': {hint}' if hint else ''}"
        say_once(line, logging.WARNING)
        recorder.warnings.append(line)


def _check(cfg: DictConfig) -> None:
    """Refuse what composes but is no configuration: added root keys, values that do not resolve."""
    known = [f.name for f in fields(RunConfig)]
    for key in map(str, cfg):
        if key not in known:
            raise UserError(f"unknown key '{key}'{did_you_mean(key, known)}")
    try:
        OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise UserError(str(error).splitlines()[0]) from error


def _stored(folder: Path) -> tuple[DictConfig, Path]:
    """The configuration of the run in a folder, and the folder it was started from."""
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
    return cfg, cwd if cwd.is_dir() else Path.cwd()


def _before(folder: Path, digest: str) -> dict[str, Any]:
    """run.json of an earlier start of the same job in this folder, or {}."""
    path = folder / "run.json"
    if not path.is_file():
        return {}
    before = read_json(path)
    return before if before.get("config_hash") == digest else {}


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


def print_layers(cfg: DictConfig, overrides: list[str]) -> None:
    """The table of visprior-layers."""
    for typed in useless(typed_keys(overrides), {"net", "size", "trust"}, cfg):
        log.warning("%s does nothing in visprior-layers", typed.words)
    size: Any = OmegaConf.to_container(cfg.size) if OmegaConf.is_config(cfg.size) else cfg.size
    print(layer_table(build(cfg.net, cfg.trust), size))
