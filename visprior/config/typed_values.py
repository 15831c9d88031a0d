"""Whether the root keys of a configuration are there and hold what they may."""

from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from visprior.config.argument_types import as_typed, check_value
from visprior.config.schema import RunConfig
from visprior.errors import UserError, did_you_mean

_PARTS = ("net", "task", "kernel", "param", "optimizer", "schedule")  # one of each group
# What the keys may hold that are Any in the schema, as OmegaConf knows no such unions.
KINDS: dict[str, Any] = {
    **dict.fromkeys(_PARTS, dict[str, Any]),
    **dict.fromkeys(("regularizer", "metric"), dict[str, Any]),  # by name; null leaves one out
    **dict.fromkeys(("fluid_kernel", "elastic_kernel"), dict[str, Any] | None),
    **dict.fromkeys(("layer", "image"), str | list[str]),
    "data": str | list[str] | None,
    "channel": int | str | list[int | str] | None,
    "size": int | list[int] | None,
    "micro_batch": int | str,
}


def check_values(cfg: dict[str, Any]) -> None:
    """Refuse keys that are no root keys, were taken away, or hold values of another type.

    cfg: the resolved configuration as plain values.

    Raises:
        UserError: in one line, for the first of them.
    """
    known = [f.name for f in fields(RunConfig)]
    for key in map(str, cfg):
        if key not in known:
            raise UserError(f"unknown key '{key}'{did_you_mean(key, known)}")
    _check_names(cfg, "")
    _check(cfg, RunConfig, "")
    if cfg["channel"] == []:
        raise UserError("channel=[] names no channel; null asks for none")


def _check(values: dict[str, Any], kind: type, above: str) -> None:
    """Check the keys of one dataclass of the schema."""
    types = get_type_hints(kind)
    for field in fields(kind):
        key = f"{above}{field.name}"
        if field.name not in values:
            raise UserError(f"{key} was taken away; ~ is for parts, as in ~regularizer.tv")
        value, wanted = values[field.name], KINDS.get(key, types[field.name])
        if is_dataclass(wanted) and isinstance(wanted, type):
            if not isinstance(value, dict):
                raise UserError(f"{key} must be a mapping {{key: value}}, got {as_typed(value)}")
            _check(value, wanted, f"{key}.")
        elif key in _PARTS and not (isinstance(value, dict) and "_target_" in value):
            raise UserError(f"{key} must be chosen by its name, {key}=NAME, got {as_typed(value)}")
        else:
            check_value(key, value, wanted)


def _check_names(value: Any, key: str) -> None:
    """Refuse text that cannot be written down: names of files that are not UTF-8."""
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_names(str(name), key)
            _check_names(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for inner in value:
            _check_names(inner, key)
    elif isinstance(value, str) and any(0xD800 <= ord(c) < 0xE000 for c in value):
        shown = value.encode("utf-8", "backslashreplace").decode()
        raise UserError(f"{key}={shown} is not UTF-8; rename what it names")
