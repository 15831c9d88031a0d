"""A representation Phi: named layers, normalisation, and what is known about each layer."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from visprior.errors import UserError
from visprior.net.classes import find_class
from visprior.net.layer import Layer, Size, as_size
from visprior.net.names import LayerNames

MID_GREY = 127.5  # grey levels
RANDOM = "random"  # weights of that name are drawn from a seed


class Cut(nn.Module):
    """x, (B, channels, H, W) in grey levels -> {layer: features}; frozen, in eval mode.

    Args:
        body: takes (x - mean) / std and returns the features; nothing past them is computed.
        mean, std: per channel, in grey levels.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, body: nn.Module, mean: list[float], std: list[float]):
        super().__init__()
        self.body = body
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float64).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float64).view(1, -1, 1, 1))
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """The features of each layer asked for, under the name it was asked by."""
        return self.body((x - self.mean) / self.std)


class Representation(ABC):
    """A network (or a descriptor) that takes images in grey levels 0..255.

    Args:
        size: height and width of the images it was made for.
        mean, std: per channel, in grey levels; the network sees (x - mean) / std.
        layers, aliases: see LayerNames.
        strength: {first layer: C}, the weight of the data term from this layer on.
        center: what is known of the mean colour of its images, per channel: noise lies around it,
            margins have it, regularizers act on what differs from it. None: the mean that is
            subtracted; or, where none is, mid-grey, as no photographs are black on average.
    """

    def __init__(
        self,
        name: str,
        size: int | list[int],
        mean: list[float],
        std: list[float],
        layers: dict[str, str] | None = None,
        aliases: dict[str, str] | None = None,
        strength: dict[str, float] | None = None,
        channels_last: bool = True,
        center: list[float] | None = None,
    ):
        if len(mean) != len(std) or min(std, default=0) <= 0:
            raise UserError(f"net: a mean and a scale > 0 per channel, got {mean} and {std}")
        self.name = name
        self.size: Size = as_size("net.size", size)
        self.channels = len(mean)
        self.mean, self.std = mean, std
        known = mean if any(mean) else [MID_GREY] * len(mean)
        self.center = known if center is None else center
        self.channels_last = channels_last
        self.class_names: list[str] = []
        self._names = LayerNames(layers, aliases, name)
        self.aliases = self._names.aliases  # names that stand for a layer of another name
        self._strength = dict(strength or {})
        self._tables: dict[Size, dict[str, Layer]] = {}

    @property
    def weights(self) -> str | None:
        """Where the weights are from: random, a name, a file; None: there are none (HOG, SIFT)."""
        return None

    @property
    def random_weights(self) -> bool:
        """Whether the weights are drawn from a seed, untrained."""
        return self.weights == RANDOM

    @property
    def why_random(self) -> str:
        """Why random weights stand in for trained ones; empty where they do not."""
        return ""

    @abstractmethod
    def _measure(self, size: Size) -> dict[str, Layer]:
        """{node: layer} in order of computation, up to where images of this size get.

        Raises:
            UserError: size is the network's own, and it fails.
        """

    @abstractmethod
    def _body(self, layers: dict[str, Layer]) -> nn.Module:
        """A module from normalised images to {key: features} that stops at the last of layers."""

    def _table(self, size: int | list[int] | Size | None) -> dict[str, Layer]:
        pair = self.size if size is None else as_size("size", size)
        if pair not in self._tables:
            table = self._measure(pair)
            self._tables[pair] = {
                node: replace(layer, name=self._names.name(node)) for node, layer in table.items()
            }
        return self._tables[pair]

    def layers(self, size: int | list[int] | Size | None = None) -> list[Layer]:
        """Every layer in order of computation, for images of this size (default: its own)."""
        return list(self._table(size).values())

    def layer(self, name: str, size: int | list[int] | Size | None = None) -> Layer:
        """A layer by the paper's name, its node, a module (its last node), or an alias.

        Raises:
            UserError: no such layer, or the network does not take this size.
        """
        node, table = self._node(name), self._table(size)
        if node not in table:
            pixels, own = (f"{h}x{w}" for h, w in (as_size("size", size or self.size), self.size))
            reach = f"images of {pixels} pixels do not get to layer '{name}' of {self.name}"
            raise UserError(f"{reach}; its own size is {own}")
        return replace(table[node], name=name)

    def resolved(self, name: str) -> str:
        """The name of the layer that an alias stands for; any other name as it is.

        Raises:
            UserError: no such layer.
        """
        node = self._node(name)
        return self._names.name(node) if name in self.aliases else name

    def called(self, name: str) -> str:
        """'relu3_2 (middle)' for an alias, any other name as it is. See resolved."""
        own = self.resolved(name)
        return name if own == name else f"{own} ({name})"

    def _node(self, name: str) -> str:
        table = self._table(None)
        maps = [node for node, layer in table.items() if layer.trunk and len(layer.shape) > 1]
        return self._names.node(name, table, maps)

    def cut(
        self,
        names: Iterable[str],
        device: torch.device | str,
        dtype: torch.dtype = torch.float32,
        size: int | list[int] | Size | None = None,
        channels_last: bool | None = None,
    ) -> Cut:
        """The network up to the layers named, all of them from one forward pass.

        Args:
            size: the images' size, when it is not the network's own.
            channels_last: the memory layout of the weights; default: the network's.

        Raises:
            UserError: no such layer; or the weights cannot be had.
        """
        layers = {name: self.layer(name, size) for name in names}
        cut = Cut(self._body(layers), self.mean, self.std).to(device, dtype)
        if self.channels_last if channels_last is None else channels_last:
            cut = cut.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        return cut

    def strength(self, name: str) -> float:
        """C, the weight of the data term in an inversion of this layer.

        The paper's figures take 300 for the shallow layers, then 100, 20, and 1 for the deepest
        (Mahendran & Vedaldi 2016, section 5). A network that they did not use and that has no
        table changes where theirs do on average: after 60, 70 and 80 % of its layers.
        """
        nodes = list(self._table(None))
        at = nodes.index(self._node(name))
        if self._strength:
            starts = {nodes.index(self._node(first)): C for first, C in self._strength.items()}
            return float(starts[max((s for s in starts if s <= at), default=min(starts))])
        depth = at / len(nodes)
        return 300.0 if depth < 0.6 else 100.0 if depth < 0.7 else 20.0 if depth < 0.8 else 1.0

    def drawings(self, phi: Tensor) -> list[np.ndarray] | None:
        """Pictures of features, (H, W) uint8 each, where there is a usual kind (HOG's glyphs)."""
        return None

    @property
    def statistics(self) -> Path | None:
        """The file of task=statistics that is shipped with this net's weights, if one is."""
        path = Path(__file__).parents[1] / "weights" / f"{self.name}.statistics.safetensors"
        return path if path.is_file() else None

    def class_index(self, name: str | int) -> int:
        """A class by its index or name: exact, or the only one that begins with or holds it.

        Raises:
            UserError: no such class, or several.
        """
        last = self.layers()[-1]
        return find_class(name, self.class_names, last.length or last.shape[-1])
