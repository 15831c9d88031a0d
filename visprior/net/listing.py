"""The layers of a network as a table of text."""

from visprior.net.representation import Layer, Representation


def layer_table(net: Representation) -> str:
    """One line per layer in order of computation: name, node, shape, stride, receptive field."""
    rows = [("layer", "node", "shape", "stride", "field"), *map(_row, net.layers())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _row(layer: Layer) -> tuple[str, str, str, str, str]:
    shape = "x".join(map(str, layer.shape))
    stride = "-" if layer.stride is None else f"{layer.stride:g}"
    field = "-" if layer.field is None else str(layer.field)
    return layer.name, layer.node, shape, stride, field
