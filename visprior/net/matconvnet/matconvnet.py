"""Networks of MatConvNet: a simplenn file, or a paper's architecture with random weights."""

from pathlib import Path

import torch
from torch import nn

from visprior.errors import UserError
from visprior.net.fx.traced import TracedNet
from visprior.net.matconvnet.paper_nets import usual_aliases, usual_strength
from visprior.net.matconvnet.simplenn import network
from visprior.net.matconvnet.simplenn_file import find_simplenn


class MatConvNet(TracedNet):
    """net=matconvnet net.weights=FILE.mat, or net.weights=random net.model=caffe-alex.

    Layers have their own names. All of them are maps, (C, 1, 1) from fc6 on at the network's own
    size: fully connected layers are convolutions, and larger images give larger maps.

    Args:
        weights: a simplenn file; or random.
        model: the architecture of random weights (see paper_net); a file has its own.
        seed: of random weights.
        size: of the images; None: as in the file.
        mean: per channel (RGB), in grey levels; None: as in the file, its mean image averaged.
        layers: names of the user's own: {name: layer}.
        aliases: of layers; where none is given, as for AlexNet and VGG where layers are called
            so, else by position.
        strength: empty: as in the paper where layers are called so, else by depth.
        channels_last: memory layout of the weights.

    Raises:
        UserError: neither a file nor random; no such model; see load_simplenn; the file tells no
            size or no mean, and none is given.
    """

    def __init__(
        self,
        weights: str | None,
        model: str | None = None,
        seed: int = 0,
        size: int | list[int] | None = None,
        mean: list[float] | None = None,
        layers: dict[str, str] | None = None,
        aliases: dict[str, str] | None = None,
        strength: dict[str, float] | None = None,
        channels_last: bool = True,
    ):
        self._net = net = find_simplenn(weights, model)
        for key, given, told in (("size", size, net.size), ("mean", mean, net.mean)):
            if given is None and told is None:
                raise UserError(
                    f"weights '{weights}' do not tell the images' {key}: give net.{key}"
                )
        colour = [float(m) for m in mean or net.mean or []]
        if len(colour) != net.channels:
            raise UserError(f"net.mean={colour}: {net.channels} numbers are needed")
        random = weights == "random"
        super().__init__(
            str(model) if random else Path(str(weights)).stem,
            size or list(net.size or ()),
            colour,
            [1.0] * net.channels,
            layers,
            {**usual_aliases(net.blocks), **(aliases or {})},
            strength or usual_strength(net.blocks),
            channels_last,
        )
        self.seed, self._weights = seed, str(weights)
        self.class_names = list(net.classes)

    @property
    def weights(self) -> str:
        return self._weights

    def _build(self) -> nn.Module:
        return network(self._net.blocks)

    def _trained(self, model: nn.Module) -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(value) for name, value in self._net.weights.items()}
