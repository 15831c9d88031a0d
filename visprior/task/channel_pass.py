"""A pass of the net over many pictures that measures what every channel does."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from omegaconf import OmegaConf
from torch import Tensor

from visprior.data.many_pictures import Unreadable
from visprior.data.source import Pictures
from visprior.errors import UserError, whole_number
from visprior.files.tensors import digest_path, load_state, save_state
from visprior.meter import Meter
from visprior.metric.channels import ChannelStatistics, ChannelTable
from visprior.metric.colour import ColourStatistics
from visprior.metric.statistics_file import Statistics
from visprior.net.fingerprint import fingerprint
from visprior.objective.data_terms import by_position
from visprior.objective.direction import axis_of
from visprior.task.job import Job

BATCH = 64  # pictures per forward pass on a GPU
_COLOUR = ".colour"  # beside the layers of a saved state; no layer has this name

Collected = dict[str, ChannelStatistics | ColourStatistics]


class ChannelPass:
    """A pass over the job's data that measures the channels of some layers, and the colours.

    k: examples a channel. Called, it gives the statistics; it goes on with what an earlier start of
    the run left, saves what it has now and then, and on Ctrl-C.

    Raises:
        UserError: layers, k or data that do not exist, before anything is written; none of the
            pictures can be read.
    """

    def __init__(self, job: Job, names: list[str], k: int) -> None:
        self.job = job
        k = whole_number("task.k", k, 1)
        self.pictures, self.cut = job.inputs.data, job.cut(names)
        self.layers = {name: job.layer(name) for name in names}
        self.channels = {
            name: ChannelStatistics(layer.shape[axis_of(layer)], k)
            for name, layer in self.layers.items()
        }
        self.colour = ColourStatistics(job.net.channels)
        self.parts: Collected = {**self.channels, _COLOUR: self.colour}
        self.state = job.folder / "state.safetensors"

    def __call__(self) -> Statistics:
        self._show_all()
        job, failures = self.job, self.job.notes.failures
        count = len(self.pictures) - len(failures)
        if not count:
            raise UserError(f"none of {len(self.pictures)} pictures can be read")
        tables = {name: part.table() for name, part in self.channels.items()}
        for name, table in tables.items():
            if not bool(torch.isfinite(table.mean).all()):
                failures[name] = "responses that are not finite"
        return Statistics(
            net=job.net.name,
            size=list(job.size),
            data=_lasting(job.cfg.data),
            sample=dict(job.cfg.sample),
            count=count,
            layers={n: {"node": x.node, "shape": list(x.shape)} for n, x in self.layers.items()},
            weights=fingerprint(self.cut),
            names=_names(self.pictures, tables),
            colour=self.colour.table(),
            tables=tables,
        )

    def _show_all(self) -> None:
        """Show all pictures to the net."""
        failures = self.job.notes.failures
        first = _go_on(self.state, self.parts, failures) if self.job.goes_on else 0
        step, saved = self.job.micro_batch(BATCH), time.perf_counter()
        kept = first, _tensors(self.parts)
        meter = Meter(len(self.pictures), "picture", done=first)
        try:
            while first < len(self.pictures):
                indices = range(first, min(first + step, len(self.pictures)))
                self._show(indices)
                first = indices.stop
                kept = first, _tensors(self.parts)
                meter.add(len(indices))
                if time.perf_counter() - saved > self.job.cfg.record.save_seconds:
                    _save(self.state, *kept, failures)
                    saved = time.perf_counter()
        except KeyboardInterrupt:  # without the batch that some layers may have seen already
            _save(self.state, *kept, failures)
            raise
        finally:
            meter.close()
        for path in (self.state, digest_path(self.state)):
            path.unlink(missing_ok=True)

    def _show(self, indices: range) -> None:
        """Show these pictures to the net."""
        for number, loaded in _read(self.pictures, indices, self.job.notes.leave_out):
            with torch.no_grad():
                phi = self.cut(self.job.to_device(loaded))
            for name, part in self.channels.items():
                part.add(by_position(phi[name]), number)
            self.colour.add(loaded)


def _tensors(parts: Collected) -> dict[str, Tensor]:
    return {f"{name}/{k}": t for name, part in parts.items() for k, t in part.state().items()}


def _read(
    pictures: Pictures, indices: range, leave_out: Callable[[str, str], None]
) -> Iterator[tuple[int, Tensor]]:
    """Pictures in a row, with the number of the first; those that cannot be read are left out."""
    try:
        yield indices.start, pictures.load(indices)
    except Unreadable as error:
        if len(indices) == 1:
            leave_out(pictures.name(indices.start), str(error))
            return
        middle = len(indices) // 2
        yield from _read(pictures, indices[:middle], leave_out)
        yield from _read(pictures, indices[middle:], leave_out)


def _save(path: Path, first: int, tensors: dict[str, Tensor], left_out: dict[str, str]) -> None:
    save_state(path, tensors, {"step": str(first), "left_out": json.dumps(left_out)})


def _go_on(path: Path, parts: Collected, left_out: dict[str, str]) -> int:
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
