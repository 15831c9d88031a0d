"""Random weights under which activations neither vanish nor explode with depth."""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from skimage import data
from torch import nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

_NORMS = (_BatchNorm, nn.LayerNorm, nn.GroupNorm)


def is_plain(model: nn.Module) -> bool:
    """Whether all there is to set belongs to convolutions, linear layers or normalisations."""
    for module in model.modules():
        own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        if own and not isinstance(module, (nn.Conv2d, nn.Linear, *_NORMS)):
            return False
    return True


def random_state(
    model: nn.Module, build: Callable[[], nn.Module], seed: int, needed: set[str]
) -> dict[str, torch.Tensor]:
    """He-initialised weights (He et al. 2015, fan-in) for the modules up to the last needed one.

    One generator serves the modules in their order, so that where a network is cut does not
    change its weights. Biases are zero, normalisations start as the identity. What else a network
    has (class tokens, position embeddings, layer scales) is drawn as torchvision draws it.

    Args:
        model: on the meta device.
        build: makes the model for real; called only when `model` holds something else.
        needed: names of the modules in use; weights of others are drawn and dropped.
    """
    state: dict[str, torch.Tensor] = {}
    if not is_plain(model):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            state = dict(build().state_dict())
    generator = torch.Generator().manual_seed(seed)
    order = {name: i for i, (name, _) in enumerate(model.named_modules())}
    last = max((order[name] for name in needed), default=-1)
    for name, module in list(model.named_modules())[: last + 1]:
        drawn = _draw(module, generator)
        if name in needed:
            state |= {f"{name}.{key}": tensor for key, tensor in drawn.items()}
    return state


def _draw(module: nn.Module, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """New values for what a convolution, linear layer or normalisation holds."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        weight = torch.empty(module.weight.shape)
        nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
        bias = {} if module.bias is None else {"bias": torch.zeros(module.bias.shape)}
        return {"weight": weight, **bias}
    if not isinstance(module, _NORMS):
        return {}
    ones = {"weight", "running_var"}
    return {
        key: (torch.ones if key in ones else torch.zeros)(value.shape, dtype=value.dtype)
        for key, value in module.state_dict().items()
    }


def calibrate(body: nn.Module, mean: list[float], std: list[float], size: tuple[int, int]) -> None:
    """Set the statistics of batch normalisation to those of four photographs, layer by layer.

    With statistics of 0 and 1, random weights shrink or blow up what passes (in MobileNetV2
    to 1e-6 after twelve blocks). Statistics of a layer depend on those before it only.
    """
    norms = [module for module in body.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return
    pictures = F.interpolate(photographs(), size, mode="bilinear", antialias=True)
    x = (pictures - torch.tensor(mean).view(1, -1, 1, 1)) / torch.tensor(std).view(1, -1, 1, 1)
    for norm in norms:
        norm.momentum = 1.0  # replaces the statistics by those of this batch
        norm.train()
    with torch.no_grad():
        body(x)
    for norm in norms:
        norm.eval()


@cache
def photographs(side: int = 256) -> torch.Tensor:
    """Four photographs of scikit-image's, (4, 3, side, side) in grey levels."""
    files = (data.astronaut, data.chelsea, data.coffee, data.rocket)
    batch = [torch.from_numpy(np.asarray(file(), np.float32)).permute(2, 0, 1) for file in files]
    square = [F.interpolate(x[None], side, mode="bilinear", antialias=True) for x in batch]
    return torch.cat(square)
