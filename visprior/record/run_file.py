"""run.json: what a run is, how far it has come and how it ended."""

import logging
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from visprior import __version__
from visprior.errors import one_line, storage_line
from visprior.files.whole import overwrite_json, read_json, write_json

log = logging.getLogger("visprior")


@cache
def say_once(line: str, level: int = logging.INFO) -> None:
    """Say something only once, not again for every job of a sweep or batch of a book."""
    log.log(level, line)


class Notes:
    """What the user should know of a run: warnings, and what failed, with the reason."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.failures: dict[str, str] = {}

    def warn(self, line: str) -> None:
        """Say something, and keep it for run.json."""
        log.warning(line)
        self.warnings.append(line)

    def leave_out(self, name: str, why: str) -> None:
        """A picture is passed over; the others are computed, and the run counts as failed."""
        self.warn(f"{why}; it is left out")
        self.failures[name] = why


class RunFile:
    """run.json of one folder, there from before the first step until after the last.

    about: what is known from the start (parts, task, net, layer, seed, config_hash, ...). goes_on:
    whether an earlier start of the same run has left one.
    """

    def __init__(self, folder: Path, about: dict[str, Any], notes: Notes, goes_on: bool) -> None:
        self.folder = folder
        self.notes = notes
        self.goes_on = goes_on
        before = read_json(folder / "run.json") if goes_on else {}
        self.finished = before.get("status") == "finished"
        self.steps: int | None = before.get("steps")
        self.seconds_before = float(before.get("seconds") or 0.0)
        self._begun = time.perf_counter()
        self._ended = False  # and the file says how
        self.fields = {"status": "running", "reason": None, "weights": None, "why_random": ""}
        self.fields |= {"seconds": self.seconds_before, "overrides": [], "versions": _versions()}
        self.fields |= about

    @property
    def seconds(self) -> float:
        """How long the run has taken, earlier starts too."""
        return self.seconds_before + time.perf_counter() - self._begun

    def write(self, **fields: Any) -> None:
        """The file as it stands now, with these fields."""
        self.fields |= {**fields, "seconds": self.seconds, "warnings": self.notes.warnings}
        write_json(self.folder / "run.json", self.fields)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The file before anything is computed, and after whatever ends what is done within."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.write(overrides=self._typed())
            yield
        except BaseException as error:
            self._fail(error)
            raise

    def finish(self, device: str, interrupted: bool) -> None:
        """The last time: how the run ended."""
        failures = self.notes.failures
        status = "interrupted" if interrupted else "failed" if failures else "finished"
        reason = "; ".join(f"{name}: {why}" for name, why in failures.items()) or None
        self.write(status=status, reason=reason, device=device)
        self._ended = True

    def _typed(self) -> list[str]:
        """The settings as they were typed, interpolations too."""
        path = self.folder / ".hydra" / "overrides.yaml"
        plain: Any = OmegaConf.to_container(OmegaConf.load(path)) if path.is_file() else []
        return [str(word) for word in plain]

    def _fail(self, error: BaseException) -> None:
        """Of a run that ended with an error; a full disk must not hide the error."""
        if self._ended:
            return
        status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        reason = one_line(error) or type(error).__name__
        if isinstance(error, OSError):
            reason = storage_line(error)
        try:
            self.write(status=status, reason=reason)
        except OSError:
            try:
                overwrite_json(self.folder / "run.json", self.fields)
            except OSError:
                log.warning("run.json could not be written")


def _versions() -> dict[str, str]:
    names = ["torch", "torchvision", "numpy", "hydra-core", "scikit-image"]
    own = {"visprior": __version__, "python": platform.python_version()}
    return own | {n: version(n) for n in names}
