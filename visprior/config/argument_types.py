"""Whether values are of the types that a constructor, or a key of the root, names for them."""

import math
from collections.abc import Collection, Mapping
from inspect import isclass
from pkgutil import resolve_name
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from visprior.config.objects import is_object
from visprior.errors import UserError, did_you_mean

# What a part of a group must have, or it belongs to another group.
_HAS = {"net": "cut", "task": "prepare", "param": "decode", "optimizer": "init"}
_HAS |= {"schedule": "stages", "regularizer": "energy", "metric": "measure", "kernel": "filter"}

_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
_WORDS |= {NoneType: "null", dict: "a mapping {key: value}", list: "a list"}
_LARGEST = 2**63 - 1  # a whole number for PyTorch


def check_parts(node: Any, key: str, objects: Collection[str] = ()) -> None:
    """Check the part that a node stands for, and those inside it, against their constructors.

    key: of the node. objects: arguments of the outermost part that do not come from the node.

    Raises:
        UserError: a part of another group, or a value of another type than the constructor's.
    """
    if isinstance(node, list):
        for i, inner in enumerate(node):
            check_parts(inner, f"{key}[{i}]")
    if not isinstance(node, dict):
        return
    own = {name: value for name, value in node.items() if name not in objects}
    if "_target_" in node:
        target = str(node["_target_"])
        made = resolve_name(target)
        needed = _HAS.get(key.partition(".")[0]) if key.count(".") < 2 else None
        whole = "." not in key or key.startswith(("regularizer.", "metric."))
        if isclass(made) and needed and whole and not hasattr(made, needed):
            raise UserError(f"{key}._target_={target} is no {key.partition('.')[0]}")
        if strange := {"_args_", "_partial_"} & set(node):
            raise UserError(f"unknown key '{key}.{strange.pop()}'; arguments have names here")
        check_arguments(made, own, key)
    for name, value in own.items():
        check_parts(value, f"{key}.{name}")


def check_arguments(cls: Any, kwargs: Mapping[str, Any], key: str) -> None:
    """Check values by the annotations of a class's constructor; what has none may be anything.

    Raises:
        UserError: a value of another type; the line names its key and what is allowed.
    """
    try:
        kinds = get_type_hints(cls.__init__ if isclass(cls) else cls)
    except (TypeError, NameError, AttributeError):
        return  # a user's own, whose annotations Python cannot read
    for name, value in kwargs.items():
        if name in kinds and name != "return":
            check_value(f"{key}.{name}".lstrip("."), value, kinds[name])


def check_value(key: str, value: Any, kind: Any) -> None:
    """Check that value is of a kind: int, float, str, bool, None, list[..], dict[..], A | B, Any.

    A number is finite, and true is none; a whole number fits into 64 bits.

    Raises:
        UserError: it is not; the line names the innermost key that is wrong.
    """
    if fits(value, kind):
        return
    inner = [k for k in _alternatives(kind) if get_origin(k) is dict]
    if isinstance(value, dict) and inner:
        of_name, of_value = get_args(inner[0])
        for name, one in value.items():
            check_value(f"a name in {key}", name, of_name)
            check_value(f"{key}.{name}", one, of_value)
    raise UserError(f"{key} must be {_said(kind)}, got {as_typed(value)}{_hint(value, kind)}")


def fits(value: Any, kind: Any) -> bool:
    """Whether value is of a kind; see check_value."""
    if kind is Any or is_object(value):
        return True
    if get_origin(kind) in (Union, UnionType):
        return any(fits(value, one) for one in get_args(kind))
    if get_origin(kind) is dict:
        of_name, of_value = get_args(kind)
        return isinstance(value, dict) and all(
            fits(k, of_name) and fits(v, of_value) for k, v in value.items()
        )
    if _is_list(kind):
        of = next(iter(get_args(kind)), Any)
        return isinstance(value, list | tuple) and all(fits(one, of) for one in value)
    if kind is float:
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        return plain and math.isfinite(_float(value))
    if kind is int:
        return type(value) is int and abs(value) <= _LARGEST
    if kind in _WORDS:
        return isinstance(value, kind)
    return not _is_part(kind) or (isinstance(value, dict) and _makes(value, kind))


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _is_list(kind: Any) -> bool:
    origin = get_origin(kind)
    return isclass(origin) and not issubclass(origin, dict) and issubclass(list, origin)


def _is_part(kind: Any) -> bool:
    """Whether a kind is a class of ours or PyTorch's, which only a node with a _target_ makes."""
    return isclass(kind) and kind.__module__.split(".")[0] in ("visprior", "torch")


def _makes(node: dict[str, Any], kind: type) -> bool:
    made = resolve_name(str(node["_target_"])) if "_target_" in node else dict
    return not isclass(made) or issubclass(made, kind)


def _alternatives(kind: Any) -> list[Any]:
    return list(get_args(kind)) if get_origin(kind) in (Union, UnionType) else [kind]


def _said(kind: Any) -> str:
    """'null, a number or a list of numbers'."""
    words = [_noun(one) for one in sorted(_alternatives(kind), key=lambda k: k is not NoneType)]
    *first, last = dict.fromkeys(words)
    return f"{', '.join(first)} or {last}" if first else last


def _noun(kind: Any) -> str:
    if kind in _WORDS:
        return _WORDS[kind]
    if get_origin(kind) is dict:
        return _WORDS[dict]
    if _is_list(kind):
        of = next(iter(get_args(kind)), Any)
        several = {int: "whole numbers", float: "numbers", str: "names"}.get(of)
        return f"a list of {several}" if several else "a list"
    return f"a part of the kind {kind.__name__}" if isclass(kind) else "anything"


def as_typed(value: Any) -> str:
    """A value as a user types it, at most 80 characters of it."""
    plain = {None: "null", True: "true", False: "false", "": "''"}
    text = plain[value] if value is None or value is True or value is False or value == "" else ""
    text = text or str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _hint(value: Any, kind: Any) -> str:
    """What was probably meant, where digits were typed for a name, or a number is too large."""
    kinds = _alternatives(kind)
    if type(value) is int and abs(value) > _LARGEST:
        return "; it has more than 64 bits"
    if str in kinds and isinstance(value, int | float) and not isinstance(value, bool):
        return f"; quotes make a name of it: \"'{value}'\""
    return did_you_mean(str(value), ["true", "false"]) if kinds == [bool] and value else ""
