"""What looks on while the loop runs: progress, snapshots and saved states."""

import logging
import time
from collections.abc import Callable

from omegaconf import DictConfig

from visprior.errors import UserError, whole_number
from visprior.loop.problem import Moment, Problem
from visprior.loop.solver import Solver
from visprior.meter import Meter


class Bar:
    """One meter over a run of one or several parts."""

    def __init__(self) -> None:
        self.total: int | None = None  # steps of all parts; None: there is one part
        self._over = 0  # steps that were passed over before the meter began
        self._meter: Meter | None = None
        self._part = 0  # steps of the current part that are shown

    def begin(self, steps: int, done: int) -> None:
        """A part begins, `done` of its steps are done already."""
        if self._meter is None:
            self._meter = Meter(self.total or steps, "step", done=self._over + done)
        elif done:
            self._meter.skip(done)
        self._part = done

    def pass_over(self, steps: int) -> None:
        """So many steps need not be taken, or were taken by an earlier start."""
        if self._meter is None:
            self._over += steps
        else:
            self._meter.skip(steps)

    @property
    def hidden(self) -> bool:
        """Whether there is neither a bar on a terminal nor a line due in the log."""
        return self._meter is None or not (self._meter.seen or self._meter.due)

    @property
    def due(self) -> bool:
        """A line for the log is due."""
        return self._meter is not None and self._meter.due

    def show(self, step: int, words: str) -> None:
        """The current part has done `step` steps."""
        if self._meter is not None:
            self._meter.add(step - self._part, words)
            self._part = step

    def close(self) -> None:
        """Take the bar away."""
        if self._meter is not None:
            self._meter.close()


class ProgressWatch:
    """Shows progress; asks the device for the energies only every `every` steps.

    done: steps of an earlier start.
    """

    def __init__(self, problem: Problem, bar: Bar, done: int = 0, every: int = 10) -> None:
        self.every = whole_number("record.every", every, 1)
        self.problem, self.bar, self.done = problem, bar, done

    def begin(self) -> None:
        """The loop starts."""
        self.bar.begin(self.problem.steps, self.done)

    def step(self, moment: Moment, solver: Solver) -> bool:
        """True when every image is frozen."""
        asks = moment.step % self.every == 0 or moment.step == self.problem.steps
        if (asks or self.bar.due) and not self.bar.hidden:
            self._show(moment)
        return asks and not bool(moment.alive.any())

    def _show(self, moment: Moment) -> None:
        last = moment.history[-1].mean(1).tolist()
        values = dict(zip(self.problem.terms, last, strict=True))
        measure = self.problem.objective.measure
        energy = sum(v for k, v in values.items() if k != measure)
        self.bar.show(moment.step, f"energy {energy:.4g}, {measure} {values[measure]:.4g}")


class SavingWatch(ProgressWatch):
    """Shows progress, keeps snapshots, and saves the moment every `record.save_seconds`."""

    def __init__(
        self,
        problem: Problem,
        bar: Bar,
        done: int,
        settings: DictConfig,
        save: Callable[[Moment], None],
        snapshot: Callable[[Moment, Solver], None],
    ) -> None:
        super().__init__(problem, bar, done, settings.every)
        self.save_seconds = settings.save_seconds
        if self.save_seconds < 0:
            raise UserError(f"record.save_seconds must be >= 0, got {self.save_seconds}")
        asked = list(settings.snapshots)
        self.snapshots = set(snapshot_steps(asked, problem.steps, problem.whole))
        self.save, self.snapshot = save, snapshot

    def begin(self) -> None:
        """The loop starts."""
        self.saved = time.perf_counter()
        super().begin()

    def step(self, moment: Moment, solver: Solver) -> bool:
        """True when every image is frozen."""
        if moment.step in self.snapshots:
            self.snapshot(moment, solver)
        stop = super().step(moment, solver)
        if time.perf_counter() - self.saved > self.save_seconds:
            self.save(moment)
            self.saved = time.perf_counter()
        return stop


def snapshot_steps(asked: list[int], steps: int, whole: int) -> list[int]:
    """The steps after which pictures are kept, of a run of `steps`.

    Where a schedule of `whole` steps has been shortened so that the last one asked for is past the
    end, all move in proportion, and that is said.

    Raises:
        UserError: steps that even the whole schedule does not have.
    """
    for step in asked:
        if not 1 <= step <= max(steps, whole):
            raise UserError(f"record.snapshots: {step} is not among the {max(steps, whole)} steps")
    if max(asked, default=0) <= steps:
        return asked
    moved = [max(1, round(step * steps / whole)) for step in asked]
    words = f"record.snapshots: {asked} of {whole} steps are {moved} of {steps}"
    logging.getLogger("visprior").info(words)
    return moved
