"""What a task draws on: the net, the pictures, the loop and the record, built when first asked."""

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, ListConfig
from torch import Tensor

from visprior.config.build import build
from visprior.config.explain import chosen_by
from visprior.data.many_pictures import load_found, load_readable, named_files
from visprior.data.picture import find_pictures, load_picture, unique_label
from visprior.data.source import Pictures, Sample, open_data
from visprior.errors import UserError, choice
from visprior.loop.gradient import measure
from visprior.net.cut import Cut
from visprior.net.names import NoLayer
from visprior.net.representation import Layer, Representation
from visprior.record.recorder import Recorder
from visprior.regularizer.base import Regularizer, Scene
from visprior.render.picture import as_saved
from visprior.schedule.schedule import PRECISIONS

log = logging.getLogger("visprior")


@cache
def say_once(line: str, level: int = logging.INFO) -> None:
    """Not again for every job of a sweep or batch of a book."""
    log.log(level, line)


@dataclass
class Elements:
    """The images of a batch: their names, seeds, and the picture that each has to do with."""

    labels: list[str]
    seeds: list[int]
    pictures: Tensor | None = None  # (B, C, H, W), grey levels
    originals: list[str] | None = None  # the name of each image's picture
    classes: list[str] | None = None  # what each image should show, where that is known
    drawings: list[np.ndarray] | None = None  # of each image's target features
    settings: list[dict[str, Any]] | None = None  # each image's own hyperparameters, by their keys


class Services:
    """The parts of one job. Each is built when it is first asked for."""

    def __init__(self, cfg: DictConfig, folder: Path, recorder: Recorder) -> None:
        self.cfg = cfg
        self.folder = folder
        self.recorder = recorder
        choice("precision", cfg.precision, PRECISIONS)
        self.dtype = torch.float64 if cfg.precision == "fp64" else torch.float32
        self.device = self._device(cfg.device)
        self._size: tuple[int, int] | None = None

    def with_keys(self, keys: dict[str, Any]) -> "Services":
        """The same job with other root keys; the net is shared."""
        cfg = self.cfg.copy()
        for key, value in keys.items():
            cfg[key] = value
        other = Services(cfg, self.folder, self.recorder)
        vars(other)["net"] = self.net
        other._size = self.size
        return other

    def part(self, name: str, keys: dict[str, Any]) -> "Services":
        """A part of this run with other root keys, in a folder of its own (see Recorder.part)."""
        other = self.with_keys(keys)
        other.recorder = self.recorder.part(name, other.cfg)
        other.folder = other.recorder.folder
        other.recorder.know(self.net)
        return other

    def say_weights(self) -> None:
        """Say that the net's weights are random; a warning where that was not asked for."""
        why = self.recorder.run["why_random"]
        line = f"{self.net.name} has random weights (net.seed={self.cfg.net.get('seed')})"
        if why:
            line += f", for want of the trained ones: {why}; net.weights=FILE takes a copy of them"
            say_once(line, logging.WARNING)
            self.recorder.warnings.append(line)
        elif self.net.random_weights:
            say_once(line)

    @staticmethod
    def _device(name: str) -> torch.device:
        if name == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
            raise UserError(f"device={name} is not known; allowed: auto, cpu, cuda, cuda:N")
        if name.startswith("cuda"):
            count = torch.cuda.device_count() if torch.cuda.is_available() else 0
            if int(name.partition(":")[2] or 0) >= count:
                seen = f"only {count} CUDA devices are" if count else "no CUDA device is"
                raise UserError(f"device={name} was asked for, but {seen} visible")
        return torch.device(name)

    @cached_property
    def net(self) -> Representation:
        """The representation."""
        return build(self.cfg.net, self.cfg.trust)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pre-image without margins."""
        if self._size is None:
            asked = self.cfg.size
            if asked is None:
                self._size = (self.net.size[0], self.net.size[1])
            else:
                self.use_size(list(asked) if isinstance(asked, ListConfig) else [asked, asked])
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
    def data(self) -> Pictures:
        """The pictures that `data` and `sample` name, at the job's size."""
        return open_data(self.cfg.data, Sample(**self.cfg.sample), self.size, self.net.channels)

    def _data_labels(self) -> list[str]:
        taken: set[str] = set()
        return [unique_label(self.data.name(i), taken) for i in range(len(self.data))]

    def _classes(self, numbers: list[int]) -> list[str] | None:
        """The class of each of these pictures in `data`, where it tells."""
        if self.cfg.data is None or not self.data.classes:
            return None
        labels = [self.data.label(i) for i in numbers]
        return [self.data.classes[k] for k in labels if k is not None]

    def pictures(self) -> list[tuple[str, Tensor]]:
        """(label, (1, C, H, W)) of what `image` or `data` names, at the job's size."""
        return [(name, x) for _, name, x in self._numbered()]

    def all_of(self, spec: str | list[str]) -> list[Tensor]:
        """(1, C, H, W) of what a specification names, each of which must be readable."""
        size, channels = self.size, self.net.channels
        return [load_picture(path, size, channels) for _, path in find_pictures(spec)]

    def _numbered(self) -> list[tuple[int, str, Tensor]]:
        """Number, label and image of what `image` or `data` names, as far as it can be read."""
        leave_out = self.recorder.leave_out
        if self.cfg.data is not None:
            return load_readable(self._data_labels(), lambda i: self.data.load([i]), leave_out)
        spec = self.cfg.image if isinstance(self.cfg.image, str) else list(self.cfg.image)
        found, named = find_pictures(spec), named_files(spec)
        size, channels = self.size, self.net.channels
        return load_readable(
            [name for name, _ in found],
            lambda i: load_found(found[i][1], named, size, channels),
            leave_out,
        )

    def targets(self) -> tuple[Tensor, Elements]:
        """The pictures (n, C, H, W), and a batch of every picture with every seed."""
        found, seeds = self._numbered(), self.seeds()
        classes = self._classes([i for i, _, _ in found])
        pictures = torch.cat([x for _, _, x in found])
        return pictures, Elements(
            labels=[label_of(name, seed, seeds) for _, name, _ in found for seed in seeds],
            seeds=[seed for _ in found for seed in seeds],
            pictures=pictures.repeat_interleave(len(seeds), 0),
            originals=[name for _, name, _ in found for _ in seeds],
            classes=classes and [c for c in classes for _ in seeds],
        )

    def seeds(self) -> list[int]:
        """seed, seed + 1, ... as many as `seeds`."""
        if self.cfg.seeds < 1:
            raise UserError(f"seeds must be >= 1, got {self.cfg.seeds}")
        if self.cfg.seed < 0:
            raise UserError(f"seed must be >= 0, got {self.cfg.seed}")
        return list(range(self.cfg.seed, self.cfg.seed + self.cfg.seeds))

    def to_device(self, x: Tensor) -> Tensor:
        """x in the job's precision on its device."""
        return x.to(device=self.device, dtype=self.dtype)

    def micro_batch(self, batch: int, coupled: bool = False) -> int:
        """Images per forward pass: all on a GPU; on a CPU about one of 224 x 224 px."""
        asked = self.cfg.micro_batch
        if asked != "auto":
            if not isinstance(asked, int) or asked < 1:
                raise UserError(f"micro_batch must be auto or a number >= 1, got {asked}")
            return asked
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

    def regularizers(self, layer: Layer) -> dict[str, Regularizer]:
        """The regularizers by name, in their order, prepared for this job."""
        # Small images may not fill a layer's cells; then its stride is that at the net's own size.
        stride = layer.stride or self.net.layer(layer.name).stride
        scene = Scene(self.size, list(self.net.center), stride, layer.name, self.cfg.seeds)
        parts = {k: build(v, self.cfg.trust) for k, v in self.cfg.regularizer.items() if v}
        for part in parts.values():
            part.prepare(scene)
        return {str(k): v for k, v in parts.items()}

    def measure(self, objective: Any, x: Tensor, cut: Callable) -> Tensor:
        """The objective's measure of final images, (B,) on the CPU."""
        return measure(objective, cut, x, self.micro_batch(len(x)))

    def saved(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) as this run's files hold them."""
        return as_saved(x, self.cfg.record.stretch)


@contextmanager
def saying_who_chose_it() -> Iterator[None]:
    """An error about a layer names the experiment or recipe that has set it."""
    try:
        yield
    except NoLayer as error:
        chosen = chosen_by("layer")
        why = f"; {chosen} chose it, layer= takes another" if chosen else ""
        raise NoLayer(f"{error}{why}") from error


def label_of(name: str, seed: int, seeds: list[int]) -> str:
    return f"{name}_seed{seed}" if len(seeds) > 1 else name
