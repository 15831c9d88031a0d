"""One job: from a composed configuration to results in a folder."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig, OmegaConf

from visprior.config.build import build
from visprior.config.objects import Objects
from visprior.config.trusted import reading_in
from visprior.errors import RunFailed, UserError, one_line, shown
from visprior.files.lock import locked
from visprior.files.whole import read_json
from visprior.job.driver import Driver
from visprior.job.identity import (
    check_keys,
    config_hash,
    earlier_start,
    of_sweep,
    stored_settings,
    with_trust,
    with_weights,
)
from visprior.job.typed_keys import ALWAYS, typed_keys, useless
from visprior.loop.problem import Solution
from visprior.record.images import Batch, ImageResult
from visprior.record.recorder import Recorder
from visprior.record.run_file import Notes, RunFile, say_once
from visprior.record.watch import ProgressWatch
from visprior.task.job import Job, saying_who_chose_it
from visprior.task.preimages import Preimages

log = logging.getLogger("visprior")


class Solved(NamedTuple):
    """What the loop has left, whose images they are, and what is known of each."""

    solution: Solution
    batch: Batch
    images: list[ImageResult]


class Run:
    """One job: it can be checked while there is no folder for it yet, and is run in one.

    choices: what each group of the configuration chose. objects: see Objects.

    Raises:
        UserError: the configuration is none, or the folder holds another job.
    """

    def __init__(
        self, cfg: DictConfig, folder: Path, choices: Any, objects: Objects | None = None
    ) -> None:
        self.cwd, typed = Path.cwd(), cfg.trust or ()
        if cfg.resume:
            cfg, self.cwd = stored_settings(folder, typed)
        check_keys(cfg)
        self.before = earlier_start(cfg, folder)
        settled = self.before if self.before.get("weights") else of_sweep(folder, cfg)
        self.weights_asked, self.digest = cfg.net.get("weights"), config_hash(cfg)
        self.cfg, self.folder = with_trust(with_weights(cfg, settled), typed), folder
        self.names = self.before.get("parts") or {k: choices.get(k) for k in ("task", "net")}
        self.why_random = str(settled.get("why_random") or "")
        self.notes = Notes()
        self.objects = objects
        self.driver: Driver | None = None

    def check(self) -> None:
        """Everything that comes before the first step; nothing is written, nothing done twice."""
        if self.driver is not None or self.before.get("status") == "finished":
            return
        with reading_in(self.cwd):  # the paths of the stored settings were typed there
            self.job = Job(self.cfg, self.folder, self.names, self.notes, None, self.objects)
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

    def run(self, keep: Callable[[], None] | None = None) -> float | None:
        """The results in the folder; go on with what is there. Returns the main metric.

        keep: writes the settings, once the folder is this process's.

        Raises:
            UserError: another process works there, or has in the meantime.
        """
        if self.before.get("status") == "finished":
            log.info("already finished: %s", shown(self.folder))
            return (self.before.get("main") or {}).get("value")
        with locked(self.folder):
            file = self.folder / "run.json"
            if self.before != (read_json(file) if file.is_file() else {}):
                words = "another command has run there meanwhile; the same again goes on with it"
                raise UserError(f"'{shown(self.folder)}': {words}")
            if keep is not None:
                keep()
            with self._failing_in_file():
                self.check()
            return self._computed()

    def _computed(self) -> float | None:
        """The same in a folder that is this process's."""
        assert self.driver is not None
        run = self.driver.recorder.run
        try:
            with run.running():
                self._say_what_is_useless(run.fields["overrides"])
                run.write()  # whoever resumes this run takes the same weights
                with reading_in(self.cwd), _limits_in_words(self.job):
                    value = self.driver.run()
                run.finish(str(self.job.device), self.driver.interrupted)
        finally:
            self.job.bar.close()
        if self.notes.failures:
            raise RunFailed("; ".join(f"{k}: {v}" for k, v in self.notes.failures.items()))
        if self.driver.interrupted:
            raise KeyboardInterrupt
        return value

    def solve(self, overrides: list[str]) -> Solved | None:
        """The pre-images of a task that is one problem; nothing is written.

        None of another task, which needs a folder: see run. overrides: the settings as typed.
        """
        self.check()
        assert self.driver is not None
        if not isinstance(self.driver.task, Preimages):
            return None
        self._say_what_is_useless(overrides)
        loop, measure = self.driver.loop, self.driver.task.measure
        watch = ProgressWatch(loop.images.problem, self.job.bar, 0, self.cfg.record.every)
        try:
            with reading_in(self.cwd), _limits_in_words(self.job):
                solution = loop.solve(watch)
                if solution.interrupted:
                    raise KeyboardInterrupt
                return Solved(solution, loop.images.batch, measure(solution) if measure else [])
        finally:
            self.job.bar.close()

    @property
    def solution(self) -> Solution | None:
        """What the loop has left, of a task that is one problem and ran in this process."""
        one = self.driver is not None and isinstance(self.driver.task, Preimages)
        return self.driver.loop.solution if self.driver and one else None

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
    except MemoryError as error:
        raise UserError(f"out of memory: {one_line(error) or 'a smaller size helps'}") from error
    except RuntimeError as error:
        if "DefaultCPUAllocator" in str(error):
            hint = "a smaller size, net, or number of images helps"
            raise UserError(f"out of memory; {hint}") from error
        if "Kernel size can't be greater than actual input" in str(error):
            layer = job.cfg.layer
            raise UserError(f"size={job.size} is too small for layer={layer}") from error
        raise
