"""The files of one run: run.json from the first second, pictures, curves and metrics at the end."""

import logging
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from visprior import __version__
from visprior.errors import one_line, shown, storage_line
from visprior.files.tensors import save_state
from visprior.files.whole import read_json, write_json
from visprior.loop.gradient import measure
from visprior.loop.problem import Moment, Problem, Solution
from visprior.loop.solver import Solver
from visprior.net.representation import RANDOM, Representation
from visprior.record.moment_file import load_moment, save_moment
from visprior.record.results import short, write_curves, write_results, write_sheet
from visprior.record.watch import Bar, LoopWatch, snapshot_steps
from visprior.render.picture import as_saved, save_png, to_bytes

log = logging.getLogger("visprior")


class Recorder:
    """Writes what a run leaves behind, each file whole or not at all."""

    def __init__(
        self, folder: Path, cfg: DictConfig, digest: str, parts: dict[str, str], goes_on: bool
    ) -> None:
        self.folder = folder
        self.cfg = cfg
        self.task = parts["task"]
        self.goes_on = goes_on
        self.layer_words = str(cfg.layer)
        self.batch = 0
        self.failures: dict[str, str] = {}
        self.warnings: list[str] = []
        self.interrupted = False
        self.keeps_tensors = False  # the images as they are, beside the pictures of them
        self.finished = False  # an earlier start has left nothing to do
        self.bar = Bar()
        self.is_part = False
        self._done = 0  # steps of an earlier start
        self.swept = (folder.parent / "multirun.yaml").is_file()  # one job of many says less
        self.begun = time.perf_counter()
        before = read_json(folder / "run.json") if goes_on else {}
        self.seconds_before = float(before.get("seconds") or 0.0)
        self.run: dict[str, Any] = {
            "status": "running",
            "reason": None,
            "parts": parts,
            "task": parts["task"],
            "net": parts["net"],
            "weights": None,
            "why_random": "",
            "layer": OmegaConf.to_container(cfg.layer) if _is_node(cfg.layer) else cfg.layer,
            "device": cfg.device,
            "precision": cfg.precision,
            "seed": cfg.seed,
            "seconds": self.seconds_before,
            "config_hash": digest,
            "overrides": [],
            "versions": _versions(),
        }

    def _overrides(self) -> list[str]:
        path = self.folder / ".hydra" / "overrides.yaml"
        return [str(o) for o in OmegaConf.load(path)] if path.is_file() else []

    def part(self, name: str, cfg: DictConfig) -> "Recorder":
        """A part of this run, which has a folder, pictures and a state of its own.

        What an earlier start of this run has left there is gone on with.
        """
        digest = f"{self.run['config_hash']}/{name}"
        path = self.folder / name / "run.json"
        before = read_json(path) if path.is_file() else {}
        goes_on = before.get("config_hash") == digest
        part = Recorder(path.parent, cfg, digest, self.run["parts"], goes_on)
        part.finished = goes_on and before.get("status") == "finished"
        part.is_part, part.bar, part.swept = True, self.bar, True
        return part

    def warn(self, line: str) -> None:
        """Say something that the user should know, and keep it in run.json."""
        log.warning(line)
        self.warnings.append(line)

    def leave_out(self, name: str, why: str) -> None:
        """A picture is passed over; the others are computed, and the run counts as failed."""
        self.warn(f"{why}; it is left out")
        self.failures[name] = why

    def know(self, net: Representation) -> None:
        """Note what the job's words come to: the layers' names, the weights (which may download).

        Errors: UserError for an unknown layer.
        """
        asked: Any = self.run["layer"]
        names = asked if isinstance(asked, list) else [asked]
        if asked != "all" and all(isinstance(name, str) for name in names):
            own = [net.resolved(name) for name in names]
            self.run |= {"layer": own if names is asked else own[0], "layer_asked": asked}
            self.layer_words = ", ".join(net.called(name) for name in names)
        self.run |= {"model": net.name, "weights": net.weights}
        self.run["why_random"] = net.why_random or self.run["why_random"]

    @property
    def random(self) -> bool:
        """Whether the net has random weights."""
        return self.run["weights"] == RANDOM

    @property
    def net_words(self) -> str:
        """The net as titles have it: 'vgg19 (random weights)'."""
        net = str(self.run["model"] if self.run["net"] == "torchvision" else self.run["net"])
        return f"{net} (random weights)" if self.random else net

    def mark(self, rows: list[dict[str, Any]]) -> None:
        """Note with each image that the weights were random: its captions have it from there."""
        for row in rows:
            row |= {"weights": RANDOM} if self.random else {}

    @contextmanager
    def running(self) -> Iterator[None]:
        """run.json before anything is computed, and of whatever ends what is done within."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.run["overrides"] = self._overrides()
        self.write_run()
        try:
            yield
        except BaseException as error:
            self._fail(error)
            raise

    @property
    def seconds(self) -> float:
        """How long the run has taken, earlier starts too."""
        return self.seconds_before + time.perf_counter() - self.begun

    def write_run(self) -> None:
        """run.json as it stands now."""
        self.run["seconds"] = self.seconds
        self.run["warnings"] = self.warnings
        write_json(self.folder / "run.json", self.run)

    def describe(self, problem: Problem) -> None:
        """Say what is computed; note the stages and the effective coefficients of this run."""
        n, (height, width) = problem.batch, problem.size
        images = f"{n} image{'s' if n > 1 else ''} of {height} x {width}"
        self.announce(f"{images}, {problem.steps} steps", problem.device)
        stages = []
        for stage, first in zip(problem.stages, problem.firsts, strict=True):
            t, canvas = problem.progress(first), problem.canvas(stage)
            like = torch.zeros(1, dtype=torch.float64)
            factors = {
                name: r.coefficient(canvas, t, like) for name, r in problem.active(stage).items()
            }
            stages.append(
                {
                    "steps": stage.steps,
                    "canvas": canvas,
                    "precision": stage.precision or problem.precision,
                    "regularizers": list(factors),
                    "coefficients": {k: v for k, v in factors.items() if v is not None},
                }
            )
        self.run |= {"stages": stages, "micro_batch": problem.images_at_once}
        self.run["device"] = str(problem.device)
        self.write_run()

    def announce(self, what: str, device: torch.device) -> None:
        """'inversion with vgg19, layer=relu2_2: 1 image of 224 x 224, 350 steps, on cpu'."""
        if not self.swept:
            where = f"{self.task} with {self.net_words}, layer={self.layer_words}"
            log.info("%s: %s, on %s", where, what, device)

    def watch(self, problem: Problem, labels: list[str]) -> LoopWatch:
        """What looks on while the loop runs. Errors: UserError for keys of `record`."""
        self.batch = len(labels)
        self.labels = labels
        record = self.cfg.record
        snapshots = snapshot_steps(list(record.snapshots), problem.steps, problem.whole)
        return LoopWatch(
            problem,
            self._done,
            record.every,
            record.save_seconds,
            snapshots,
            self.save,
            self._snapshot,
            self.bar,
        )

    def save(self, m: Moment) -> None:
        """state.safetensors: all that is needed to go on with the same bits."""
        save_moment(self.folder / "state.safetensors", m)
        self.write_run()

    @property
    def has_state(self) -> bool:
        """Whether an earlier start of this run has saved where it stood."""
        return self.goes_on and (self.folder / "state.safetensors").is_file()

    def resume(self, device: torch.device) -> Moment | None:
        """The saved moment of an earlier start of this run, if there is one."""
        if not self.has_state:
            return None
        moment = load_moment(self.folder / "state.safetensors", device)
        log.info("going on after step %s", moment.step)
        self._done = moment.step
        return moment

    def _snapshot(self, m: Moment, solver: Solver) -> None:
        """Pictures of a step, and in snapshots/metrics.json the measure of each as it is saved."""
        folder = self.folder / "snapshots"
        folder.mkdir(exist_ok=True)
        saved = as_saved(solver.solution(m).x, self.cfg.record.stretch)
        for label, x in zip(self.labels, saved, strict=True):
            name = f"step{m.step:05d}" + (f"_{label}" if self.batch > 1 else "")
            save_png(folder / f"{name}.png", to_bytes(x)[0])
        p = solver.problem
        values = measure(p.objective, p.features, saved, p.images_at_once).tolist()
        path = folder / "metrics.json"
        known = read_json(path) if path.is_file() else {}
        known[str(m.step)] = {
            label: {p.objective.measure: value}
            for label, value in zip(self.labels, values, strict=True)
        }
        write_json(path, known)

    def results(
        self, solution: Solution, elements: Any, rows: list[dict[str, Any]], main: str
    ) -> float:
        """Pictures, curves and metrics. Returns the mean of the main metric over good images."""
        if not self.is_part:
            self.bar.close()
        self.interrupted = solution.interrupted
        if solution.interrupted and solution.moment is not None:
            self.save(solution.moment)  # first, should the user lose patience
        if self.keeps_tensors:
            save_state(self.folder / "preimages.safetensors", {"x": solution.x}, {})
        self.failures |= {elements.labels[b]: why for b, why in solution.failures.items()}
        self.mark(rows)
        stretch, weights = self.cfg.record.stretch, self.run["weights"]
        summary = write_results(self.folder, solution, elements, rows, stretch, weights)
        firsts = np.cumsum([s["steps"] for s in self.run["stages"][:-1]]).tolist()
        write_curves(self.folder, solution, rows, firsts)
        value = summary.get(main)
        self.run["main"] = {"name": main, "value": value}
        self.run["steps"] = solution.steps
        self.run["loop_seconds"] = solution.seconds
        if not self.is_part:
            if len(rows) > 1:
                title = f"{self.task} with {self.net_words}, {self.layer_words}"
                write_sheet(self.folder, rows, main, title)
            self._say(summary, main, solution, len(rows))
        return float("nan") if value is None else float(value)

    def _say(self, summary: dict[str, Any], main: str, solution: Solution, count: int) -> None:
        parts = [f"{main} {short(summary.get(main))}"]
        if summary.get("ssim") is not None:
            parts.append(f"SSIM {summary['ssim']:.3f}")
        if (summary.get("clipped") or 0) > 0.001:
            parts.append(f"{100 * summary['clipped']:.1f} % of values clipped to 0..255")
        picture = "preimage.png" if count == 1 else "index.html"
        if count == 1 and (self.folder / "comparison.png").is_file():
            picture = "comparison.png"
        where = "" if self.swept else f": {shown(self.folder / picture)}"
        seconds = f"{solution.seconds:.{1 if solution.seconds < 10 else 0}f}"
        log.info("%s; %d steps in %s s%s", ", ".join(parts), solution.steps, seconds, where)

    def finish(self, device: torch.device) -> None:
        """The last run.json: how it ended."""
        self.run["device"] = str(device)
        status = "interrupted" if self.interrupted else "failed" if self.failures else "finished"
        reason = "; ".join(f"{k}: {v}" for k, v in self.failures.items()) or None
        self.run |= {"status": status, "reason": reason}
        self.write_run()

    def _fail(self, error: BaseException) -> None:
        """run.json of a run that ended with an error; a full disk must not hide the error."""
        if not self.is_part:
            self.bar.close()
        if self.run["status"] != "running":
            return
        interrupted = isinstance(error, KeyboardInterrupt)
        reason = one_line(error) or type(error).__name__
        if isinstance(error, OSError):
            reason = storage_line(error)
        self.run |= {"status": "interrupted" if interrupted else "failed", "reason": reason}
        try:
            self.write_run()
        except OSError:
            log.warning("run.json could not be written")


def _is_node(value: Any) -> bool:
    return OmegaConf.is_config(value)


def _versions() -> dict[str, str]:
    names = ["torch", "torchvision", "numpy", "hydra-core", "scikit-image"]
    own = {"visprior": __version__, "python": platform.python_version()}
    return own | {n: version(n) for n in names}
