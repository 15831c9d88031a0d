"""Runs what a task has prepared, in a folder: the loop, its parts, or a pass without a loop."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from visprior.errors import UserError, shown
from visprior.files.inside import leaving
from visprior.files.whole import read_json
from visprior.loop import rescue
from visprior.loop.problem import Problem, Solution
from visprior.loop.solver import Solver
from visprior.record.images import ImageResult
from visprior.record.recorder import Recorder
from visprior.record.run_file import Notes, RunFile
from visprior.record.watch import ProgressWatch
from visprior.task.job import Job
from visprior.task.preimages import Done, Findings, Part, Parts, Pass, Preimages

log = logging.getLogger("visprior")

# Below so many pixels a forward pass, a second thread costs more than it gives.
_PIXELS_FOR_ONE_THREAD = 128 * 128


class Loop:
    """Pre-images in a folder, ready to be computed or to be gone on with.

    Whatever is wrong with their problem is found here, before anything is written.
    """

    def __init__(self, job: Job, recorder: Recorder, images: Preimages) -> None:
        self.recorder, self.images = recorder, images
        problem, labels = images.problem, images.batch.labels
        with few_threads(problem):
            self.solver = Solver(problem)
        if not recorder.has_state:
            say_what_is_lost(self.solver, job.notes)
        self.moment = recorder.moment(job.device) or self.solver.first
        say_what_is_rescued(self.solver, labels, job.notes)
        self.watch = recorder.watch(problem, labels, self.moment.step)
        self.solution: Solution | None = None

    def solve(self, watch: ProgressWatch) -> Solution:
        """Take the steps that are left; nothing is written but what `watch` writes."""
        watch.begin()
        with few_threads(self.images.problem):
            self.solution = self.solver.run(self.moment, watch)
        return self.solution

    def run(self) -> Solution:
        """Take the steps that are left, and write what there is to see and to keep."""
        problem, recorder = self.images.problem, self.recorder
        recorder.begin(problem)
        solution = self.solve(self.watch)
        if self.images.measure is not None:
            results = self.images.measure(solution)
            recorder.write(solution, self.images.batch, results, problem.objective.measure)
        elif solution.interrupted and solution.moment is not None:
            recorder.save(solution.moment)
        return solution


class Driver:
    """What a task has prepared, to be run in a folder.

    The first problem is prepared here, so that whatever is wrong is found before there is a folder.
    """

    def __init__(self, job: Job, recorder: Recorder, task: Preimages | Parts | Pass) -> None:
        self.job = job
        self.recorder = recorder
        self.task = task
        self.interrupted = False
        if isinstance(task, Preimages):
            self.loop = Loop(job, recorder, task)
        elif isinstance(task, Parts) and task.steps:
            self.first = PartRun(job, recorder, next(task.each))

    def run(self) -> float:
        """Compute and write everything; returns the main metric."""
        if isinstance(self.task, Preimages):
            solution = self.loop.run()
            self.interrupted = solution.interrupted
            failed = {self.task.batch.labels[b]: why for b, why in solution.failures.items()}
            self.job.notes.failures |= failed
            value = self.recorder.run.fields["main"]["value"]
            return float("nan") if value is None else float(value)
        if isinstance(self.task, Parts):
            return self._write(self._all_parts(self.task))
        return self._write(self.task.run())

    def _all_parts(self, parts: Parts) -> Findings:
        """Part by part, until the task has found what it looks for."""
        self.recorder.bar.total = parts.steps
        self.recorder.announce(parts.words, self.job.device)
        part = self.first if parts.steps else None
        try:
            while True:
                done = part.run() if part else None
                self.interrupted = done is not None and done.interrupted
                asked = parts.each.send(done)  # pyright: ignore[reportArgumentType]
                part = PartRun(self.job, self.recorder, asked)
        except StopIteration as end:
            return end.value

    def _write(self, findings: Findings) -> float:
        value = self.recorder.write_findings(findings.main, findings.summary, findings.images)
        findings.pages()
        self.recorder.say(findings.line, findings.file)
        return value


class PartRun:
    """A part of a run, in its own folder; prepared here unless an earlier start has finished it."""

    def __init__(self, job: Job, recorder: Recorder, part: Part) -> None:
        self.part = part
        folder = recorder.folder / part.folder
        self.job = job.with_keys(part.keys, folder, part.task)
        self.recorder = _recorder_of(self.job, recorder, part)
        self.job.goes_on = self.recorder.run.goes_on
        self.loop: Loop | None = None
        left = not part.kept or (folder / part.kept).is_file()
        if not (self.recorder.run.finished and left):
            self.loop = Loop(self.job, self.recorder, part.prepare(self.job))

    def run(self) -> Done:
        """Compute it, or take what there is."""
        run, bar = self.recorder.run, self.job.bar
        interrupted, steps, failures = False, run.steps or 0, self.job.notes.failures
        if self.loop is None:
            bar.pass_over(self.part.steps)
        else:
            with run.running():
                solution = self.loop.run()
                interrupted, steps = solution.interrupted, solution.steps
                labels = self.loop.images.batch.labels
                failures |= {labels[b]: why for b, why in solution.failures.items()}
                if self.part.kept and self.loop.images.keep and not interrupted:
                    self.recorder.keep(self.part.kept, self.loop.images.keep(solution))
                    bar.pass_over(self.part.steps - steps)
                run.finish(str(self.job.device), interrupted)
        kept = self.recorder.kept(self.part.kept) if self.part.kept and not interrupted else {}
        seconds = run.seconds_before if self.loop is None else run.seconds
        images = self._images()
        return Done(self.job, images, kept, failures, interrupted, steps, seconds)

    def _images(self) -> list[ImageResult]:
        """What metrics.json says of the images, where there is one."""
        file = self.recorder.folder / "metrics.json"
        rows = read_json(file)["images"] if file.is_file() else []
        for row in rows:
            for name in leaving(file.parent, row).values():
                raise UserError(f"'{shown(file)}' names a picture outside its folder: {name}")
        return [ImageResult.of_row(row) for row in rows]


def _recorder_of(job: Job, whole: Recorder, part: Part) -> Recorder:
    """The recorder of a part, which goes on with what an earlier start of the run has left."""
    digest = f"{whole.run.fields['config_hash']}/{part.folder}"
    file = job.folder / "run.json"
    before = read_json(file) if file.is_file() else {}
    about = {**job.about(), "config_hash": digest}
    run = RunFile(job.folder, about, job.notes, before.get("config_hash") == digest)
    return Recorder(run, job.cfg.record, job.words, job.layer_words, whole.bar, is_part=True)


@contextmanager
def few_threads(problem: Problem) -> Iterator[None]:
    """One thread for small images on a CPU: waiting for a second one takes longer than it works."""
    before = torch.get_num_threads()
    images = min(problem.images_at_once, problem.batch)
    pixels = images * problem.size[0] * problem.size[1]
    if problem.device.type == "cpu" and pixels <= _PIXELS_FOR_ONE_THREAD:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def say_what_is_lost(solver: Solver, notes: Notes) -> None:
    """A warning where the parametrization's bound cannot show the start."""
    param = solver.problem.param
    if solver.lost:
        what = f"{100 * solver.lost:.2g} % of the start's values were outside"
        ends = "..".join(f"{end:g}" for end in param.range or ())
        notes.warn(f"{what} {ends}, which param.bound={param.bound} keeps to, and were moved")


def say_what_is_rescued(solver: Solver, labels: list[str], notes: Notes) -> None:
    """Which starts have no gradient, and what is done about it."""
    if any(solver.flat):
        way = "it may stay as it is; another one, e.g. task.start=noise, has one"
        notes.warn(f"{_some(labels, solver.flat)}: the start has no gradient at all; {way}")
    if any(solver.dead):
        log.warning(
            "%s: the start has no gradient (a dead ReLU); it is sent through ReLU for %d steps",
            _some(labels, solver.dead),
            rescue.STEPS,
        )


def _some(labels: list[str], which: list[bool]) -> str:
    """The names of these images, eight at most."""
    names = [label for label, w in zip(labels, which, strict=True) if w]
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
