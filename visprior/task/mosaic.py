"""The layout of Mahendran & Vedaldi's filter mosaics."""

import math
from typing import Any

import torch

from visprior.errors import UserError
from visprior.net.representation import Layer
from visprior.objective.term import Mosaic, Term, one_hot
from visprior.record.images import Batch
from visprior.task.job import Job
from visprior.task.maxima import channel_maxima

ONE_BY_ONE = 512  # layers with more channels get an image per filter


def odd_pitch(layer: Layer, least: int) -> int:
    """Cells per filter: round(1.1 rho / stride), at least `least`, made odd by adding 1."""
    assert layer.field is not None and layer.stride is not None
    pitch = max(math.floor(1.1 * layer.field / layer.stride + 0.5), least)
    return pitch + (pitch % 2 == 0)


def largest_side(job: Job, name: str, cells: int, layer: Layer) -> int:
    """The largest image side whose feature map is exactly `cells` wide, by bisection."""
    stride, field = int(layer.stride or 1), int(layer.field or 1)
    low, high = cells * stride, (cells + 4) * stride + field
    while high - low > 1:
        middle = (low + high) // 2
        if job.net.layer(name, (middle, middle)).shape[-1] <= cells:
            low = middle
        else:
            high = middle
    if job.net.layer(name, (low, low)).shape[-1] != cells:
        raise UserError(f"no image side gives {name} exactly {cells} cells; use task.where=centre")
    return low


def mosaic_terms(
    job: Job, layer: Layer, channels: list[int], M: Any, statistics: str | None
) -> tuple[list[Any], Batch]:
    """The objective and the images of a mosaic; sets the job's size (M&V 2016, code)."""
    name = job.cfg.layer
    if len(layer.shape) != 3 or layer.field is None or layer.stride is None:
        raise UserError(f"where=mosaic needs rows, columns and a receptive field; {name} has none")
    if M == "auto":
        maxima = channel_maxima(job, name, channels, statistics)
    else:
        maxima = torch.full((len(channels),), float(M))
    seeds = job.seeds
    if layer.shape[0] > ONE_BY_ONE:
        side = largest_side(job, name, odd_pitch(layer, 1), layer)
        job.use_size((side, side))
        direction = job.to_device(
            one_hot(channels, layer.shape[0]).repeat_interleave(len(seeds), 0)
        )
        term = Term(name, direction, "centre")
        term.scale = (1e4 / (maxima * layer.field**2)).to(direction).repeat_interleave(len(seeds))
        labels = [f"channel{c}_seed{n}" for c in channels for n in seeds]
        return [term], Batch(labels, seeds * len(channels))
    mosaic = Mosaic(name, channels, odd_pitch(layer, 4), len(seeds), job.device)
    side = largest_side(job, name, mosaic.side * mosaic.pitch, layer)
    job.use_size((side, side))
    mosaic.scales = job.to_device(1e4 / (maxima * layer.field**2 * len(channels)))
    mosaic.scale = job.to_device(mosaic.scale)
    return [mosaic], Batch(
        [f"mosaic_seed{n}" if len(seeds) > 1 else "mosaic" for n in seeds], seeds
    )
