"""A Hydra callback that tells the command line where a sweep writes."""

from pathlib import Path

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

started: list[Path] = []


class SweepFolder(Callback):
    """Remember a sweep's folder, so that its report is made also when jobs failed.

    Hydra 1.3 does not call on_multirun_end after a failed job, so visprior.cli makes the report.
    """

    def on_multirun_start(self, config: DictConfig, **kwargs) -> None:
        started.append(Path(config.hydra.sweep.dir))
