"""The computation graph of a network, and the part of it that leads to given nodes.

Node names are those of torchvision's feature extraction. Its tracer is used directly, and not
through create_feature_extractor, which traces four times (names and graph, each in train and eval
mode), hides what is inside Conv2dNormActivation, and does not tell which node has which name.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torchvision
from torch import fx, nn
from torchvision.models.feature_extraction import NodePathTracer

from visprior.net.cut import keep_inputs
from visprior.net.geometry import Cells, geometry
from visprior.net.representation import Layer


@dataclass(frozen=True)
class Graph:
    """A traced network and its nodes by name, in order of computation."""

    model: nn.Module
    module: fx.GraphModule
    nodes: dict[str, fx.Node]

    def upto(self, wanted: dict[str, str], channels_last: Iterable[str] = ()) -> fx.GraphModule:
        """The modules and operations that lead to some nodes, and nothing else.

        Args:
            wanted: {key of the result: node}.
            channels_last: keys whose features come as (B, H, W, C) and are returned (B, C, H, W).
        """
        needed = _ancestors(self.nodes[node] for node in wanted.values())
        graph, copies = fx.Graph(), {}
        for node in self.nodes.values():
            if node in needed or node.op == "placeholder":
                copies[node] = graph.node_copy(node, copies.__getitem__)
        outputs = {key: copies[self.nodes[node]] for key, node in wanted.items()}
        for key in channels_last:
            outputs[key] = graph.call_method("permute", (outputs[key], 0, 3, 1, 2))
        graph.output(outputs)
        return fx.GraphModule(self.model, graph)


def _ancestors(nodes: Iterable[fx.Node]) -> set[fx.Node]:
    found: set[fx.Node] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(node.all_input_nodes)
    return found


def trace(model: nn.Module) -> Graph:
    """The graph of a network in eval mode, with nothing computed in place.

    Raises:
        whatever torch.fx raises when the control flow depends on the data.
    """
    keep_inputs(model.eval())
    tracer = NodePathTracer(
        autowrap_modules=(torchvision.ops,), leaf_modules=[torchvision.ops.StochasticDepth]
    )
    graph = tracer.trace(model)
    nodes: dict[str, fx.Node] = {}
    for node in graph.nodes:
        if node.kwargs.get("inplace"):
            node.kwargs = {**node.kwargs, "inplace": False}
        if node.op != "output":
            nodes[tracer.node_to_qualname.get(node, node.name)] = node
    return Graph(model, fx.GraphModule(model, graph), nodes)


class Shapes(fx.Interpreter):
    """Runs a graph and keeps the shape of every tensor that has one row per image."""

    def __init__(self, module: fx.GraphModule, batch: int):
        super().__init__(module)
        self.batch = batch
        self.found: dict[fx.Node, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> object:
        """Run one node; see torch.fx.Interpreter."""
        out = super().run_node(n)
        if isinstance(out, torch.Tensor) and out.dim() > 1 and out.shape[0] == self.batch:
            self.found[n] = tuple(out.shape)
        return out


def shapes(
    module: fx.GraphModule, channels: int, size: tuple[int, int]
) -> dict[fx.Node, tuple[int, ...]]:
    """The shape of each node's result for two images, when the module is on the meta device.

    Raises:
        whatever the network raises when it does not take images of this size.
    """
    batch = 2
    run = Shapes(module, batch)
    run.run(torch.empty(batch, channels, *size, device="meta"))
    return run.found


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
