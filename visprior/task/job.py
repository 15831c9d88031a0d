"""What a task is given: the settings of a job, its network, its pictures, its device."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, ListConfig, OmegaConf
from torch import Tensor

from visprior.config.build import build
from visprior.config.files import chosen_by
from visprior.config.objects import Objects
from visprior.errors import UserError, choice, whole_number
from visprior.net.names import NoLayer
from visprior.net.representation import RANDOM, Cut, Layer, Representation
from visprior.record.run_file import Notes
from visprior.record.watch import Bar
from visprior.render.picture import as_saved
from visprior.schedule.schedule import PRECISIONS, Schedule
from visprior.task.device import device_named
from visprior.task.inputs import Inputs
from visprior.task.memory import check_memory


class Job:
    """The parts of one job, each built when it is first asked for.

    cfg: the configuration. folder: where results go. names: what the groups `task` and `net` chose.
    notes: what the user should know of the run. bar: of the whole run. objects: see Objects.

    Raises:
        UserError: a device that is not there, a precision or size that does not exist.
    """

    def __init__(
        self,
        cfg: DictConfig,
        folder: Path,
        names: dict[str, str],
        notes: Notes | None = None,
        bar: Bar | None = None,
        objects: Objects | None = None,
    ) -> None:
        self.cfg, self.folder, self.names = cfg, folder, names
        self.task = names["task"]
        self.notes, self.bar = notes or Notes(), bar or Bar()
        self.objects = objects or Objects()
        self.why_random = ""  # why an earlier start of this job had to do with random weights
        self.largest_batch = 1  # of the problems so far, for what is said when memory runs out
        self.goes_on = False  # an earlier start of this job has left something in the folder
        choice("precision", cfg.precision, PRECISIONS)
        self.dtype = torch.float64 if cfg.precision == "fp64" else torch.float32
        self.device = device_named(cfg.device)
        self._size: tuple[int, int] | None = None

    def with_keys(
        self, keys: dict[str, Any], folder: Path | None = None, task: str | None = None
    ) -> "Job":
        """The same job with other root keys, and notes of its own; the net is shared."""
        cfg = self.cfg.copy()
        for key, value in keys.items():
            cfg[key] = value
        names = {**self.names, "task": task or self.task}
        other = Job(cfg, folder or self.folder, names, Notes(), self.bar, self.objects)
        other.why_random = self.why_random
        vars(other)["net"] = self.net
        other._size = self.size
        return other

    @cached_property
    def net(self) -> Representation:
        """The representation."""
        return build(self.cfg.net, self.cfg.trust, **self.objects.arguments(self.cfg.net))

    @cached_property
    def _layers(self) -> list[str]:
        """The layers that were asked for by name.

        Raises:
            UserError: the net has no such layer.
        """
        asked = self.cfg.layer
        names = list(asked) if isinstance(asked, ListConfig) else [asked]
        if asked == "all" or not all(isinstance(name, str) for name in names):
            return []
        for name in names:
            self.net.resolved(name)
        return names

    def about(self) -> dict[str, Any]:
        """What run.json says of the job from the start; the trained weights may be downloaded.

        Raises:
            UserError: the net has no such layer.
        """
        asked = self.cfg.layer
        plain = OmegaConf.to_container(asked) if isinstance(asked, ListConfig) else asked
        layer: dict[str, Any] = {"layer": plain}
        if self._layers:
            own = [self.net.resolved(name) for name in self._layers]
            layer = {"layer": own if isinstance(plain, list) else own[0], "layer_asked": plain}
        return {
            "parts": self.names,
            "task": self.task,
            "net": self.names["net"],
            "model": self.net.name,
            "weights": self.net.weights,
            "why_random": self.net.why_random or self.why_random,
            **layer,
            "device": self.cfg.device,
            "precision": self.cfg.precision,
            "seed": self.cfg.seed,
        }

    @property
    def words(self) -> str:
        """'inversion with vgg19'."""
        return f"{self.task} with {self.net_words}"

    @property
    def net_words(self) -> str:
        """The net as titles have it: 'vgg19 (random weights)'."""
        name = str(self.net.name if self.names["net"] == "torchvision" else self.names["net"])
        return f"{name} (random weights)" if self.net.weights == RANDOM else name

    @property
    def layer_words(self) -> str:
        """The layers as titles have them: 'relu3_2 (middle)'."""
        return ", ".join(map(self.net.called, self._layers)) or str(self.cfg.layer)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pre-image without margins."""
        if self._size is None:
            asked = self.cfg.size
            if asked is None:
                self._size = (self.net.size[0], self.net.size[1])
            else:
                self.use_size(list(asked) if isinstance(asked, ListConfig) else [asked, asked])
            check_memory(1, self._size or (0, 0), self.net.channels, self.device)
        assert self._size is not None
        return self._size

    def use_size(self, size: Sequence[int]) -> None:
        """Set the size, for tasks that lay out their own image."""
        if len(size) != 2 or not all(isinstance(n, int) and n >= 8 for n in size):
            raise UserError(f"size must be a number >= 8 or [height, width], got {self.cfg.size}")
        self._size = (size[0], size[1])

    def layer(self, name: Any) -> Layer:
        """One layer at the job's size."""
        if not isinstance(name, str):
            raise UserError(f"this task takes one layer, got layer={name}; sweep over several: -m")
        with saying_who_chose_it():
            return self.net.layer(name, self.size)

    @cached_property
    def seeds(self) -> list[int]:
        """seed, seed + 1, ... as many as `seeds`."""
        count, first = whole_number("seeds", self.cfg.seeds, 1), whole_number("seed", self.cfg.seed)
        check_memory(count, self.size, self.net.channels, self.device)
        return list(range(first, first + count))

    @property
    def inputs(self) -> Inputs:
        """The pictures that `image` or `data` name, at the job's size."""
        return Inputs(self.cfg, self.size, self.net.channels, self.notes.leave_out, self.objects)

    def to_device(self, x: Tensor) -> Tensor:
        """x in the job's precision on its device."""
        return x.to(device=self.device, dtype=self.dtype)

    def saved(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) as this run's files hold them."""
        return as_saved(x, self.cfg.record.stretch)

    def micro_batch(self, batch: int, coupled: bool = False) -> int:
        """Images per forward pass: all on a GPU; on a CPU about one of 224 x 224 px."""
        asked = self.cfg.micro_batch
        if asked != "auto":
            return whole_number("micro_batch", asked, 1, other="auto")
        if coupled or self.device.type == "cuda":
            return batch
        return max(1, 224 * 224 // (self.size[0] * self.size[1]))

    def cut(self, layers: Sequence[str]) -> Cut:
        """The net up to these layers, frozen, on the device."""
        names = tuple(dict.fromkeys(layers))
        return self.net.cut(names, device=self.device, dtype=self.dtype, size=self.size)

    def features(self, cut: Callable, x: Tensor, layer: str) -> Tensor:
        """Features of a layer for (n, C, H, W), by micro-batches and without gradients."""
        with torch.no_grad():
            parts = self.to_device(x).split(self.micro_batch(len(x)))
            return torch.cat([cut(p)[layer] for p in parts])

    @cached_property
    def schedule(self) -> Schedule:
        """Stages and step sizes."""
        return build(self.cfg.schedule, self.cfg.trust)

    def parts(self, group: str) -> dict[str, Any]:
        """The chosen members of a group, without those that were set to null or false."""
        chosen = {str(name): node for name, node in self.cfg[group].items() if node}
        for name, node in chosen.items():
            if not isinstance(node, DictConfig):
                ways = f"it is there by default; {group}.{name}=null leaves it out"
                raise UserError(f"{group}.{name}={node} is no {group}: {ways}")
        return {name: build(node, self.cfg.trust) for name, node in chosen.items()}


@contextmanager
def saying_who_chose_it() -> Iterator[None]:
    """An error about a layer names the experiment or recipe that has set it."""
    try:
        yield
    except NoLayer as error:
        chosen = chosen_by("layer")
        why = f"; {chosen} chose it, layer= takes another" if chosen else ""
        raise NoLayer(f"{error}{why}") from error
