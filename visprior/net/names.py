"""Names of layers: those of papers and Keras on one side, nodes of the graph on the other."""

import re
from collections.abc import Iterable

from visprior.errors import UserError, did_you_mean

_FIELD = re.compile(r"\{(\w+?)([+-]\d+)?\}")


class NoLayer(UserError):
    """A network was asked for a layer that it does not have."""


class Pattern:
    """One row of a table, e.g. `block_{k}_add: features.{k+1}.add`; k is a positive integer."""

    def __init__(self, name: str, node: str):
        self.name, self.node = name, node

    def to_node(self, name: str) -> str | None:
        """The node that a name stands for, None when the row does not speak of it."""
        return _translate(name, self.name, self.node)

    def to_name(self, node: str) -> str | None:
        """The name of a node, None when the row does not speak of it."""
        return _translate(node, self.node, self.name)


def _translate(text: str, source: str, target: str) -> str | None:
    fields = list(_FIELD.finditer(source))
    literal = _FIELD.split(source)[::3]  # the split yields text, variable, shift, text, ...
    match = re.fullmatch(r"(\d+)".join(map(re.escape, literal)), text)
    if not match:
        return None
    values: dict[str, int] = {}
    for field, digits in zip(fields, match.groups(), strict=True):
        value = int(digits) - int(field[2] or 0)
        if value < 1 or values.setdefault(field[1], value) != value:
            return None
    return _FIELD.sub(lambda f: str(values[f[1]] + int(f[2] or 0)), target)


class LayerNames:
    """The table of a network.

    Args:
        layers: {name: node}, either side with fields like {b} or {b-1}; the first row that fits
            names a node in lists.
        aliases: {alias: name}, such as shallow, middle, deep, logits.
        net: the network's name, for errors.
    """

    def __init__(self, layers: dict[str, str] | None, aliases: dict[str, str] | None, net: str):
        self.net = net
        self.patterns = [Pattern(name, node) for name, node in (layers or {}).items()]
        self.aliases = dict(aliases or {})

    def node(self, name: str, nodes: Iterable[str]) -> str:
        """The node for an alias, a name of the table, a node, or a module (its last node).

        Raises:
            NoLayer: no such layer.
        """
        nodes = list(nodes)
        wanted = str(self.aliases.get(name, name))
        for pattern in self.patterns:
            if (node := pattern.to_node(wanted)) in nodes:
                return str(node)
        if wanted in nodes:
            return wanted
        inside = [node for node in nodes if node.startswith(f"{wanted}.")]
        if wanted and inside:
            return inside[-1]
        known = [*map(self.name, nodes), *nodes, *self.aliases]
        hint = did_you_mean(name, dict.fromkeys(known))
        raise NoLayer(f"no layer '{name}' in {self.net}{hint}")

    def name(self, node: str) -> str:
        """The name of a node in the table; the node itself when it has none."""
        for pattern in self.patterns:
            if name := pattern.to_name(node):
                return name
        return node
