"""What is measured on the results of a task, one row an image.

Everything is of the picture as it is saved; only NAME_unclipped is of the float image.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from visprior.job.services import Elements, Services
from visprior.loop.problem import Solution
from visprior.metric.ambiguity import ambiguity
from visprior.metric.locality import Box, share_inside, side95
from visprior.metric.spectrum import mean_colour, octave_bands
from visprior.metric.ssim import WINDOW, mse, psnr, ssim
from visprior.regularizer.tv import total_variation

Row = dict[str, Any]


class Measure(NamedTuple):
    """What a task is judged by, of a batch: error, activation or likeness, each (B,)."""

    name: str
    saved: Tensor  # of the pictures as they are saved
    unclipped: Tensor  # of the float images that the loop has left


def measure(s: Services, objective: Any, x: Tensor, cut: Callable) -> Measure:
    """The objective's measure of the images x (B, C, H, W) and of their pictures."""
    saved = s.measure(objective, s.saved(x), cut)
    return Measure(objective.measure, saved, s.measure(objective, x, cut))


def inversion_rows(
    s: Services, solution: Solution, elements: Elements, error: Measure
) -> list[Row]:
    """Error, likeness to the photograph, spectrum and colour; ambiguity for several seeds."""
    x = s.saved(solution.x).cpu().double()
    rows = _rows(s, solution, elements, x, error)
    if s.cfg.metric.ssim:
        _add_likeness(s, rows, x, elements)
    return rows


def _add_likeness(s: Services, rows: list[Row], x: Tensor, elements: Elements) -> None:
    """How like the photograph, and each other, the pictures are; what is infinite is left empty."""
    assert elements.pictures is not None and elements.originals is not None
    target = elements.pictures.double()
    found = {"ssim": ssim(x, target), "psnr": psnr(x, target), "mse": mse(x, target)}
    too_small = min(x.shape[-2:]) < WINDOW
    if too_small:
        del found["ssim"]
        side = f"pictures of {x.shape[-2]} x {x.shape[-1]} pixels are smaller than its window"
        s.recorder.warn(f"SSIM is left out: {side} of {WINDOW} x {WINDOW}")
    for name, values in found.items():
        for row, value in zip(rows, values.tolist(), strict=True):
            row[name] = value if math.isfinite(value) else None
    for name in dict.fromkeys(elements.originals):
        members = [b for b, o in enumerate(elements.originals) if o == name]
        if len(members) > 1:
            likeness, distance = ambiguity(x[members])
            pairwise = {"pairwise_ssim": likeness, "pairwise_rms": distance}
            if too_small:
                del pairwise["pairwise_ssim"]
            for b in members:
                rows[b] |= pairwise


def activation_rows(
    s: Services, solution: Solution, elements: Elements, value: Measure
) -> list[Row]:
    """The activation or likeness reached, and the total variation of the picture per pixel."""
    x = s.saved(solution.x).cpu().double()
    rows = _rows(s, solution, elements, x, value)
    variation = total_variation(x, beta=1.0) / (x.shape[-1] * x.shape[-2])
    for b, row in enumerate(rows):
        row["tv"] = float(variation[b])
    return rows


def crop_rows(
    s: Services,
    solution: Solution,
    objective: Any,
    cut: Callable,
    rows: list[Row],
    name: str,
) -> None:
    """The same measure of the centre crop of octaves, which the network has seen in the run."""
    if solution.crop is not None:
        for row, value in zip(rows, s.measure(objective, s.saved(solution.crop), cut), strict=True):
            row[f"{name}_crop"] = float(value)


def window_rows(s: Services, x: Tensor, rows: list[Row], box: Box) -> None:
    """Share of the picture's energy in the receptive field, and the side that holds 95 %."""
    x = s.saved(x).cpu().double()
    shares = share_inside(x, list(s.net.center), box).tolist()
    sides = side95(x, list(s.net.center), box).tolist()
    for row, share, side in zip(rows, shares, sides, strict=True):
        row |= {"receptive_box": list(box), "share_in_box": share, "side_95": side}


def _rows(
    s: Services, solution: Solution, elements: Elements, x: Tensor, found: Measure
) -> list[Row]:
    rows: list[Row] = []
    for b, label in enumerate(elements.labels):
        row: Row = {"label": label, "seed": elements.seeds[b]}
        row |= elements.settings[b] if elements.settings else {}
        row["status"] = "failed" if b in solution.failures else "ok"
        if b in solution.failures:
            row["reason"] = solution.failures[b]
        row[found.name] = float(found.saved[b])
        row[f"{found.name}_unclipped"] = float(found.unclipped[b])
        rows.append(row)
    _say_what_is_lost(s, rows, found.name)
    if s.cfg.metric.spectrum:
        for row, described in zip(rows, describe(x), strict=True):
            row |= described
    return rows


def _say_what_is_lost(s: Services, rows: list[Row], name: str) -> None:
    """A line where the pictures and the float images differ by more than a tenth."""
    pairs = [(row["label"], row[name], row[f"{name}_unclipped"]) for row in rows]
    line = what_is_lost(name, pairs, "stretched" if s.cfg.record.stretch else "clipped")
    if line:
        s.recorder.warn(line)


def what_is_lost(name: str, pairs: list[tuple[str, float, float]], how: str) -> str:
    """'error 0.91 is of the picture as saved, clipped to 0..255 and rounded; 0.004 before'.

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


def describe(x: Tensor) -> list[dict[str, Any]]:
    """Spectrum in octave bands, its centroid, and the mean colour of each image."""
    shares, centroid = octave_bands(x)
    colours = mean_colour(x)
    return [
        {
            "centroid": float(centroid[b]),
            "octave_bands": shares[b].tolist(),
            "mean_colour": colours[b].tolist(),
        }
        for b in range(len(torch.as_tensor(x)))
    ]
