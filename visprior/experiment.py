"""One job: from a composed configuration to results in a folder."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from visprior.build import build
from visprior.errors import RunFailed, UserError
from visprior.net.listing import layer_table
from visprior.record.files import read_json
from visprior.record.recorder import Recorder
from visprior.services import Services

log = logging.getLogger("visprior")

# Keys that do not change what is computed, so that a run can be recognised without them.
_APART = ["resume", "report", "micro_batch", "record"]


def config_hash(cfg: DictConfig) -> str:
    """The identity of a job: a digest of every key that its result depends on."""
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    kept = {k: v for k, v in plain.items() if k not in _APART}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]


def run(cfg: DictConfig, folder: Path, choices: Any) -> float | None:
    """Compute a job's results in a folder; go on with what is there. Returns the main metric."""
    if cfg.resume:
        cfg = _stored(folder)
    digest = config_hash(cfg)
    before = _before(folder, digest)
    if before.get("status") == "finished":
        log.info("already finished: %s", folder)
        return (before.get("main") or {}).get("value")
    names = before.get("parts") or {k: choices.get(k) for k in ("task", "net")}
    recorder = Recorder(folder, cfg, digest, names, goes_on=bool(before))
    recorder.start()
    try:
        return _run_task(cfg, folder, recorder)
    except BaseException as error:
        recorder.fail(error)
        raise


def _run_task(cfg: DictConfig, folder: Path, recorder: Recorder) -> float | None:
    services = Services(cfg, folder, recorder)
    try:
        value = build(cfg.task, cfg.trust).run(services)
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


def _stored(folder: Path) -> DictConfig:
    path = folder / ".hydra" / "config.yaml"
    if not path.is_file():
        raise UserError(f"resume={folder}: no .hydra/config.yaml there to go on with")
    cfg = OmegaConf.load(path)
    assert isinstance(cfg, DictConfig)
    return cfg


def _before(folder: Path, digest: str) -> dict[str, Any]:
    """run.json of an earlier start of the same job in this folder, or {}."""
    path = folder / "run.json"
    if not path.is_file():
        return {}
    before = read_json(path)
    return before if before.get("config_hash") == digest else {}


def print_layers(cfg: DictConfig) -> None:
    """The table of visprior-layers."""
    print(layer_table(build(cfg.net, cfg.trust)))
