"""One job: from a composed configuration to results in a folder."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from visprior.config.build import build
from visprior.config.schema import RunConfig
from visprior.errors import RunFailed, UserError, did_you_mean, one_line, shown
from visprior.files.whole import read_json
from visprior.job.services import Services, say_once, saying_who_chose_it
from visprior.job.typed_keys import ALWAYS, typed_keys, useless
from visprior.net.listing import layer_table
from visprior.record.recorder import Recorder

log = logging.getLogger("visprior")

AUTO = "auto"  # net.weights: trained ones if they can be had

# Keys that do not change what is computed, so that a run can be recognised without them.
_APART = ["resume", "report", "micro_batch", "record"]


def config_hash(cfg: DictConfig) -> str:
    """The identity of a job: a digest of every key that its result depends on."""
    kept = {k: v for k, v in _resolved(cfg).items() if k not in _APART}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]


class Job:
    """One job: it can be checked while there is no folder for it yet, and is run in one.

    Errors: UserError when the configuration is none, or the folder holds another job.
    """

    def __init__(self, cfg: DictConfig, folder: Path, choices: Any) -> None:
        self.cwd = Path.cwd()
        if cfg.resume:
            cfg, self.cwd = _stored(folder)
        _check(cfg)
        before = earlier_start(cfg, folder)
        settled = before if before.get("weights") else of_sweep(folder, cfg)
        asked = cfg.net.get("weights")
        digest, cfg = config_hash(cfg), with_weights(cfg, settled)
        self.cfg, self.folder = cfg, folder
        self.finished = before.get("status") == "finished"
        self.value: float | None = (before.get("main") or {}).get("value")
        names = before.get("parts") or {k: choices.get(k) for k in ("task", "net")}
        self.recorder = Recorder(folder, cfg, digest, names, goes_on=bool(before))
        known = {key: settled[key] for key in ("weights", "why_random") if key in settled}
        self.recorder.run |= {"weights_asked": asked, **known}
        self._compute: Callable[[], float] | None = None

    def check(self) -> None:
        """Everything that comes before the first step; nothing is written, nothing done twice."""
        if self.finished or self._compute is not None:
            return
        with chdir(self.cwd):  # the paths of the stored settings were typed there
            self.services = Services(self.cfg, self.folder, self.recorder)
            with _limits_in_words(self.services):
                self.task = build(self.cfg.task, self.cfg.trust)
                with saying_who_chose_it():
                    self.recorder.know(self.services.net)
                self.services.say_weights()
                self._compute = self.task.prepare(self.services)

    def run(self) -> float | None:
        """The results in the folder; go on with what is there. Returns the main metric."""
        if self.finished:
            log.info("already finished: %s", shown(self.folder))
            return self.value
        with self.recorder.running():
            self.check()
            _say_what_is_useless(self.task, self.cfg, self.recorder)
            self.recorder.write_run()  # whoever resumes this run takes the same weights
            with chdir(self.cwd), _limits_in_words(self.services):
                assert self._compute is not None
                value = self._compute()
            return self._end(value)

    def _end(self, value: float) -> float:
        self.recorder.finish(self.services.device)
        if self.recorder.failures:
            raise RunFailed("; ".join(f"{k}: {v}" for k, v in self.recorder.failures.items()))
        if self.recorder.interrupted:
            raise KeyboardInterrupt
        return value


def run(cfg: DictConfig, folder: Path, choices: Any) -> float | None:
    """Compute a job's results in a folder. Returns the main metric."""
    return Job(cfg, folder, choices).run()


@contextmanager
def _limits_in_words(services: Services) -> Iterator[None]:
    """What PyTorch says of too many or too small images, said as a mistake in the settings."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        tried = services.micro_batch(services.recorder.batch or 1)
        raise UserError(
            f"out of GPU memory with {tried} images per forward pass; "
            f"set micro_batch={max(1, tried // 2)}, or a smaller size"
        ) from error
    except RuntimeError as error:
        if "Kernel size can't be greater than actual input" in str(error):
            layer = services.cfg.layer
            raise UserError(f"size={services.size} is too small for layer={layer}") from error
        raise


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
    _resolved(cfg)


def _resolved(cfg: DictConfig) -> dict[str, Any]:
    """The configuration as plain values. Errors: UserError when it has none for a key."""
    try:
        plain: Any = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise UserError(str(error).splitlines()[0]) from error
    return plain


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


def earlier_start(cfg: DictConfig, folder: Path) -> dict[str, Any]:
    """run.json of an earlier start of this job in this folder, or {}.

    Errors: UserError when the folder holds another job, or a sweep.
    """
    path = folder / "run.json"
    if (folder / "multirun.yaml").is_file():
        raise UserError(f"'{shown(folder)}' holds a sweep; choose another hydra.run.dir")
    if not path.is_file():
        return {}
    before = read_json(path)
    if before.get("config_hash") == config_hash(cfg):
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
    own = _resolved(cfg)
    keys = sorted(k for k in own if k not in _APART and own[k] != stored.get(k))
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


def print_layers(cfg: DictConfig, overrides: list[str]) -> None:
    """The table of visprior-layers."""
    for typed in useless(typed_keys(overrides), {"net", "size", "trust"}, cfg):
        log.warning("%s does nothing in visprior-layers", typed.words)
    size: Any = OmegaConf.to_container(cfg.size) if OmegaConf.is_config(cfg.size) else cfg.size
    print(layer_table(build(cfg.net, cfg.trust), size))
