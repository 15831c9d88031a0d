"""Small networks trained on shapes10 by scripts/train_shapes.py; their weights are shipped."""

import copy
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import nn

from visprior.errors import UserError, did_you_mean
from visprior.net.checkpoint import adopt, load_checkpoint
from visprior.net.fx.traced import TracedNet


class ShapesNet(TracedNet):
    """A network of this package's own.

    Args:
        name: of the shipped files, visprior/weights/NAME.safetensors and NAME.json.
        model: the module; its weights are replaced.
        weights: default (the shipped ones), random, or a file.
        seed: of random weights.
        size: of the images that it was trained on.
        mean, std: per channel, in [0, 1].
        classes: names of the classes, in the order of the logits.
        layers, aliases, strength, channels_last: see Representation.
    """

    def __init__(
        self,
        name: str,
        model: nn.Module,
        weights: str = "default",
        seed: int = 0,
        size: int | list[int] = 64,
        mean: list[float] | None = None,
        std: list[float] | None = None,
        classes: list[str] | None = None,
        layers: dict[str, str] | None = None,
        aliases: dict[str, str] | None = None,
        strength: dict[str, float] | None = None,
        channels_last: bool = True,
    ):
        super().__init__(
            name,
            size,
            [255 * m for m in mean or [0.5] * 3],
            [255 * s for s in std or [0.25] * 3],
            layers,
            aliases,
            strength,
            channels_last,
        )
        self.module, self.seed, self._weights = model, seed, str(weights)
        self.class_names = list(classes or [])

    @property
    def weights(self) -> str:
        return "shipped with visprior" if self._weights == "default" else self._weights

    def _build(self) -> nn.Module:
        return copy.deepcopy(self.module).to(torch.get_default_device())

    def trained_state(self) -> dict[str, torch.Tensor]:
        """The whole state of the network, with the weights of a file, in single precision."""
        return self._trained(copy.deepcopy(self.module))

    def _trained(self, model: nn.Module) -> dict[str, torch.Tensor]:
        path = weights_file(self.name) if self._weights == "default" else Path(self._weights)
        if not path.exists():
            hint = did_you_mean(self._weights, ["default", "random"])
            raise UserError(f"net.weights={self._weights}: no such file{hint}")
        state = load_checkpoint(path)
        return adopt(model, {key: _full(value) for key, value in state.items()}, str(path))


def _full(value: torch.Tensor) -> torch.Tensor:
    """Files may hold half precision."""
    return value.float() if value.is_floating_point() else value


def weights_file(name: str) -> Path:
    """The shipped file with the weights of a network, visprior/weights/NAME.safetensors."""
    return Path(str(files("visprior") / "weights" / f"{name}.safetensors"))


def training(name: str) -> dict[str, Any]:
    """The record that is shipped with a network: how it was trained, and its accuracy."""
    return json.loads(weights_file(name).with_suffix(".json").read_text())
