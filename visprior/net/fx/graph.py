"""The computation graph of a network, and the part of it that leads to given nodes.

Node names are those of torchvision's feature extraction. Its tracer is used directly, and not
through create_feature_extractor, which traces four times (names and graph, each in train and eval
mode), hides what is inside Conv2dNormActivation, and does not tell which node has which name.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
import torchvision
from torch import fx, nn
from torchvision.models.feature_extraction import NodePathTracer

from visprior.net.fx.geometry import Cells, geometry
from visprior.net.layer import Layer, Size


class OneNode:
    """A base class that makes a module one node of the graph, like a layer of torch.nn."""


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
        autowrap_modules=(torchvision.ops,), leaf_modules=[torchvision.ops.StochasticDepth, OneNode]
    )
    graph = tracer.trace(model)
    nodes: dict[str, fx.Node] = {}
    for node in graph.nodes:
        if node.kwargs.get("inplace"):
            node.kwargs = {**node.kwargs, "inplace": False}
        if node.op != "output":
            nodes[_name(node, tracer.node_to_qualname.get(node, node.name), nodes)] = node
    return Graph(model, fx.GraphModule(model, graph), nodes)


def keep_inputs(model: nn.Module) -> None:
    """Switch every in-place activation off: it would overwrite the features of the layer before."""
    for module in model.modules():
        if "inplace" in vars(module):
            vars(module)["inplace"] = False


def _name(node: fx.Node, name: str, taken: dict[str, fx.Node]) -> str:
    """torchvision's name, but a module's own one for its first call.

    torchvision takes a number at the end, as in conv1_2, for its own count of calls.
    """
    if node.op == "call_module" and str(node.target) not in taken:
        return str(node.target)
    while name in taken:
        name += "_"
    return name


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
    module: fx.GraphModule, channels: int, size: Size
) -> tuple[dict[fx.Node, tuple[int, ...]], Exception | None]:
    """Shapes of the nodes' results for two images, and why they end where they do, if early.

    The module is on the meta device: nothing is computed. Images that are too small for the last
    layers may well do for the first ones.
    """
    batch = 2
    run = Shapes(module, batch)
    try:
        run.run(torch.empty(batch, channels, *size, device="meta"))
    except (RuntimeError, AssertionError, ValueError) as error:
        return run.found, error
    return run.found, None


def layers_of(graph: Graph, found: dict[fx.Node, tuple[int, ...]], size: Size) -> dict[str, Layer]:
    """{node: layer} from a graph and the shapes of its nodes at an image size."""
    cells = geometry(graph.module, found)
    trunk = _trunk(list(found))
    return {
        name: replace(_layer(name, found[node][1:], cells.get(node), size), trunk=node in trunk)
        for name, node in graph.nodes.items()
        if node.op != "placeholder" and node in found
    }


def _trunk(nodes: list[fx.Node]) -> set[fx.Node]:
    """The nodes that everything later depends on: nothing bypasses them."""
    place = {node: i for i, node in enumerate(nodes)}
    trunk, reach = set(), 0
    for i, node in enumerate(nodes):
        if reach <= i:
            trunk.add(node)
        reach = max([reach, *(place[user] for user in node.users if user in place)])
    return trunk


def nominal_stride(size: Size, shape: tuple[int, ...]) -> float | None:
    """Image size / map size, pixels per cell, where it is whole and the same along both axes."""
    if len(shape) != 3 or size[0] % shape[1] or size[1] % shape[2]:
        return None
    v, h = size[0] // shape[1], size[1] // shape[2]
    return float(v) if v == h else None


def _layer(node: str, shape: tuple[int, ...], cells: Cells | None, size: Size) -> Layer:
    if cells is None:
        return Layer(node, node, shape, nominal_stride(size, shape))
    turned = cells.dims == (1, 2)
    if turned:
        shape = (shape[2], shape[0], shape[1])
    v, h = cells.axes
    stride = v.stride if v.stride == h.stride else None
    if v.field is None or h.field is None:
        return Layer(node, node, shape, stride, turned=turned)
    offset = v.offset if v.offset == h.offset else None
    return Layer(node, node, shape, stride, int(max(v.field, h.field)), offset, turned)
