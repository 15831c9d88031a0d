"""The classification networks of torchvision, with their weights, random ones, or a file's."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torchvision import models

from visprior.errors import UserError, did_you_mean
from visprior.net.checkpoint import BAD_FILE, adopt, load_checkpoint
from visprior.net.representation import Size
from visprior.net.traced import TracedNet


class TorchvisionNet(TracedNet):
    """Any classification model of torchvision by name.

    Args:
        model: torchvision's name.
        weights: default (downloaded), one of torchvision's names such as IMAGENET1K_V1, random,
            or a file.
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
        weights: str = "default",
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
        self._weights, self.seed = str(weights), seed
        self.class_names = list(self._enum.DEFAULT.meta["categories"])
        self.random_weights = self._weights == "random"

    def _build(self) -> nn.Module:
        return models.get_model(self.name, weights=None, **_options(self.name, self.size))

    def _trained(self, model: nn.Module) -> dict[str, torch.Tensor]:
        if self._weights == "default" or self._weights in self._enum.__members__:
            name = "DEFAULT" if self._weights == "default" else self._weights
            return adopt(model, _download(self._enum[name]), name)
        if not Path(self._weights).exists():
            allowed = ["default", "random", *self._enum.__members__]
            hint = did_you_mean(self._weights, allowed)
            raise UserError(f"net.weights={self._weights}: no such file{hint}")
        return adopt(model, load_checkpoint(self._weights), self._weights)


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


def _download(weights: Any) -> dict[str, torch.Tensor]:
    try:
        return weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except BAD_FILE as error:  # URLError is an OSError; the rest is what a damaged copy raises
        reason = next(iter(str(getattr(error, "reason", error)).splitlines()), type(error).__name__)
        raise UserError(
            f"could not download {weights.url} ({reason[:150]}); take net.weights=FILE with a copy "
            "of that file, or net.weights=random"
        ) from error
