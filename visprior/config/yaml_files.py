"""What is wrong with a YAML file, in one line with its name: said before Hydra reads it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.core_plugins import file_config_source
from hydra.plugins.config_source import ConfigResult
from omegaconf.errors import OmegaConfBaseException
from yaml import MappingNode, Node, SequenceNode

from visprior.errors import UserError, one_line, shown

_MOST = 100_000  # values of a file, aliases written out
_DEEPEST = 100  # mappings and lists in each other


class FileConfigSource(file_config_source.FileConfigSource):
    """Hydra's reader of files, which refuses bad ones by name and line.

    Hydra goes by the name of the class: the first of this name that is registered is taken.
    """

    def load_config(self, config_path: str) -> ConfigResult:
        path = Path(self.path) / self._normalize_file_name(config_path)
        if path.is_file():
            check_yaml(path)
        try:
            return super().load_config(config_path)
        except (ValueError, OmegaConfBaseException) as error:
            reason = one_line(str(error).partition("full_key:")[0])
            raise UserError(f"'{shown(path)}': {reason[:200]}") from error


def leads_to_itself(folders: Iterable[Path], words: Iterable[str]) -> Path | None:
    """A file whose defaults name it again, directly or through others; first those in words."""
    named = " ".join(words)
    for folder in folders:
        for path in sorted(folder.rglob("*.yaml"), key=lambda p: p.stem not in named):
            seen: set[Path] = set()
            ahead = [*_defaults(path, folder)]
            while ahead:
                other = ahead.pop()
                if other == path:
                    return path
                if other not in seen:
                    seen.add(other)
                    ahead += _defaults(other, folder)
    return None


def _defaults(path: Path, folder: Path) -> Iterator[Path]:
    """The files that the defaults of a file name, as far as they are in its folder."""
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8")).get("defaults", [])
        pairs = [
            pair for e in entries for pair in (e.items() if isinstance(e, dict) else [("", e)])
        ]
    except (OSError, ValueError, AttributeError, TypeError, yaml.YAMLError):
        return
    for group, value in pairs:
        where = folder if group.split(" ")[-1].startswith("/") else path.parent
        for name in value if isinstance(value, list) else [value]:
            yield where / group.split(" ")[-1].strip("/") / f"{str(name).strip('/')}.yaml"


def check_yaml(path: Path) -> None:
    """Refuse a file that is no YAML mapping, or more than a person writes.

    Raises:
        UserError: the file, the line, and what is wrong.
    """
    where = f"'{shown(path)}'"
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(
            f"{where}, line {line}: not UTF-8; save the file with this encoding"
        ) from error
    except OSError as error:
        raise UserError(f"{where} cannot be read: {error.strerror}") from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            _measure(node, where, (), {})
            content = yaml.load(text, Loader=yaml.SafeLoader)
            _check_content(node, content, where)
    except yaml.MarkedYAMLError as error:
        raise UserError(f"{where}{_line(error)}: {_said(error)}") from error
    except RecursionError as error:
        raise UserError(f"{where}: more than {_DEEPEST} levels of nesting") from error
    except (yaml.YAMLError, ValueError) as error:  # a null byte; a date of month 13
        reason = one_line(error).partition(";")[0].partition(' in "<unicode')[0]
        raise UserError(f"{where}: {reason[:200]}") from error


def _line(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f", line {mark.line + 1}" if mark else ""


def _said(error: yaml.MarkedYAMLError) -> str:
    """PyYAML's reason in the words of who writes the file."""
    problem = one_line(error.problem or error)[:200]
    if "'\\t'" in problem:
        return "a tab; YAML is indented with spaces"
    if "another document" in problem:
        return "a second document ('---'); a file holds one"
    if "could not determine a constructor" in problem:
        return f"{problem.split(' for the tag ')[-1]} is not known; tags (!...) are not used here"
    return problem


def _measure(node: Node, where: str, above: tuple[int, ...], known: dict[int, int]) -> int:
    """How many values a node has, aliases written out. Refuses cycles, bombs and duplicates."""
    line = f"{where}, line {node.start_mark.line + 1}"
    if id(node) in above:
        raise UserError(f"{line}: this holds itself by an alias")
    if len(above) > _DEEPEST:
        raise UserError(f"{line}: more than {_DEEPEST} levels of nesting")
    if id(node) not in known:
        inner: list[Node] = []
        if isinstance(node, MappingNode):
            _check_keys(node, where)
            inner = [one for pair in node.value for one in pair]
        elif isinstance(node, SequenceNode):
            inner = node.value
        known[id(node)] = 1 + sum(_measure(one, where, (*above, id(node)), known) for one in inner)
    if known[id(node)] > _MOST:
        raise UserError(f"{line}: aliases make more than {_MOST} values of this")
    return known[id(node)]


def _check_keys(node: MappingNode, where: str) -> None:
    seen: set[Any] = set()
    for key, _ in node.value:
        line = f"{where}, line {key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise UserError(f"{line}: a key must be a name, not a list or a mapping")
        if key.value in seen:
            raise UserError(f"{line}: '{key.value}' stands there twice")
        seen.add(key.value)


def _check_content(node: Node, content: Any, where: str) -> None:
    """A mapping, whose defaults are names and pairs of a group and names."""
    if not isinstance(content, dict):
        raise UserError(f"{where}, line {node.start_mark.line + 1}: this must be `key: value`")
    defaults = content.get("defaults", [])
    line = next((k.start_mark.line + 1 for k, _ in node.value if k.value == "defaults"), 1)
    if not isinstance(defaults, list):
        raise UserError(f"{where}, line {line}: defaults must be a list, got {defaults}")
    for entry in defaults:
        if not (isinstance(entry, str) or (isinstance(entry, dict) and _is_choice(entry))):
            allowed = "NAME, `group: NAME` or `override /group: NAME`"
            raise UserError(f"{where}, line {line}: in defaults stand {allowed}, got {entry}")


def _is_choice(entry: dict[Any, Any]) -> bool:
    names = [
        one for value in entry.values() for one in (value if isinstance(value, list) else [value])
    ]
    groups = [key for key in entry if isinstance(key, str)]
    own = [name for name in names if name is None or isinstance(name, str)]
    return len(groups) == len(entry) == 1 and len(own) == len(names)
