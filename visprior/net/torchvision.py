"""The classification networks of torchvision, with their weights, random ones, or a file's."""

import copy
import inspect
from functools import cached_property
from typing import Any
from urllib.error import URLError

import torch
from torch import fx, nn
from torchvision import models

from visprior.errors import UserError, did_you_mean
from visprior.net.checkpoint import adopt, load_checkpoint
from visprior.net.geometry import Cells, geometry
from visprior.net.graph import Graph, shapes, trace
from visprior.net.initialise import calibrate, random_state
from visprior.net.representation import Layer, Representation, Size


class TorchvisionNet(Representation):
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
        model: str,
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
        if model not in known:
            raise UserError(f"torchvision has no model '{model}'{did_you_mean(model, known)}")
        self._enum: Any = models.get_model_weights(model)
        usual = self._enum.DEFAULT.transforms()
        super().__init__(
            model,
            size or usual.crop_size[0],
            [255 * m for m in mean or usual.mean],
            [255 * s for s in std or usual.std],
            layers,
            aliases,
            strength,
            channels_last,
        )
        self._weights, self._seed = str(weights), seed
        self.class_names = list(self._enum.DEFAULT.meta["categories"])
        self.random_weights = self._weights == "random"

    def _build(self) -> nn.Module:
        return models.get_model(self.name, weights=None, **_options(self.name, self.size))

    @cached_property
    def _graph(self) -> Graph:
        """The graph, on the meta device: nothing is allocated before a cut asks for it."""
        try:
            with torch.device("meta"):
                return trace(self._build())
        except NotImplementedError:  # RegNets compute with numbers while they are built
            return trace(self._build().to("meta"))

    def _measure(self, size: Size) -> dict[str, Layer]:
        try:
            found = shapes(self._graph, self.channels, size)
        except Exception as error:
            height, width = size
            raise UserError(
                f"{self.name} does not take images of {height}x{width} pixels "
                f"({str(error).splitlines()[0][:150]}); it is made for {self.size[0]}x{self.size[1]}"
            ) from error
        return layers_of(self._graph, found)

    def _body(self, layers: dict[str, Layer]) -> nn.Module:
        wanted = {key: layer.node for key, layer in layers.items()}
        turned = [key for key, layer in layers.items() if layer.turned]
        body = copy.deepcopy(self._graph.upto(wanted, turned))
        state = self._state({name for name, _ in body.named_modules() if name})
        body.load_state_dict({name: state[name] for name in body.state_dict()}, assign=True)
        body.requires_grad_(False).eval()
        if self.random_weights:
            calibrate(body, self.mean, self.std, self.size)
        return body

    def _state(self, needed: set[str]) -> dict[str, torch.Tensor]:
        if self.random_weights:
            return random_state(self._graph.model, self._build, self._seed, needed)
        model = copy.deepcopy(self._graph.model)
        if self._weights == "default" or self._weights in self._enum.__members__:
            name = "DEFAULT" if self._weights == "default" else self._weights
            return adopt(model, _download(self._enum[name]), name)
        return adopt(model, load_checkpoint(self._weights), self._weights)


def layers_of(graph: Graph, found: dict[fx.Node, tuple[int, ...]]) -> dict[str, Layer]:
    """{node: layer} from a graph and the shapes of its nodes."""
    cells = geometry(graph.module, found)
    return {
        name: _layer(name, found[node][1:], cells.get(node))
        for name, node in graph.nodes.items()
        if node.op != "placeholder" and node in found
    }


def _layer(node: str, shape: tuple[int, ...], cells: Cells | None) -> Layer:
    if cells is None:
        return Layer(node, node, shape)
    turned = cells.dims == (1, 2)
    if turned:
        shape = (shape[2], shape[0], shape[1])
    v, h = cells.axes
    stride = v.stride if v.stride == h.stride else None
    if v.field is None or h.field is None or v.offset != h.offset:
        return Layer(node, node, shape, stride, turned=turned)
    return Layer(node, node, shape, stride, int(max(v.field, h.field)), v.offset, turned)


def _options(model: str, size: Size) -> dict[str, Any]:
    """What torchvision's builders must be told besides the weights."""
    if model in ("googlenet", "inception_v3"):
        # Auxiliary classifiers serve training only; init_weights would warn and is not used.
        return {"aux_logits": False, "init_weights": False}
    return {"image_size": size[0]} if model.startswith("vit_") else {}


def _download(weights: Any) -> dict[str, torch.Tensor]:
    try:
        return weights.get_state_dict(progress=False, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        reason = str(getattr(error, "reason", error)).splitlines()[0]
        raise UserError(
            f"could not download {weights.url} ({reason}); take net.weights=FILE with a copy of "
            "that file, or net.weights=random"
        ) from error
