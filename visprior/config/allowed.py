"""Which classes and functions a configuration may name: YAML files are data and run no code.

docs/safety.md has the rule in words.
"""

import inspect
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from visprior.config.schema import config_dir
from visprior.config.trusted import names_of
from visprior.config.typed import typed_texts
from visprior.errors import UserError

PYTHON_NET = "visprior.net.python.PythonNet"
_ROOMS = "kernel", "metric", "net", "optimizer", "param", "regularizer", "schedule", "task"
_OURS = tuple(f"visprior.{room}." for room in _ROOMS)
_TORCH = ("torch.nn.", "torch.optim.")
# Classes below these are parts; so are those that the shipped YAML files name.
_BASES = {f"visprior.{room}.base" for room in _ROOMS} | {"visprior.net.representation"}
_BASES |= {"torch.nn.modules.module", "torch.optim.optimizer", "torch.optim.lr_scheduler"}


def check_names(plain: Any, trust: Iterable[str], resolved: bool = True) -> None:
    """Refuse _target_s by their names, and what net=python would import. Nothing is imported.

    plain: a node as dictionaries and lists. resolved: without, interpolations are passed over.

    Raises:
        UserError: a name that is neither of a part nor trusted.
    """
    trusted = names_of(trust)
    for node in nodes_with_target(plain):
        target = str(node["_target_"])
        if "${" in target and not resolved:
            continue
        if not target.startswith((*_OURS, *_TORCH, *_prefixes(trusted))):
            package = target.split(".", maxsplit=1)[0]
            whose = "no part of visprior" if package == "visprior" else "not visprior's"
            raise UserError(f"_target_={target} is {whose}; {_way(package)} allows it")
        code = node.get("target")
        if target == PYTHON_NET and isinstance(code, str) and (resolved or "${" not in code):
            _check_code(code, trusted)


def check_class(target: str, trust: Iterable[str]) -> None:
    """Refuse a target, whose name is allowed, for what the name leads to.

    Raises:
        UserError: it is not there, it belongs to another package, or it is no part but a function.
    """
    found = _found(target)
    package = target.split(".", maxsplit=1)[0]
    module = f"{getattr(found, '__module__', '')}."
    if module.startswith(_prefixes(names_of(trust))):
        return
    if not module.startswith((*_OURS, *_TORCH)):
        raise UserError(f"_target_={target} leads out of {package}, to {found!r}")
    is_part = inspect.isclass(found) and any(c.__module__ in _BASES for c in found.__mro__)
    if not is_part and target not in _shipped():
        raise UserError(f"_target_={target} is no class of a part; {_way(package)} allows it")


def nodes_with_target(plain: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary in it that has a _target_."""
    if isinstance(plain, dict):
        if "_target_" in plain:
            yield plain
        plain = list(plain.values())
    if isinstance(plain, list):
        for part in plain:
            yield from nodes_with_target(part)


def _prefixes(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{name}." for name in names)


def _way(package: str) -> str:
    """'trust=[my_parts.py]' for a file in the current folder, else the package."""
    file = f"{package}.py"
    return f"trust=[{file if Path(file).is_file() else package}]"


def _check_code(code: str, trusted: list[str]) -> None:
    """net.target, which is imported: typed as it is, or of a module that is trusted."""
    module = code.partition(":")[0]
    if f"{module}.".startswith(_prefixes(trusted)) or code in typed_texts():
        return
    package = module.split(".", maxsplit=1)[0]
    where = f"net.target={code} stands in a file, and its code would run"
    raise UserError(f"{where}; {_way(package)} on the command line allows it")


def _found(target: str) -> Any:
    """What a name leads to."""
    package = target.split(".", maxsplit=1)[0]
    try:
        return resolve_name(target)
    except ValueError as error:  # not even a name
        raise UserError(f"_target_={target}: there is nothing of that name") from error
    except (ImportError, AttributeError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name == package:
            hint = f"; trust=[{package}.py] names a file, or its folder is put on PYTHONPATH"
            raise UserError(f"_target_={target}: no module '{package}'{hint}") from error
        if isinstance(error, AttributeError) and not _broken(target):
            raise UserError(f"_target_={target}: there is nothing of that name") from error
        raise


def _broken(target: str) -> bool:
    """Whether a module on the way to a target is there, but cannot be imported."""
    parts = target.split(".")[:-1]
    for i in range(1, len(parts) + 1):
        name = ".".join(parts[:i])
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            return error.name != name
        except ImportError:
            return True
    return False


@cache
def _shipped() -> set[str]:
    """Every _target_ in the YAML files of visprior."""
    files = Path(config_dir()).rglob("*.yaml")
    texts = (path.read_text(encoding="utf-8") for path in files)
    return {name for text in texts for name in re.findall(r"_target_: *([\w.]+)", text)}
