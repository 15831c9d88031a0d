"""The files of one run: run.json from the first second, pictures, curves and metrics at the end."""

import logging
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from visprior import __version__
from visprior.errors import UserError, shown
from visprior.moment import Moment, Solution
from visprior.record.curves import write_curves_csv, write_curves_png
from visprior.record.files import read_json, write_json
from visprior.record.page import write_overview
from visprior.record.picture import draw_box, save_png, to_bytes
from visprior.record.sheet import comparison, contact_sheet
from visprior.record.state import load_state, save_state
from visprior.record.watch import LoopWatch
from visprior.solver import Solver

log = logging.getLogger("visprior")

_MOMENT = ["z", "good", "alive", "bad_step", "bad_term", "history"]


class Recorder:
    """Writes what a run leaves behind, each file whole or not at all."""

    def __init__(
        self, folder: Path, cfg: DictConfig, digest: str, parts: dict[str, str], goes_on: bool
    ) -> None:
        self.folder = folder
        self.cfg = cfg
        self.task = parts["task"]
        self.goes_on = goes_on
        self.batch = 0
        self.failures: dict[str, str] = {}
        self.warnings: list[str] = []
        self.interrupted = False
        self._watch: LoopWatch | None = None
        self.begun = time.perf_counter()
        before = read_json(folder / "run.json") if goes_on else {}
        self.seconds_before = float(before.get("seconds") or 0.0)
        self.run: dict[str, Any] = {
            "status": "running",
            "reason": None,
            "parts": parts,
            "task": parts["task"],
            "net": parts["net"],
            "layer": OmegaConf.to_container(cfg.layer) if _is_node(cfg.layer) else cfg.layer,
            "device": cfg.device,
            "precision": cfg.precision,
            "seed": cfg.seed,
            "seconds": self.seconds_before,
            "config_hash": digest,
            "overrides": self._overrides(),
            "versions": _versions(),
        }

    def _overrides(self) -> list[str]:
        path = self.folder / ".hydra" / "overrides.yaml"
        return [str(o) for o in OmegaConf.load(path)] if path.is_file() else []

    def warn(self, line: str) -> None:
        """Say something that the user should know, and keep it in run.json."""
        log.warning(line)
        self.warnings.append(line)

    def start(self) -> None:
        """run.json, before anything is computed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_run()

    def _write_run(self) -> None:
        self.run["seconds"] = self.seconds_before + time.perf_counter() - self.begun
        self.run["warnings"] = self.warnings
        write_json(self.folder / "run.json", self.run)

    def describe(self, solver: Solver) -> None:
        """Note the stages and the effective coefficients of this run."""
        stages = []
        for stage, first in zip(solver.stages, solver.firsts, strict=True):
            t, canvas = solver.progress(first), solver.canvas(stage)
            like = torch.zeros(1, dtype=torch.float64)
            factors = {
                name: r.coefficient(canvas, t, like) for name, r in solver.active(stage).items()
            }
            stages.append(
                {
                    "steps": stage.steps,
                    "canvas": canvas,
                    "precision": stage.precision or solver.gradient.precision,
                    "regularizers": list(factors),
                    "coefficients": {k: v for k, v in factors.items() if v is not None},
                }
            )
        self.run |= {"stages": stages, "micro_batch": solver.gradient.micro_batch}
        self._write_run()

    def watch(self, solver: Solver, labels: list[str]) -> LoopWatch:
        """What looks on while the loop runs."""
        self.batch = len(labels)
        self.labels = labels
        record = self.cfg.record
        snapshots = list(record.snapshots)
        for step in snapshots:
            if not 1 <= step <= solver.steps:
                raise UserError(f"record.snapshots: {step} is not among the {solver.steps} steps")
        self._watch = LoopWatch(
            solver, record.every, record.save_seconds, snapshots, self.save, self._snapshot
        )
        return self._watch

    def save(self, m: Moment) -> None:
        """state.safetensors: all that is needed to go on with the same bits."""
        tensors = {k: getattr(m, k) for k in _MOMENT}
        tensors |= {f"optimizer.{k}": v for k, v in m.optimizer.items()}
        save_state(self.folder / "state.safetensors", tensors, {"step": str(m.step)})
        self._write_run()

    def resume(self, device: torch.device) -> Moment | None:
        """The saved moment of an earlier start of this run, if there is one."""
        path = self.folder / "state.safetensors"
        if not self.goes_on or not path.is_file():
            return None
        tensors, meta = load_state(path)
        tensors = {k: v.to(device) for k, v in tensors.items()}
        log.info("going on after step %s", meta["step"])
        return Moment(
            step=int(meta["step"]),
            optimizer={
                k.removeprefix("optimizer."): v
                for k, v in tensors.items()
                if k.startswith("optimizer.")
            },
            **{k: tensors[k] for k in _MOMENT},
        )

    def _snapshot(self, m: Moment, solver: Solver) -> None:
        folder = self.folder / "snapshots"
        folder.mkdir(exist_ok=True)
        for label, x in zip(self.labels, solver.solution(m).x, strict=True):
            array, _ = to_bytes(x.cpu(), self.cfg.record.stretch)
            name = f"step{m.step:05d}" + (f"_{label}" if self.batch > 1 else "")
            save_png(folder / f"{name}.png", array)

    def results(
        self, solution: Solution, elements: Any, rows: list[dict[str, Any]], main: str
    ) -> float:
        """Pictures, curves and metrics. Returns the mean of the main metric over good images."""
        if self._watch is not None:
            self._watch.close()
        self.interrupted = solution.interrupted
        self.failures = {elements.labels[b]: why for b, why in solution.failures.items()}
        x, targets = solution.x.detach().cpu().float(), elements.pictures
        for b, row in enumerate(rows):
            tail = "" if len(rows) == 1 else f"_{row['label']}"
            target = None if targets is None else targets[b].float()
            self._pictures(x[b], target, row, tail)
            if target is not None and elements.originals:
                self._target(target, elements.originals, b, row)
        self._curves(solution, elements.labels)
        summary = summarise(rows)
        value = summary.get(main)
        self.run["main"] = {"name": main, "value": value}
        self.run["steps"] = solution.steps
        self.run["loop_seconds"] = solution.seconds
        metrics = {"summary": summary, "images": rows, "original": self._originals(elements)}
        write_json(self.folder / "metrics.json", metrics)
        if len(rows) > 1:
            self._overview(rows, main)
        if solution.interrupted:
            self.save(self._last(solution))
        self._say(summary, main, solution, len(rows))
        return float("nan") if value is None else float(value)

    def _last(self, solution: Solution) -> Moment:
        assert solution.moment is not None
        return solution.moment

    def _pictures(self, x: Tensor, target: Tensor | None, row: dict[str, Any], tail: str) -> None:
        stretch = self.cfg.record.stretch
        array, clipped = to_bytes(x, stretch)
        row |= {"file": f"preimage{tail}.png", "clipped": clipped, "stretched": stretch}
        save_png(self.folder / row["file"], array)
        if target is not None:
            row["comparison"] = f"comparison{tail}.png"
            save_png(self.folder / row["comparison"], comparison(target, x, stretch))
        if "receptive_box" in row:
            row["box"] = f"box{tail}.png"
            save_png(self.folder / row["box"], draw_box(array, tuple(row["receptive_box"])))

    def _target(self, target: Tensor, originals: list[str], b: int, row: dict[str, Any]) -> None:
        """The photograph as the network's input, a file for each one."""
        row["picture"] = originals[b]
        several = len(set(originals)) > 1
        row["target"] = f"target_{originals[b]}.png" if several else "target.png"
        if originals.index(originals[b]) == b:
            save_png(self.folder / row["target"], to_bytes(target)[0])

    def _curves(self, solution: Solution, labels: list[str]) -> None:
        history = solution.history.double().numpy()
        if not len(history):
            return
        named = {name: history[:, i] for i, name in enumerate(solution.terms)}
        firsts = np.cumsum([0, *(s["steps"] for s in self.run["stages"][:-1])]).tolist()
        write_curves_csv(self.folder / "curves.csv", named, labels)
        write_curves_png(self.folder / "curves.png", named, labels, firsts[1:])

    @staticmethod
    def _originals(elements: Any) -> dict[str, Any]:
        """Spectrum and mean colour of the photographs, to compare with the pre-images'."""
        from visprior.task.outcome import describe

        if elements.pictures is None or elements.originals is None:
            return {}
        first = {name: b for b, name in reversed(list(enumerate(elements.originals)))}
        return {n: describe(elements.pictures[b : b + 1].double())[0] for n, b in first.items()}

    def _overview(self, rows: list[dict[str, Any]], main: str) -> None:
        from imageio.v3 import imread

        columns = len(rows) if len(rows) <= 5 else min(8, round(len(rows) ** 0.5 * 1.4))
        lines = [rows[i : i + columns] for i in range(0, min(len(rows), 256), columns)]
        cells = [[imread(self.folder / r.get("box", r["file"])) for r in line] for line in lines]
        captions = [[f"{r['label']} {_short(r.get(main))}" for r in line] for line in lines]
        save_png(self.folder / "sheet.png", contact_sheet(cells, captions=captions))
        write_overview(self.folder, f"{self.task} with {self.run['net']}, {self.cfg.layer}", rows)

    def _say(self, summary: dict[str, Any], main: str, solution: Solution, count: int) -> None:
        parts = [f"{main} {_short(summary.get(main))}"]
        if summary.get("ssim") is not None:
            parts.append(f"SSIM {summary['ssim']:.3f}")
        if (summary.get("clipped") or 0) > 0.001:
            parts.append(f"{100 * summary['clipped']:.1f} % of values clipped to 0..255")
        picture = "preimage.png" if count == 1 else "index.html"
        if count == 1 and (self.folder / "comparison.png").is_file():
            picture = "comparison.png"
        log.info(
            "%s; %d steps in %.*f s: %s",
            ", ".join(parts),
            solution.steps,
            solution.seconds < 10,
            solution.seconds,
            shown(self.folder / picture),
        )

    def finish(self, device: torch.device) -> None:
        """The last run.json: how it ended."""
        self.run["device"] = str(device)
        status = "interrupted" if self.interrupted else "failed" if self.failures else "finished"
        reason = "; ".join(f"{k}: {v}" for k, v in self.failures.items()) or None
        self.run |= {"status": status, "reason": reason}
        self._write_run()

    def fail(self, error: BaseException) -> None:
        """run.json of a run that ended with an error; a full disk must not hide the error."""
        if self._watch is not None:
            self._watch.close()
        if self.run["status"] != "running":
            return
        interrupted = isinstance(error, KeyboardInterrupt)
        reason = " ".join(str(error).split()) or type(error).__name__
        self.run |= {"status": "interrupted" if interrupted else "failed", "reason": reason}
        try:
            self._write_run()
        except OSError:
            log.warning("run.json could not be written")


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean, standard deviation and count of every number over the images that did not fail."""
    good = [r for r in rows if r["status"] == "ok"]
    summary: dict[str, Any] = {"n": len(good)}
    for key in dict.fromkeys(k for r in good for k in r):
        values = [r.get(key) for r in good]
        if key in ("seed", "stretched") or not all(isinstance(v, int | float) for v in values):
            continue
        numbers = np.asarray(values, dtype=np.float64)
        summary[key] = float(numbers.mean())
        if len(numbers) > 1:
            summary[f"{key}_std"] = float(numbers.std(ddof=1))
    return summary


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, int | float) else "-"


def _is_node(value: Any) -> bool:
    return OmegaConf.is_config(value)


def _versions() -> dict[str, str]:
    names = ["torch", "torchvision", "numpy", "hydra-core", "scikit-image"]
    own = {"visprior": __version__, "python": platform.python_version()}
    return own | {n: version(n) for n in names}
