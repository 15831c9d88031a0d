"""What is measured on the results of a task, one row an image."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from visprior.metric.ambiguity import ambiguity
from visprior.metric.locality import Box, share_inside, side95
from visprior.metric.spectrum import mean_colour, octave_bands
from visprior.metric.ssim import mse, psnr, ssim
from visprior.moment import Solution
from visprior.regularizer.tv import total_variation
from visprior.services import Elements, Services


def inversion_rows(
    s: Services, solution: Solution, elements: Elements, error: Tensor
) -> list[dict[str, Any]]:
    """Error, likeness to the photograph, spectrum and colour; ambiguity for several seeds."""
    x = solution.x.detach().cpu().double()
    rows = _rows(s, solution, elements, x)
    assert elements.pictures is not None and elements.originals is not None
    target = elements.pictures.double()
    for b, row in enumerate(rows):
        row["error"] = float(error[b])
    if s.cfg.metric.ssim:
        for name, values in (
            ("ssim", ssim(x, target)),
            ("psnr", psnr(x, target)),
            ("mse", mse(x, target)),
        ):
            for row, value in zip(rows, values.tolist(), strict=True):
                row[name] = value
        for name in dict.fromkeys(elements.originals):
            members = [b for b, o in enumerate(elements.originals) if o == name]
            if len(members) > 1:
                likeness, distance = ambiguity(x[members])
                for b in members:
                    rows[b] |= {"pairwise_ssim": likeness, "pairwise_rms": distance}
    return rows


def activation_rows(
    s: Services, solution: Solution, elements: Elements, value: Tensor, name: str
) -> list[dict[str, Any]]:
    """The activation or likeness reached, and the total variation of the image per pixel."""
    x = solution.x.detach().cpu().double()
    rows = _rows(s, solution, elements, x)
    variation = total_variation(x, beta=1.0) / (x.shape[-1] * x.shape[-2])
    for b, row in enumerate(rows):
        row |= {name: float(value[b]), "tv": float(variation[b])}
    return rows


def crop_rows(
    s: Services,
    solution: Solution,
    objective: Any,
    cut: Callable,
    rows: list[dict[str, Any]],
    name: str,
) -> None:
    """The same measure of the centre crop of octaves, which the network has seen in the run."""
    if solution.crop is not None:
        for row, value in zip(rows, s.measure(objective, solution.crop, cut), strict=True):
            row[f"{name}_crop"] = float(value)


def window_rows(s: Services, x: Tensor, rows: list[dict[str, Any]], box: Box) -> None:
    """Share of the pre-image's energy in the receptive field, and the side that holds 95 %."""
    x = x.detach().cpu().double()
    shares = share_inside(x, list(s.net.mean), box).tolist()
    sides = side95(x, list(s.net.mean), box).tolist()
    for row, share, side in zip(rows, shares, sides, strict=True):
        row |= {"receptive_box": list(box), "share_in_box": share, "side_95": side}


def _rows(s: Services, solution: Solution, elements: Elements, x: Tensor) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for b, label in enumerate(elements.labels):
        row: dict[str, Any] = {"label": label, "seed": elements.seeds[b]}
        row["status"] = "failed" if b in solution.failures else "ok"
        if b in solution.failures:
            row["reason"] = solution.failures[b]
        rows.append(row)
    if s.cfg.metric.spectrum:
        for row, described in zip(rows, describe(x), strict=True):
            row |= described
    return rows


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
