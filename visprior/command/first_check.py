"""A Hydra callback that checks a job before Hydra makes its folder, and hands it to the run."""

import copy
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from visprior.command.stopping import leaving_at_once, stopped
from visprior.job.identity import earlier_start, keep_settings

if TYPE_CHECKING:
    from visprior.job.run import Run

log = logging.getLogger("visprior")
# By its folder: the job of this process that was checked, and what was said meanwhile.
_checked: dict[Path, tuple["Run", list[logging.LogRecord]]] = {}


class Refused(BaseException):
    """A job that cannot run, and what was said before that was found.

    No Exception: Hydra turns those of a callback into warnings and makes the folder all the same.
    """

    def __init__(self, error: Exception, said: Sequence[logging.LogRecord] = ()) -> None:
        super().__init__(error)
        self.error = error
        self.said = said


class FirstCheck(Callback):
    """Does all that comes before the first step; no folder is made for a job that stops there.

    Of a single run: a sweep keeps the folders of its jobs, each with the reason why it failed.
    """

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        _checked.clear()
        folder = Path(config.hydra.run.dir).absolute()
        held = _Held()
        before = HydraConfig.instance().cfg
        try:
            with held:
                _tell_hydra(config, folder)
                job = _job_of(_without_hydra(config), folder)
                job.check()
        except Exception as error:
            if stopped():
                raise KeyboardInterrupt from None
            raise Refused(error, held.records) from error
        finally:
            HydraConfig.instance().cfg = before
        if stopped():
            raise KeyboardInterrupt
        _checked[folder.resolve()] = job, held.records


def run_job(cfg: DictConfig, folder: Path) -> float | None:
    """Run the job that was checked in this process, or one of a sweep, which checks itself.

    Its settings are kept in .hydra/. Returns the main metric.

    Raises:
        UserError: the folder holds another job, or another process works there; the configuration
            is none.
    """
    about = HydraConfig.instance().cfg
    if folder.resolve() not in _checked:
        earlier_start(cfg, folder)  # another job's settings must not be written over
        keep_settings(folder, cfg, about)
        return _job_of(cfg, folder).run()
    job, said = _checked.pop(folder.resolve())
    for record in said:
        log.handle(record)
    return job.run(None if cfg.resume else lambda: keep_settings(folder, cfg, about))


def _job_of(cfg: DictConfig, folder: Path) -> "Run":
    """The job of a composed configuration."""
    hydra_cfg = HydraConfig.get()
    with leaving_at_once():
        from visprior.job.run import Run

    return Run(cfg, folder, OmegaConf.to_container(hydra_cfg.runtime.choices))


class _Held(logging.Handler):
    """Holds back what is logged until there is a log to write it to."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def __enter__(self) -> "_Held":
        self.level_before, self.propagated = log.level, log.propagate
        log.setLevel(logging.INFO)
        log.propagate = False
        log.addHandler(self)
        return self

    def __exit__(self, *error: object) -> None:
        log.removeHandler(self)
        log.setLevel(self.level_before)
        log.propagate = self.propagated


def _tell_hydra(config: DictConfig, folder: Path) -> None:
    """What the configuration may ask Hydra for, as Hydra itself sets it a moment later."""
    with read_write(config.hydra.runtime), open_dict(config.hydra.runtime):
        config.hydra.runtime.output_dir = str(folder)
    HydraConfig.instance().set_config(config)


def _without_hydra(config: DictConfig) -> DictConfig:
    cfg = copy.deepcopy(config)
    with read_write(cfg), open_dict(cfg):
        del cfg["hydra"]
    return cfg
