"""From YAML nodes to parts. Every instantiate call of the project is here."""

import inspect
import re
from contextlib import suppress
from pkgutil import resolve_name
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from visprior.config.allowed import PYTHON_NET, check_class, check_names, nodes_with_target
from visprior.config.argument_types import check_parts
from visprior.config.files import choices_in, chosen_by
from visprior.config.trusted import import_trusted, put_code_folder_first
from visprior.errors import UserError, did_you_mean, one_line

# What YAML has for true and false besides, which the command line reads as texts.
_BOTH_WAYS = {"no": "false", "off": "false", "n": "false", "0": "false"}
_BOTH_WAYS |= {"yes": "true", "on": "true", "y": "true", "1": "true"}
_NO_KEY = re.compile(r"got an unexpected keyword argument '(\w+)'")
_NO_VALUE = re.compile(r"missing \d+ required (?:keyword-only |positional )?arguments?: (.*)")


def build(node: DictConfig, trust: Any = (), **objects: Any) -> Any:
    """The part that a node's _target_ names. Configurations are data: other code needs `trust`.

    objects: arguments that no configuration can hold; they take the place of the node's.

    Raises:
        UserError: a target that is no part and not trusted; arguments that the part refuses.
            Whatever else a constructor raises is a bug there and keeps its traceback.
    """
    if not isinstance(node, DictConfig) or "_target_" not in node:
        raise UserError(f"a part needs a _target_, got {node!r}")
    plain = OmegaConf.to_container(node, resolve=True)
    check_names(plain, trust or ())
    import_trusted(trust or ())
    for target in dict.fromkeys(str(part["_target_"]) for part in nodes_with_target(plain)):
        check_class(target, trust or ())
        if target == PYTHON_NET:
            put_code_folder_first()
    _check_switches(plain, node._get_full_key(None))
    check_parts(plain, node._get_full_key(None), objects)
    try:
        if objects:  # Hydra would copy them
            return _with_objects(node, objects)
        return instantiate(node, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if cause is None:
            raise UserError(f"{node._get_full_key(None)}: {one_line(error)}") from error
        raise _refusal(node, cause) or cause from None


def _with_objects(node: DictConfig, objects: dict[str, Any]) -> Any:
    make = instantiate(node, _convert_="all", _partial_=True)
    try:
        return make(**objects)
    except Exception as error:
        raise InstantiationException(str(error)) from error


def _check_switches(node: Any, key: str) -> None:
    """Refuse what is neither true nor false where a constructor's annotation says bool."""
    if not isinstance(node, dict):
        for i, value in enumerate(node if isinstance(node, list) else []):
            _check_switches(value, f"{key}[{i}]")
        return
    kinds = _annotations(resolve_name(node["_target_"])) if "_target_" in node else {}
    for name, value in node.items():
        _check_switches(value, f"{key}.{name}")
        kind = kinds.get(name)
        if kind in (bool, bool | None) and not isinstance(value, kind):
            meant = _BOTH_WAYS.get(str(value).lower())
            hint = f"; did you mean {meant}?" if meant else ""
            raise UserError(f"{key}.{name} must be true or false, got {value}{hint}")


def _annotations(target: Any) -> dict[str, Any]:
    """The types of a constructor's arguments; a user's own may name types that are not there."""
    with suppress(TypeError, NameError, ValueError):
        found = inspect.signature(target, eval_str=True).parameters
        return {name: parameter.annotation for name, parameter in found.items()}
    return {}


def _refusal(node: DictConfig, cause: BaseException) -> UserError | None:
    """What a constructor did not like about its arguments; None when it is a bug instead."""
    key = node._get_full_key(None)
    text = one_line(cause)
    if isinstance(cause, UserError):
        return cause
    if isinstance(cause, TypeError) and (match := _NO_KEY.search(text)):
        known = inspect.signature(resolve_name(node["_target_"])).parameters
        hint = _nobody_typed(f"{key}.{match[1]}") or did_you_mean(match[1], known)
        return UserError(f"unknown key '{key}.{match[1]}'{hint}")
    if isinstance(cause, TypeError) and (match := _NO_VALUE.search(text)):
        return UserError(f"{key} needs {match[1]}")
    ours = node["_target_"].startswith(("visprior.", "torch."))
    if isinstance(cause, ValueError) or (ours and isinstance(cause, TypeError)):
        return UserError(f"{key}: {text}")
    return None


def _nobody_typed(key: str) -> str:
    """'; recipe=fourier sets it, which is for task=maximization', where a file has set the key."""
    origin, group = chosen_by(key), key.split(".")[0]
    if origin is None:
        return ""
    meant = choices_in(*origin.split("=", 1)).get(group)
    return f"; {origin} sets it" + (f", which is for {group}={meant}" if meant else "")
