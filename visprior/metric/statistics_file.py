"""Statistics of channels and colours, with all that tells whether they are the right ones."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from visprior.errors import UserError, did_you_mean, shown
from visprior.files.whole import write_bytes, write_json
from visprior.metric.channels import FIELDS, ChannelTable
from visprior.net.fingerprint import fingerprint
from visprior.net.representation import Layer

NAME = "statistics.safetensors"


@dataclass
class Statistics:
    """What was measured, of which net, on which pictures."""

    net: str
    size: list[int]  # of the pictures
    data: Any  # as `data` and `sample` were given
    sample: dict[str, Any]
    count: int  # pictures
    layers: dict[str, dict[str, Any]]  # {layer: node and shape}
    weights: dict[str, str]  # fingerprint of the net up to the last of these layers
    names: dict[str, str]  # of the pictures that are examples, by their number
    colour: dict[str, Any] | None = (
        None  # of the pictures: mean, covariance and its root, or unknown
    )
    tables: dict[str, ChannelTable] = field(default_factory=dict)  # by layer

    def table(self, layer: Layer, cut: nn.Module, path: Path) -> ChannelTable:
        """The table of one layer.

        Raises:
            UserError: it is of another net, or not there.
        """
        names = [k for k, about in self.layers.items() if about["node"] == layer.node]
        if not names:
            hint = did_you_mean(layer.name, self.layers)
            raise UserError(f"'{shown(path)}' has no statistics of layer={layer.name}{hint}")
        mine = fingerprint(cut)
        if other := [k for k, digest in mine.items() if self.weights.get(k) != digest]:
            what = f"of {self.net} with other weights than these ({other[0]} differs)"
            raise UserError(f"the statistics in '{shown(path)}' are {what}")
        return self.tables[names[0]]


def save_statistics(path: Path, found: Statistics) -> None:
    """The tables as safetensors, all else in its header and as JSON beside it."""
    from safetensors.torch import save

    tensors = {
        f"{k}/{n}": t for k, table in found.tables.items() for n, t in table.tensors().items()
    }
    about = {k: v for k, v in asdict(found).items() if k != "tables"}
    plain = {n: t.contiguous() for n, t in tensors.items()}
    write_bytes(path, save(plain, {"about": json.dumps(about)}))
    write_json(path.with_suffix(".json"), about)


def load_statistics(path: str | Path, key: str = "task.statistics") -> tuple[Statistics, Path]:
    """Statistics from a file, or from a folder that holds one; and the file. key: what named it.

    Raises:
        UserError: there is none, or it is damaged.
    """
    from safetensors import SafetensorError, safe_open

    given = Path(path).expanduser()
    file = given / NAME if given.is_dir() else given
    if not file.is_file():
        near = did_you_mean(str(path), [str(p) for p in given.parent.glob("*.safetensors")])
        raise UserError(f"{key}={path}: there is no '{shown(file)}'{near}")
    try:
        with safe_open(file, framework="pt") as opened:
            about = json.loads((opened.metadata() or {}).get("about", ""))
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        found = Statistics(**about)
        found.tables = {layer: _table(tensors, layer) for layer in found.layers}
    except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"'{shown(file)}' holds no statistics of visprior: {error!r}") from error
    return found, file


def _table(tensors: dict[str, Tensor], layer: str) -> ChannelTable:
    parts = {name: tensors[f"{layer}/{name}"] for name in FIELDS}
    whole = {name: parts[name].long() for name in ("image", "position")}
    return ChannelTable(**(parts | whole))
