"""A Hydra callback that tells the command line what a sweep is: its folder, keys and size."""

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, ValueType
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from omegaconf.errors import InterpolationResolutionError

from visprior.command.first_check import Refused
from visprior.errors import UserError, shown
from visprior.files.whole import remove_leftovers

started: list[Path] = []
_swept: dict[str, int] = {}  # key -> how many values; empty in the processes of other launchers


class SweepFolder(Callback):
    """Remember a sweep's folder, so that its report is made also when jobs failed.

    Hydra 1.3 does not call on_multirun_end after a failed job, so command.compute makes the report.
    """

    def on_multirun_start(self, config: DictConfig, **kwargs) -> None:
        folder = Path(config.hydra.sweep.dir)
        if (folder / "run.json").is_file():
            holds = f"'{shown(folder)}' holds a single run; choose another hydra.sweep.dir"
            raise Refused(UserError(holds))
        started.append(folder)
        remove_leftovers(folder, within=False)  # each job sees to its own folder
        params = config.hydra.sweeper.get("params") or {}
        with suppress(InterpolationResolutionError):  # the sweeper will say why
            _remember([*(f"{k}={v}" for k, v in params.items()), *config.hydra.overrides.task])


def forget() -> None:
    """Before another sweep of the same process."""
    started.clear()
    _swept.clear()


def headline(number: int, overrides: Sequence[str]) -> str:
    """'[2/4] layer=relu1_1 seed=3': which job this is, by what differs between jobs."""
    total = f"/{math.prod(_swept.values())}" if _swept else ""
    differing = [o for o in overrides if o.split("=", 1)[0] in _swept] if _swept else overrides
    return f"[{number + 1}{total}] {' '.join(differing)}".rstrip()


def _remember(overrides: Iterable[str]) -> None:
    """Count the values of each swept key, unless only the sweeper can (globs, intervals)."""
    sizes = {}
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        if override.is_sweep_override():
            if not _countable(override):
                return
            sizes[override.get_key_element()] = sum(1 for _ in override.sweep_iterator())
        else:  # a single value on the command line replaces an experiment's list
            sizes.pop(override.get_key_element(), None)
    _swept.update(sizes)


def _countable(override: Override) -> bool:
    return override.is_discrete_sweep() and override.value_type != ValueType.GLOB_CHOICE_SWEEP
