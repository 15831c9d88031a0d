"""One job: from a composed configuration to results in a folder."""

import logging
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from visprior.config.build import build
from visprior.errors import RunFailed, UserError, shown
from visprior.job.driver import Driver
from visprior.job.identity import (
    check_keys,
    config_hash,
    earlier_start,
    of_sweep,
    stored_settings,
    with_weights,
)
from visprior.job.typed_keys import ALWAYS, typed_keys, useless
from visprior.record.recorder import Recorder
from visprior.record.run_file import Notes, RunFile, say_once
from visprior.task.job import Job, saying_who_chose_it

log = logging.getLogger("visprior")


class Run:
    """One job: it can be checked while there is no folder for it yet, and is run in one.

    choices: what each group of the configuration chose.

    Raises:
        UserError: the configuration is none, or the folder holds another job.
    """

    def __init__(self, cfg: DictConfig, folder: Path, choices: Any) -> None:
        self.cwd = Path.cwd()
        if cfg.resume:
            cfg, self.cwd = stored_settings(folder)
        check_keys(cfg)
        self.before = earlier_start(cfg, folder)
        settled = self.before if self.before.get("weights") else of_sweep(folder, cfg)
        self.weights_asked, self.digest = cfg.net.get("weights"), config_hash(cfg)
        self.cfg, self.folder = with_weights(cfg, settled), folder
        self.names = self.before.get("parts") or {k: choices.get(k) for k in ("task", "net")}
        self.why_random = str(settled.get("why_random") or "")
        self.notes = Notes()
        self.driver: Driver | None = None

    def check(self) -> None:
        """Everything that comes before the first step; nothing is written, nothing done twice."""
        if self.driver is not None or self.before.get("status") == "finished":
            return
        with chdir(self.cwd):  # the paths of the stored settings were typed there
            self.job = Job(self.cfg, self.folder, self.names, self.notes)
            self.job.why_random, self.job.goes_on = self.why_random, bool(self.before)
            with _limits_in_words(self.job):
                self.task = build(self.cfg.task, self.cfg.trust)
                with saying_who_chose_it():
                    about = self.job.about()
                _say_weights(self.job)
                about |= {"config_hash": self.digest, "weights_asked": self.weights_asked}
                run = RunFile(self.folder, about, self.notes, bool(self.before))
                words = self.job.words, self.job.layer_words
                recorder = Recorder(run, self.cfg.record, *words, self.job.bar)
                self.driver = Driver(self.job, recorder, self.task.prepare(self.job))

    def run(self) -> float | None:
        """The results in the folder; go on with what is there. Returns the main metric."""
        if self.before.get("status") == "finished":
            log.info("already finished: %s", shown(self.folder))
            return (self.before.get("main") or {}).get("value")
        with self._failing_in_file():
            self.check()
        assert self.driver is not None
        run = self.driver.recorder.run
        try:
            with run.running():
                self._say_what_is_useless(run.fields["overrides"])
                run.write()  # whoever resumes this run takes the same weights
                with chdir(self.cwd), _limits_in_words(self.job):
                    value = self.driver.run()
                run.finish(str(self.job.device), self.driver.interrupted)
        finally:
            self.job.bar.close()
        if self.notes.failures:
            raise RunFailed("; ".join(f"{k}: {v}" for k, v in self.notes.failures.items()))
        if self.driver.interrupted:
            raise KeyboardInterrupt
        return value

    @contextmanager
    def _failing_in_file(self) -> Iterator[None]:
        """run.json also of a job of a sweep that cannot even begin."""
        if self.driver is not None:
            yield
            return
        about = {"parts": self.names, **self.names, "config_hash": self.digest}
        plain: Any = OmegaConf.to_container(self.cfg)
        about |= {key: plain[key] for key in ("layer", "device", "precision", "seed")}
        run = RunFile(self.folder, about, self.notes, bool(self.before))
        with run.running():
            yield

    def _say_what_is_useless(self, overrides: list[str]) -> None:
        """A warning for every key that was typed and does nothing; a user's task may not tell."""
        if not hasattr(self.task, "uses"):
            return
        uses = ALWAYS | self.task.uses(self.cfg)
        for typed in useless(typed_keys(overrides), uses, self.cfg):
            hint = getattr(self.task, "instead", {}).get(typed.key)
            why = f": {hint}" if hint else ""
            line = f"{typed.words} does nothing in task={self.job.task}{why}"
            say_once(line, logging.WARNING)
            self.notes.warnings.append(line)


def run(cfg: DictConfig, folder: Path, choices: Any) -> float | None:
    """Compute a job's results in a folder. Returns the main metric."""
    return Run(cfg, folder, choices).run()


def _say_weights(job: Job) -> None:
    """Say that the net's weights are random; a warning where that was not asked for."""
    line = f"{job.net.name} has random weights (net.seed={job.cfg.net.get('seed')})"
    if why := job.about()["why_random"]:
        line += f", for want of the trained ones: {why}; net.weights=FILE takes a copy of them"
        say_once(line, logging.WARNING)
        job.notes.warnings.append(line)
    elif job.net.random_weights:
        say_once(line)


@contextmanager
def _limits_in_words(job: Job) -> Iterator[None]:
    """What PyTorch says of too many or too small images, said as a mistake in the settings."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        tried = job.micro_batch(job.largest_batch)
        raise UserError(
            f"out of GPU memory with {tried} images per forward pass; "
            f"set micro_batch={max(1, tried // 2)}, or a smaller size"
        ) from error
    except RuntimeError as error:
        if "Kernel size can't be greater than actual input" in str(error):
            layer = job.cfg.layer
            raise UserError(f"size={job.size} is too small for layer={layer}") from error
        raise
