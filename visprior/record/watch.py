"""What looks on while the loop runs: the bar, snapshots and saved states."""

import sys
import time
from collections.abc import Callable

from tqdm import tqdm

from visprior.errors import UserError
from visprior.moment import Moment
from visprior.solver import Solver


class Bar:
    """One bar over a run of one or several parts."""

    def __init__(self) -> None:
        self.total: int | None = None  # steps of all parts; None: there is one part
        self._over = 0  # steps that were passed over before the bar began
        self._bar: tqdm | None = None
        self._part = 0  # steps of the current part that are shown

    def begin(self, steps: int, done: int) -> None:
        """A part begins, `done` of its steps are done already."""
        if self._bar is None:
            self._bar = tqdm(
                total=self.total or steps,
                initial=self._over + done,
                disable=not sys.stderr.isatty(),
                unit="step",
                dynamic_ncols=True,
                leave=False,
            )
        elif done:
            self._bar.update(done)
        self._part = done

    def pass_over(self, steps: int) -> None:
        """So many steps need not be taken, or were taken by an earlier start."""
        if self._bar is None:
            self._over += steps
        else:
            self._bar.update(steps)

    @property
    def hidden(self) -> bool:
        """Nobody looks."""
        return self._bar is None or bool(self._bar.disable)

    def show(self, step: int, words: str) -> None:
        """The current part has done `step` steps."""
        if self._bar is not None:
            self._bar.set_postfix_str(words, refresh=False)
            self._bar.update(step - self._part)
            self._part = step

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


class LoopWatch:
    """Shows progress and saves moments; asks the device only every `every` steps."""

    def __init__(
        self,
        solver: Solver,
        done: int,
        every: int,
        save_seconds: float,
        snapshots: list[int],
        save: Callable[[Moment], None],
        snapshot: Callable[[Moment, Solver], None],
        bar: Bar,
    ) -> None:
        if every < 1:
            raise UserError(f"record.every must be >= 1, got {every}")
        if save_seconds < 0:
            raise UserError(f"record.save_seconds must be >= 0, got {save_seconds}")
        self.every = every
        self.save_seconds = save_seconds
        self.snapshots = set(snapshots)
        self.save = save
        self.snapshot = snapshot
        self.bar = bar
        self.steps, self.done = solver.steps, done

    def begin(self) -> None:
        """The loop starts."""
        self.saved = time.perf_counter()
        self.bar.begin(self.steps, self.done)

    def step(self, moment: Moment, seen: Solver) -> bool:
        """True when every image is frozen."""
        if moment.step in self.snapshots:
            self.snapshot(moment, seen)
        stop = False
        if moment.step % self.every == 0 or moment.step == seen.steps:
            self._show(moment, seen)
            stop = not bool(moment.alive.any())
        if time.perf_counter() - self.saved > self.save_seconds:
            self.save(moment)
            self.saved = time.perf_counter()
        return stop

    def _show(self, moment: Moment, seen: Solver) -> None:
        if self.bar.hidden:
            return
        last = moment.history[moment.step - 1].mean(1).tolist()
        values = dict(zip(seen.gradient.terms, last, strict=True))
        measure = seen.gradient.objective.measure
        energy = sum(v for k, v in values.items() if k != measure)
        self.bar.show(moment.step, f"energy {energy:.4g}, {measure} {values[measure]:.4g}")
