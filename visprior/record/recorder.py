"""The folder of one run: states to go on from, snapshots, pictures, curves and metrics."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from visprior.errors import shown
from visprior.files.tensors import digest_path, load_state, save_state
from visprior.files.whole import read_json, write_json
from visprior.loop.gradient import measure
from visprior.loop.problem import Moment, Problem, Solution
from visprior.loop.solver import Solver
from visprior.record.images import Batch, ImageResult
from visprior.record.moment_file import load_moment, save_moment
from visprior.record.results import write_curves, write_images, write_metrics, write_sheet
from visprior.record.run_file import RunFile
from visprior.record.watch import Bar, SavingWatch
from visprior.render.captions import short
from visprior.render.picture import as_saved, save_png, to_bytes

log = logging.getLogger("visprior")


class Recorder:
    """Writes what a run leaves behind, each file whole or not at all.

    settings: the keys of `record`. words, layer: the run in titles, 'inversion with vgg19' of
    'relu3_2 (middle)'.
    is_part: of a larger run, which has the bar and says what there is to say.
    """

    def __init__(
        self,
        run: RunFile,
        settings: DictConfig,
        words: str,
        layer: str,
        bar: Bar,
        is_part: bool = False,
    ) -> None:
        self.run = run
        self.folder = run.folder
        self.settings = settings
        self.words, self.layer = words, layer
        self.bar = bar
        self.is_part = is_part
        # A part, or one job of many, says less.
        self.quiet = is_part or (self.folder.parent / "multirun.yaml").is_file()
        self._state = self.folder / "state.safetensors"

    def announce(self, what: str, device: torch.device) -> None:
        """'inversion with vgg19, layer=relu2_2: 1 image of 224 x 224, 350 steps, on cpu'."""
        if not self.quiet:
            log.info("%s, layer=%s: %s, on %s", self.words, self.layer, what, device)

    def begin(self, problem: Problem) -> None:
        """Say what is computed; note the stages and the effective coefficients of this run."""
        n, (height, width) = problem.batch, problem.size
        images = f"{n} image{'s' if n > 1 else ''} of {height} x {width}"
        self.announce(f"{images}, {problem.steps} steps", problem.device)
        self.run.write(
            stages=_stages(problem),
            micro_batch=problem.images_at_once,
            device=str(problem.device),
        )

    def watch(self, problem: Problem, labels: list[str], done: int) -> SavingWatch:
        """What looks on while the loop runs, `done` of whose steps an earlier start has taken.

        Raises:
            UserError: a key of `record` is out of range.
        """

        def snapshot(m: Moment, solver: Solver) -> None:
            self._snapshot(m, solver, labels)

        return SavingWatch(problem, self.bar, done, self.settings, self.save, snapshot)

    def save(self, moment: Moment) -> None:
        """state.safetensors: all that is needed to go on with the same bits; none before a step."""
        if moment.step:
            save_moment(self._state, moment)
        self.run.write()

    @property
    def has_state(self) -> bool:
        """Whether an earlier start of this run has saved where it stood."""
        return self.run.goes_on and self._state.is_file()

    def moment(self, device: torch.device) -> Moment | None:
        """Where an earlier start of this run has stopped, if there is one."""
        if not self.has_state:
            return None
        moment = load_moment(self._state, device)
        log.info("going on after step %s", moment.step)
        return moment

    def _snapshot(self, m: Moment, solver: Solver, labels: list[str]) -> None:
        """Pictures of a step, and in snapshots/metrics.json the measure of each as it is saved."""
        folder = self.folder / "snapshots"
        folder.mkdir(exist_ok=True)
        saved = as_saved(solver.solution(m).x, self.settings.stretch)
        for label, x in zip(labels, saved, strict=True):
            name = f"step{m.step:05d}" + (f"_{label}" if len(labels) > 1 else "")
            save_png(folder / f"{name}.png", to_bytes(x)[0])
        p = solver.problem
        values = measure(p.objective, p.features, saved, p.images_at_once).tolist()
        path = folder / "metrics.json"
        known = read_json(path) if path.is_file() else {}
        known[str(m.step)] = {
            label: {p.objective.measure: value} for label, value in zip(labels, values, strict=True)
        }
        write_json(path, known)

    def write(
        self, solution: Solution, batch: Batch, images: Sequence[ImageResult], main: str
    ) -> float:
        """Pictures, curves and metrics of a run of the loop.

        Returns the mean of the main metric over the images that did not fail, or NaN.
        """
        if solution.interrupted and solution.moment is not None:
            self.save(solution.moment)  # first, should the user lose patience
        images = write_images(self.folder, solution, batch, images, self.settings.stretch)
        summary = write_metrics(self.folder, images, self.run.fields["weights"], batch)
        firsts = np.cumsum([s["steps"] for s in self.run.fields["stages"][:-1]]).tolist()
        write_curves(self.folder, solution, images, firsts)
        if not self.is_part:
            self.bar.close()
            if len(images) > 1:
                write_sheet(self.folder, images, main, f"{self.words}, {self.layer}")
            self._say(summary, main, solution, len(images))
        value = summary.get(main)
        self.run.write(
            main={"name": main, "value": value},
            steps=solution.steps,
            loop_seconds=solution.seconds,
        )
        return float("nan") if value is None else float(value)

    def write_findings(
        self, main: str, summary: dict[str, Any], images: Sequence[ImageResult]
    ) -> float:
        """metrics.json of a task that has its own summary; returns the main metric."""
        self.bar.close()
        weights = self.run.fields["weights"]
        rows = [image.row() for image in images]
        metrics = {"summary": summary, "images": rows, "weights": weights}
        write_json(self.folder / "metrics.json", metrics)
        self.run.write(main={"name": main, "value": summary[main]})
        return float(summary[main])

    def keep(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Tensors that what follows needs; the state of the loop has served then."""
        save_state(self.folder / name, tensors, {})
        for path in (self._state, digest_path(self._state)):
            path.unlink(missing_ok=True)

    def kept(self, name: str) -> dict[str, Tensor]:
        """What `keep` has written, on the CPU."""
        return load_state(self.folder / name)[0]

    def _say(self, summary: dict[str, Any], main: str, solution: Solution, count: int) -> None:
        parts = [f"{main} {short(summary.get(main))}"]
        if summary.get("ssim") is not None:
            parts.append(f"SSIM {summary['ssim']:.3f}")
        if (summary.get("clipped") or 0) > 0.001:
            parts.append(f"{100 * summary['clipped']:.1f} % of values clipped to 0..255")
        picture = "preimage.png" if count == 1 else "index.html"
        if count == 1 and (self.folder / "comparison.png").is_file():
            picture = "comparison.png"
        where = "" if self.quiet else f": {shown(self.folder / picture)}"
        seconds = f"{solution.seconds:.{1 if solution.seconds < 10 else 0}f}"
        log.info("%s; %d steps in %s s%s", ", ".join(parts), solution.steps, seconds, where)

    def say(self, line: str, file: Path) -> None:
        """One line on what was done, and where to look."""
        log.info("%s%s", line, "" if self.quiet else f": {shown(file)}")


def _stages(problem: Problem) -> list[dict[str, Any]]:
    """Of each stage what run.json says: steps, canvas, precision, effective coefficients."""
    found = []
    for stage, first in zip(problem.stages, problem.firsts, strict=True):
        t, canvas = problem.progress(first), problem.canvas(stage)
        like = torch.zeros(1, dtype=torch.float64)
        factors = {k: r.coefficient(canvas, t, like) for k, r in problem.active(stage).items()}
        found.append(
            {
                "steps": stage.steps,
                "canvas": canvas,
                "precision": stage.precision or problem.precision,
                "regularizers": list(factors),
                "coefficients": {k: v for k, v in factors.items() if v is not None},
            }
        )
    return found
