"""Names of layers: those of papers and Keras on one side, nodes of the graph on the other."""

import re
from collections.abc import Iterable, Sequence

from visprior.errors import UserError, did_you_mean

DEPTHS = {"shallow": 0.25, "middle": 0.5, "deep": 0.75}  # what their names mean without aliases
LOGITS = "logits"

_FIELD = re.compile(r"\{(\w+?)([+-]\d+)?\}")


class NoLayer(UserError):
    """A network was asked for a layer that it does not have."""


class LayerNames:
    """The table of a network: what papers call a layer, and what its graph does.

    Args:
        layers: {name: node}, e.g. {"block_{k}_add": "features.{k+1}.add"}: either side may have
            fields, positive whole numbers; the first row that fits names a node.
        aliases: {alias: name}, such as shallow, middle, deep, logits.
        net: the network's name, for errors.
    """

    def __init__(self, layers: dict[str, str] | None, aliases: dict[str, str] | None, net: str):
        self.net = net
        self._rows = list((layers or {}).items())
        self._aliases = dict(aliases or {})
        self.aliases = list(dict.fromkeys([*DEPTHS, LOGITS, *self._aliases]))  # and those of all

    def node(self, name: str, nodes: Iterable[str], maps: Sequence[str] = ()) -> str:
        """The node for an alias, a name of the table, a node, or a module (its last node).

        Args:
            nodes: all nodes in order of computation; logits without an alias are the last one.
            maps: those of which the depths are fractions, for shallow, middle and deep without an
                alias; the last node where there are none.

        Raises:
            NoLayer: no such layer.
        """
        nodes = list(nodes)
        if name not in self._aliases and name in (*DEPTHS, LOGITS):
            by_place = name in DEPTHS and maps
            return maps[int(DEPTHS[name] * len(maps))] if by_place else nodes[-1]
        wanted = str(self._aliases.get(name, name))
        for in_paper, in_graph in self._rows:
            if (node := _translate(wanted, in_paper, in_graph)) in nodes:
                return str(node)
        if wanted in nodes:
            return wanted
        inside = [node for node in nodes if node.startswith(f"{wanted}.")]
        if wanted and inside:
            return inside[-1]
        known = [*map(self.name, nodes), *nodes, *self._aliases]
        hint = did_you_mean(name, dict.fromkeys(known))
        raise NoLayer(f"no layer '{name}' in {self.net}{hint}")

    def name(self, node: str) -> str:
        """The name of a node in the table; the node itself when it has none."""
        for in_paper, in_graph in self._rows:
            if name := _translate(node, in_graph, in_paper):
                return name
        return node


def _translate(text: str, source: str, target: str) -> str | None:
    """text, which fits the pattern source, in the pattern target; None: it does not fit."""
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
