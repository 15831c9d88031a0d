"""The classification networks of torchvision, with their weights, random ones, or a file's."""

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torchvision import models

from visprior.errors import UserError, did_you_mean
from visprior.net.checkpoint import adopt, load_checkpoint
from visprior.net.download import cached_file, trained_file
from visprior.net.fx.traced import TracedNet
from visprior.net.layer import Size
from visprior.net.representation import RANDOM


class TorchvisionNet(TracedNet):
    """Any classification model of torchvision by name.

    Args:
        model: torchvision's name.
        weights: auto (torchvision's best if they are in torch hub's cache or can be downloaded,
            else random), default (those or an error), one of torchvision's names such as
            IMAGENET1K_V1, random, or a file.
        seed: of random weights.
        size: of the images; None: as torchvision evaluates the model.
        mean, std: per channel in [0, 1], as torchvision gives them; None: the model's own.
        layers, aliases, strength: see Representation.
        channels_last: memory layout of the weights; faster for most networks on a CPU.

    Raises:
        UserError: no such model.
    """

    def __init__(
        self,
        model: str | None,
        weights: str = "auto",
        seed: int = 0,
        size: int | list[int] | None = None,
        mean: list[float] | None = None,
        std: list[float] | None = None,
        layers: dict[str, str] | None = None,
        aliases: dict[str, str] | None = None,
        strength: dict[str, float] | None = None,
        channels_last: bool = True,
    ):
        known = models.list_models(module=models)
        if model is None:
            raise UserError("net=torchvision needs net.model, e.g. net.model=convnext_tiny")
        if model not in known:
            raise UserError(f"torchvision has no model '{model}'{did_you_mean(model, known)}")
        self._enum: Any = models.get_model_weights(model)
        usual = self._enum.DEFAULT.transforms()
        super().__init__(
            model,
            size or usual.crop_size[0],
            [255 * m for m in mean or _usual(model, usual.mean)],
            [255 * s for s in std or _usual(model, usual.std)],
            layers,
            aliases,
            strength,
            channels_last,
        )
        self._asked, self.seed = str(weights), seed
        self.class_names = list(self._enum.DEFAULT.meta["categories"])

    @property
    def weights(self) -> str:
        return self._settled[0]

    @property
    def why_random(self) -> str:
        return self._settled[1]

    @cached_property
    def _settled(self) -> tuple[str, str]:
        """What `weights` comes to, and why random ones stand in for trained ones.

        auto is settled when it is first asked for, which may download.
        """
        name = "DEFAULT" if self._asked in ("auto", "default") else self._asked
        if name not in self._enum.__members__:
            return self._asked, ""
        if self._asked == "auto":
            try:
                trained_file(self._enum[name].url)
            except UserError as error:
                return RANDOM, str(error)
        return str(self._enum[name].name), ""

    def _build(self) -> nn.Module:
        return models.get_model(self.name, weights=None, **_options(self.name, self.size))

    def _trained(self, model: nn.Module) -> dict[str, torch.Tensor]:
        if self.weights in self._enum.__members__:
            return adopt(model, load_checkpoint(self._file()), self.weights)
        if not Path(self.weights).exists():
            allowed = ["auto", "default", RANDOM, *self._enum.__members__]
            hint = did_you_mean(self.weights, allowed)
            raise UserError(f"net.weights={self.weights}: no such file{hint}")
        return adopt(model, load_checkpoint(self.weights), self.weights)

    def _file(self) -> Path:
        """The file of torchvision's weights.

        Raises:
            UserError: it is not there and cannot be downloaded; the line names the ways out.
        """
        url = self._enum[self.weights].url
        try:
            return trained_file(url)
        except UserError as error:
            ways = (
                f"take net.weights=FILE with a copy of that file, or put it to {cached_file(url)}"
            )
            others = "or net.weights=random, or auto: random where there are no others"
            raise UserError(f"{error}; {ways}, {others}") from error


# Networks that torchvision's builders have to be told more about.
_INCEPTIONS = ("googlenet", "inception_v3")


def _usual(model: str, values: list[float]) -> list[float]:
    """The mean or deviation that torchvision normalises with before it calls the model.

    The Inceptions then undo it and map [0, 1] to [-1, 1]; here this is done at once.
    """
    return [0.5, 0.5, 0.5] if model in _INCEPTIONS else list(values)


def _options(model: str, size: Size) -> dict[str, Any]:
    """What torchvision's builders must be told besides the weights."""
    if model in _INCEPTIONS:
        # Auxiliary classifiers serve training only; init_weights would warn and is not used.
        return {"aux_logits": False, "init_weights": False}
    return {"image_size": size[0]} if model.startswith("vit_") else {}
