"""What is measured on the solution of a problem: an ImageResult for each image.

Everything is of the picture as it is saved; only NAME_unclipped is of the float image.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

from visprior.loop.gradient import measure
from visprior.loop.problem import Problem, Solution
from visprior.metric.base import Metric, Subject
from visprior.net.representation import RANDOM
from visprior.record.images import Batch, ImageResult
from visprior.task.job import Job
from visprior.task.problem import own_settings


class Main(NamedTuple):
    """What a task is judged by, of a batch: error, activation or likeness, each (B,)."""

    saved: Tensor  # of the pictures as they are saved
    unclipped: Tensor  # of the float images that the loop has left


class Measures:
    """The objective's own measure and the job's metrics; called with a solution.

    Made before the problem: whatever is wrong with a metric's settings is found then.
    """

    def __init__(self, job: Job, batch: Batch) -> None:
        self.job = job
        self.batch = batch
        self.metrics = _metrics(job, batch)

    def of(self, problem: Problem) -> Callable[[Solution], list[ImageResult]]:
        """What measures the solution of a problem."""
        return lambda solution: self.results(problem, solution, self.main(problem, solution))

    def main(self, problem: Problem, solution: Solution) -> Main:
        """The objective's measure of the images and of their pictures."""
        return Main(
            self._measured(problem, self.job.saved(solution.x)), self._measured(problem, solution.x)
        )

    def _measured(self, problem: Problem, x: Tensor) -> Tensor:
        batch = self.job.micro_batch(len(x))
        return measure(problem.objective, problem.features, x, batch)

    def results(self, problem: Problem, solution: Solution, main: Main) -> list[ImageResult]:
        """All there is to say of each image but its files."""
        saved, name = self.job.saved(solution.x), problem.objective.measure
        columns: list[dict[str, Any]] = [
            {name: float(a), f"{name}_unclipped": float(b)}
            for a, b in zip(main.saved, main.unclipped, strict=True)
        ]
        self._say_what_is_lost(name, main)
        if solution.crop is not None:  # of octaves, which the network has seen in the run
            crops = self._measured(problem, self.job.saved(solution.crop))
            for column, value in zip(columns, crops.tolist(), strict=True):
                column[f"{name}_crop"] = value
        for metric in self.metrics:
            for column, more in zip(columns, metric.measure(saved, solution.x), strict=True):
                column |= more
        if self.job.net.weights == RANDOM:
            for column in columns:
                column["weights"] = RANDOM
        labels, seeds, settings = self.batch.labels, self.batch.seeds, own_settings(problem)
        status = ["failed" if b in solution.failures else "ok" for b in range(len(labels))]
        return [
            ImageResult(
                labels[b],
                seeds[b],
                status[b],
                solution.failures.get(b),
                columns[b],
                {},
                settings[b],
            )
            for b in range(len(labels))
        ]

    def _say_what_is_lost(self, name: str, main: Main) -> None:
        """A line where the pictures and the float images differ by more than a tenth."""
        how = "stretched" if self.job.cfg.record.stretch else "clipped"
        pairs = zip(self.batch.labels, main.saved.tolist(), main.unclipped.tolist(), strict=True)
        if line := what_is_lost(name, list(pairs), how):
            self.job.notes.warn(line)


def _metrics(job: Job, batch: Batch) -> list[Metric]:
    """The metrics that are for this task, prepared for the images of a batch."""
    subject = Subject(
        net=job.net,
        net_name=job.names["net"],
        size=job.size,
        device=job.device,
        dtype=job.dtype,
        images_at_once=job.micro_batch(len(batch.seeds)),
        pictures=batch.pictures,
        originals=batch.originals,
        classes=batch.classes,
        warn=job.notes.warn,
        trust=job.cfg.trust,
    )
    every = job.parts("metric").values()
    metrics = [metric for metric in every if not metric.tasks or job.task in metric.tasks]
    for metric in metrics:
        metric.prepare(subject)
    return metrics


def what_is_lost(name: str, pairs: list[tuple[str, float, float]], how: str) -> str:
    """'error 0.91 is of the picture as saved, clipped to 0..255 and rounded; it was 0.004 before'.

    pairs: what of each image, the measure of its picture and of the float image. '' where all of
    them differ by a tenth at most. how: clipped or stretched.
    """
    off = [(of, a, b) for of, a, b in pairs if abs(a - b) > 0.1 * abs(a)]
    if not off:
        return ""
    of, saved, unclipped = max(off, key=lambda one: abs(one[1] - one[2]))
    which = f"{len(off)} of {len(pairs)} images, {of} most: " if len(pairs) > 1 else ""
    said = f"of the picture as saved, {how} to 0..255 and rounded"
    return f"{which}{name} {saved:.3g} is {said}; it was {unclipped:.3g} before"
