"""visprior: one job, or a sweep. Nothing here imports torch: --help and --cfg answer at once."""

import logging
import os
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from visprior.command import sweep_folder
from visprior.command.arguments import prepare
from visprior.command.ending import guarded, job_failed, wants_traceback
from visprior.command.first_check import run_job
from visprior.command.layers import layers_of_figure
from visprior.command.report import report_on
from visprior.command.stopping import exit_code
from visprior.config.loading import CheckedLoader, loading_by
from visprior.config.schema import config_dir, register
from visprior.config.typed import Words

register()
OmegaConf.register_new_resolver("figure_layers", layers_of_figure, replace=True)
log = logging.getLogger("visprior")


@hydra.main(version_base="1.3", config_path=config_dir(), config_name="config")
def _job(cfg: DictConfig) -> float | None:
    """One job: its main metric, NaN when it failed; the reason is said here and in run.json.

    Only sweepers that learn from failures (Optuna) get the exception: Hydra's own would print the
    first one again and stop at max_batch_size.
    """
    hydra_cfg = HydraConfig.get()
    folder = Path(hydra_cfg.runtime.output_dir)
    in_sweep = hydra_cfg.mode == RunMode.MULTIRUN
    if in_sweep:
        log.info(sweep_folder.headline(int(hydra_cfg.job.num), list(hydra_cfg.overrides.task)))
    try:
        return run_job(cfg, folder)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(folder) from None
    except Exception as error:
        if wants_traceback or (in_sweep and hydra_cfg.runtime.choices["hydra/sweeper"] != "basic"):
            raise
        job_failed(error, folder, in_sweep)
        return float("nan")


def _prepared() -> None:
    Words().begin(sys.argv[1:])
    prepare()
    with loading_by(CheckedLoader):
        _job()


def compute() -> None:
    """visprior: compute pre-images, or a sweep of them with its report."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises, and guarded() words the error
    logging.raiseExceptions = False  # a log on a full disk must not print tracebacks
    sweep_folder.forget()
    code = 1
    try:
        code = guarded(_prepared)
    finally:  # also after a bug or Ctrl-C: the jobs that did finish have their report
        for folder in filter(_has_runs, sweep_folder.started):
            quiet = code == exit_code()
            code = max(code, guarded(lambda f=folder, q=quiet: report_on(f, q)))
    sys.exit(code)


def _has_runs(folder: Path) -> bool:
    return any(folder.glob("*/run.json")) or any(folder.glob("*/.hydra"))
