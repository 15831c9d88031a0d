"""The layers of a network as a table of text."""

from contextlib import suppress

from visprior.errors import UserError
from visprior.net.layer import Layer, Size
from visprior.net.representation import Representation

HEADINGS = ("layer", "node", "shape", "stride", "field", "alias")


def layer_table(net: Representation, size: int | list[int] | Size | None = None) -> str:
    """One line per layer in order of computation: name, node, shape, stride, field, aliases.

    size: of the images; None: the net's own. Of smaller ones, the layers that they get to.
    """
    nodes = {}
    for alias in net.aliases:
        with suppress(UserError):  # whoever wrote an alias that leads nowhere needs this list
            nodes[alias] = net.layer(alias).node
    layers = net.layers(size)
    rows = [
        HEADINGS,
        *(_row(x, [a for a, node in nodes.items() if node == x.node]) for x in layers),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _row(layer: Layer, aliases: list[str]) -> tuple[str, ...]:
    shape = "x".join(map(str, layer.shape))
    stride = "-" if layer.stride is None else f"{layer.stride:g}"
    field = "-" if layer.field is None else str(layer.field)
    return layer.name, layer.node, shape, stride, field, " ".join(aliases)
