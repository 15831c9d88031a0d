"""Objects that a caller in Python gives: a configuration holds the class and a digest of each."""

from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from visprior.errors import UserError

_KEYS = {"object", "digest"}


class Objects:
    """The objects of one call, of which its configuration has the class and digest only."""

    def __init__(self) -> None:
        self._by_digest: dict[str, Any] = {}

    def add(self, thing: Any, kind: type, digest: str) -> str:
        """Keep a thing; what stands for it in the words of a command: its class and digest."""
        self._by_digest[digest] = thing
        return f"{{object:'{kind.__module__}.{kind.__qualname__}',digest:'{digest}'}}"

    def of(self, node: Mapping[Any, Any]) -> Any:
        """The thing that a node of a configuration stands for.

        Raises:
            UserError: it was not given in this call.
        """
        if node["digest"] not in self._by_digest:
            raise UserError(f"{node['object']} is an object, which only visprior.run in Python has")
        return self._by_digest[node["digest"]]

    def arguments(self, node: DictConfig) -> dict[str, Any]:
        """The things among the values of a node, by their keys."""
        return {str(key): self.of(value) for key, value in node.items() if is_object(value)}


def is_object(node: Any) -> bool:
    """Whether a node of a configuration stands for an object."""
    return isinstance(node, DictConfig | dict) and set(node) == _KEYS


def has_objects(cfg: DictConfig) -> bool:
    """Whether anything in a configuration stands for an object."""
    return any(is_object(node) for node in _nodes(OmegaConf.to_container(cfg, resolve=False)))


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for one in inside:
        yield from _nodes(one)


def entries(node: Any) -> list[Any]:
    """What a key that takes one or several things names, as a list."""
    return list(node) if isinstance(node, list | tuple | ListConfig) else [node]
