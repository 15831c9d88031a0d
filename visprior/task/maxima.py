"""M, the largest response of a unit: from statistics, or measured on the built-in photographs."""

import torch
from torch import Tensor

from visprior.data.picture import find_pictures, load_picture
from visprior.errors import UserError, shown
from visprior.metric.statistics_file import load_statistics
from visprior.objective.term import Term
from visprior.record.run_file import say_once
from visprior.task.job import Job

PHOTOGRAPHS = ["astronaut", "chelsea", "coffee", "rocket"]


def photographs(job: Job) -> Tensor:
    """The four photographs at the network's own size, on the device."""
    found = find_pictures(PHOTOGRAPHS)
    return job.to_device(
        torch.cat([load_picture(p, job.net.size, job.net.channels) for _, p in found])
    )


def find_maxima(job: Job, terms: list[Term], statistics: str | None) -> list[Tensor]:
    """Per term the maxima (B,) over positions and pictures, at least 1e-3 of the layer's.

    A unit that no picture excites would otherwise get an unbounded weight. Statistics know single
    channels; directions, probabilities and weighted responses are measured.
    """
    known = {}
    for name in dict.fromkeys(t.layer for t in terms if _single(t)):
        maxima = stored_maxima(job, name, statistics)
        known |= {} if maxima is None else {name: maxima}
    missing = [t for t in terms if t.layer not in known or not _single(t)]
    measured = iter(_measured(job, missing) if missing else [])
    return [
        next(measured) if t in missing else _at(known[t.layer], t.channels).to(t.scale)
        for t in terms
    ]


def _single(term: Term) -> bool:
    """Whether the response of every image of the batch is that of one channel."""
    return term.channels is not None and term.score == "logit" and bool((term.direction >= 0).all())


def _at(maxima: Tensor, channels: Tensor | list[int] | None) -> Tensor:
    """M of some channels of a layer, at least 1e-3 of the layer's."""
    chosen = torch.as_tensor(channels).cpu()
    return torch.maximum(maxima[chosen], 1e-3 * maxima.abs().max() + 1e-12)


def stored_maxima(job: Job, layer: str, given: str | None) -> Tensor | None:
    """M of every channel of a layer, from the file given or the one that ships with the net.

    None when there is none, or when the shipped one was made with other weights.

    Raises:
        UserError: the file given does not fit.
    """
    path = given or job.net.statistics
    if path is None:
        return None
    found, file = load_statistics(path)
    try:
        table = found.table(job.net.layer(layer), job.cut([layer]), file)
    except UserError:
        if given:
            raise
        return None
    if not bool(torch.isfinite(table.maximum).all()):
        raise UserError(f"'{shown(file)}': M of layer={layer} is not finite; measure it again")
    say_once(f"M of {layer} from {shown(file)}: {found.count} pictures of {found.data}")
    return table.maximum


def _measured(job: Job, terms: list[Term]) -> list[Tensor]:
    """M on the photographs."""
    say_once(f"M, the largest responses, measured on {len(PHOTOGRAPHS)} photographs")
    cut = job.cut([t.layer for t in terms])
    with torch.no_grad():
        phi = cut(photographs(job))
    floors = [1e-3 * phi[t.layer].abs().max() for t in terms]
    return [
        torch.maximum(t.maxima(phi[t.layer]), floor + 1e-12)
        for t, floor in zip(terms, floors, strict=True)
    ]


def channel_maxima(job: Job, layer: str, channels: list[int], statistics: str | None) -> Tensor:
    """M of some channels of a (B, C, H, W) layer, at least 1e-3 of the layer's."""
    maxima = stored_maxima(job, layer, statistics)
    if maxima is None:
        say_once(f"M, the largest responses, measured on {len(PHOTOGRAPHS)} photographs")
        cut = job.cut([layer])
        with torch.no_grad():
            maxima = cut(photographs(job))[layer].amax((0, 2, 3)).cpu()
    return _at(maxima, channels)
