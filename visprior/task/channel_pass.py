"""A pass of the net over many pictures that gathers what every channel does."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from visprior.data.many_pictures import Unreadable
from visprior.data.source import Pictures
from visprior.errors import UserError
from visprior.files.tensors import digest_path, load_state, save_state
from visprior.job.services import Services
from visprior.meter import Meter
from visprior.metric.channels import ChannelStatistics, ChannelTable
from visprior.metric.colour import ColourStatistics
from visprior.metric.statistics_file import Statistics
from visprior.net.fingerprint import fingerprint
from visprior.net.representation import Layer
from visprior.objective.data_terms import by_position
from visprior.objective.direction import axis_of

BATCH = 64  # pictures per forward pass on a GPU
_COLOUR = ".colour"  # beside the layers of a saved state; no layer has this name

Parts = dict[str, ChannelStatistics | ColourStatistics]


def gather(s: Services, names: list[str], k: int) -> Callable[[], Statistics]:
    """What gives statistics of these layers and of the colours on the job's data.

    k: examples a channel. It goes on with what an earlier start of the run left.
    Errors: UserError for layers or data, here, before anything is written.
    """
    if not isinstance(k, int) or k < 1:
        raise UserError(f"task.k must be a number >= 1, got {k}")
    pictures, cut = s.data, s.cut(names)
    layers = {name: s.layer(name) for name in names}
    return lambda: _gathered(s, pictures, cut, layers, k)


def _gathered(
    s: Services, pictures: Pictures, cut: nn.Module, layers: dict[str, Layer], k: int
) -> Statistics:
    parts = {
        name: ChannelStatistics(layer.shape[axis_of(layer)], k) for name, layer in layers.items()
    }
    colour = ColourStatistics(s.net.channels)
    _pass(s, pictures, cut, parts, colour)
    count = len(pictures) - len(s.recorder.failures)
    if not count:
        raise UserError(f"none of {len(pictures)} pictures can be read")
    tables = {name: part.table() for name, part in parts.items()}
    for name, table in tables.items():
        if not bool(torch.isfinite(table.mean).all()):
            s.recorder.failures[name] = "responses that are not finite"
    return Statistics(
        net=s.net.name,
        size=list(s.size),
        data=_lasting(s.cfg.data),
        sample=dict(s.cfg.sample),
        count=count,
        layers={n: {"node": x.node, "shape": list(x.shape)} for n, x in layers.items()},
        weights=fingerprint(cut),
        names=_names(pictures, tables),
        colour=colour.table(),
        tables=tables,
    )


def _pass(
    s: Services,
    pictures: Pictures,
    cut: nn.Module,
    layers: dict[str, ChannelStatistics],
    colour: ColourStatistics,
) -> None:
    """Show all pictures to the net; what was gathered is saved now and then, and on Ctrl-C."""
    parts: Parts = {**layers, _COLOUR: colour}
    state = s.folder / "state.safetensors"
    first = _go_on(state, parts, s.recorder.failures) if s.recorder.goes_on else 0
    step, saved = s.micro_batch(BATCH), time.perf_counter()
    kept = first, _tensors(parts)
    meter = Meter(len(pictures), "picture", done=first)
    try:
        while first < len(pictures):
            indices = range(first, min(first + step, len(pictures)))
            for number, loaded in _read(s, pictures, indices):
                with torch.no_grad():
                    phi = cut(s.to_device(loaded))
                for name, part in layers.items():
                    part.add(by_position(phi[name]), number)
                colour.add(loaded)
            first = indices.stop
            kept = first, _tensors(parts)
            meter.add(len(indices))
            if time.perf_counter() - saved > s.cfg.record.save_seconds:
                _save(state, *kept, s.recorder.failures)
                saved = time.perf_counter()
    except KeyboardInterrupt:
        _save(
            state, *kept, s.recorder.failures
        )  # without the batch that some layers may have seen already
        raise
    finally:
        meter.close()
    for path in (state, digest_path(state)):
        path.unlink(missing_ok=True)


def _tensors(parts: Parts) -> dict[str, Tensor]:
    return {f"{name}/{k}": t for name, part in parts.items() for k, t in part.state().items()}


def _read(s: Services, pictures: Pictures, indices: range) -> Iterator[tuple[int, Tensor]]:
    """Pictures in a row, with the number of the first; those that cannot be read are left out."""
    try:
        yield indices.start, pictures.load(indices)
    except Unreadable as error:
        if len(indices) == 1:
            s.recorder.leave_out(pictures.name(indices.start), str(error))
            return
        middle = len(indices) // 2
        yield from _read(s, pictures, indices[:middle])
        yield from _read(s, pictures, indices[middle:])


def _save(path: Path, first: int, tensors: dict[str, Tensor], left_out: dict[str, str]) -> None:
    save_state(path, tensors, {"step": str(first), "left_out": json.dumps(left_out)})


def _go_on(path: Path, parts: Parts, left_out: dict[str, str]) -> int:
    """Take up a saved state, if there is one; the number of pictures it has passed."""
    if not path.is_file():
        return 0
    tensors, meta = load_state(path)
    left_out |= json.loads(meta["left_out"])
    for name, part in parts.items():
        own = {k.rpartition("/")[2]: t for k, t in tensors.items() if k.rpartition("/")[0] == name}
        part.load(own)
    return int(meta["step"])


def _lasting(data: object) -> object:
    """`data` so that it can be found from another folder."""
    plain = OmegaConf.to_container(data) if OmegaConf.is_config(data) else data
    if isinstance(plain, list):
        return [_lasting(one) for one in plain]
    path = Path(str(plain)).expanduser()
    return str(path.resolve()) if path.exists() else plain


def _names(pictures: Pictures, tables: dict[str, ChannelTable]) -> dict[str, str]:
    seen = {int(i) for table in tables.values() for i in table.image.flatten().tolist() if i >= 0}
    return {str(i): pictures.name(i) for i in sorted(seen)}
