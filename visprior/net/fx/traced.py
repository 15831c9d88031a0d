"""Networks whose graph torch.fx can trace: cut anywhere, with a file's weights or random ones."""

import copy
from abc import abstractmethod
from functools import cached_property

import torch
from torch import nn

from visprior.errors import UserError
from visprior.net.fx.graph import Graph, layers_of, shapes, trace
from visprior.net.fx.initialise import calibrate, random_state
from visprior.net.layer import Layer, Size, wrong_size
from visprior.net.representation import Representation


class TracedNet(Representation):
    """A representation that builds its module, and finds its weights when a cut asks for them.

    `random_weights` says that they are drawn from `seed`; else `_trained` has them.
    """

    seed: int = 0

    @abstractmethod
    def _build(self) -> nn.Module:
        """The whole network; its weights do not matter."""

    @abstractmethod
    def _trained(self, model: nn.Module) -> dict[str, torch.Tensor]:
        """The state of the network; `model` is a copy of it on the meta device, to be filled.

        Raises:
            UserError: there are no such weights.
        """

    @cached_property
    def _graph(self) -> Graph:
        """The graph, on the meta device: nothing is allocated before a cut asks for it."""
        try:
            with torch.device("meta"):
                graph = trace(self._build())
        except NotImplementedError:  # RegNets compute with numbers while they are built
            graph = trace(self._build().to("meta"))
        if any(name.startswith("_tensor_constant") for name in graph.nodes):
            way = f"take net=python net.target=torchvision.models:{self.name} net.weights=FILE"
            raise UserError(f"net.model={self.name}: torch.fx loses constants in it; {way}")
        return graph

    def _measure(self, size: Size) -> dict[str, Layer]:
        found, error = shapes(self._graph.module, self.channels, size)
        if error and size == self.size:
            raise wrong_size(self.name, size, error) from error
        return layers_of(self._graph, found, size)

    def _body(self, layers: dict[str, Layer]) -> nn.Module:
        wanted = {key: layer.node for key, layer in layers.items()}
        turned = [key for key, layer in layers.items() if layer.turned]
        body = copy.deepcopy(self._graph.upto(wanted, turned))
        state = self._state({name for name, _ in body.named_modules() if name})
        held = {name: state[name].contiguous() for name in body.state_dict()}
        body.load_state_dict(held, assign=True)
        body.requires_grad_(False).eval()
        if self.random_weights:
            calibrate(body, self.mean, self.std, self.size)
        return body

    def _state(self, needed: set[str]) -> dict[str, torch.Tensor]:
        if self.random_weights:
            return random_state(self._graph.model, self._build, self.seed, needed)
        return self._trained(copy.deepcopy(self._graph.model))
