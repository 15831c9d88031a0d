"""How far long work is: a bar on a terminal or in a notebook, elsewhere lines in a log."""

import logging
import sys
import time
from types import TracebackType
from typing import Any

from tqdm.auto import tqdm

log = logging.getLogger("visprior")

SECONDS = 30.0  # between two lines


class Meter:
    """Counts what is done of `total`.

    unit: what is counted, in the singular. title: what is done, where the lines before do not say.
    done: how much an earlier start has done, which says nothing of how fast it goes.
    """

    def __init__(self, total: int, unit: str, title: str = "", done: int = 0) -> None:
        self.total, self.unit, self.title, self.done = total, unit, title, done
        self.seen = sys.stderr.isatty() or in_notebook()  # somebody looks at a bar
        self._given = done  # of `done`, what took no time here
        self._begun = self._said = time.monotonic()
        self._bar = tqdm(
            total=total,
            initial=done,
            desc=title or None,
            unit=unit,
            disable=not self.seen,
            dynamic_ncols=True,
            leave=False,
        )

    def __enter__(self) -> "Meter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def due(self) -> bool:
        """Whether a line in the log should be written."""
        return not self.seen and time.monotonic() - self._said >= SECONDS

    def add(self, count: int, words: str = "") -> None:
        """So many more are done; words: what else there is to say."""
        self.done += count
        if words:
            self._bar.set_postfix_str(words, refresh=False)
        self._bar.update(count)
        if self.due:
            self._said = time.monotonic()
            title = f"{self.title}: " if self.title else ""
            parts = [f"{title}{self.unit} {self.done} of {self.total}", words, self._left()]
            log.info(", ".join(part for part in parts if part))

    def skip(self, count: int) -> None:
        """So many need not be done."""
        self.done += count
        self._given += count
        self._bar.update(count)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()

    def _left(self) -> str:
        """'40 s left', as fast as it went so far."""
        timed = self.done - self._given
        if timed < 1:
            return ""
        each = (time.monotonic() - self._begun) / timed
        return f"{duration(each * max(0, self.total - self.done))} left"


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this, which shows a bar though stderr is no terminal."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    return shell is not None and "IPKernelApp" in shell.config


def duration(seconds: float) -> str:
    """'40 s', '12 min', '3 h 20 min'."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
