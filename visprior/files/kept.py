"""The files that a run leaves in its folder: whether they hold what runs write there."""

from pathlib import Path
from typing import Any

from visprior.errors import UserError

_NUMBER = (int, float)
# By the name of the file: what its keys hold, where they are there and not null.
_KINDS: dict[str, dict[str, Any]] = {
    "run.json": {
        **dict.fromkeys(("parts", "main", "versions"), dict),
        **dict.fromkeys(("status", "reason", "config_hash", "task", "net", "model"), str),
        **dict.fromkeys(("weights", "weights_asked", "why_random", "device"), str),
        **dict.fromkeys(("overrides", "warnings", "stages"), list),
        "seconds": _NUMBER,
        "steps": int,
        "layer": (str, list),
    },
    "metrics.json": {"images": list, "summary": dict},
}
_OF_IMAGE: dict[str, Any] = dict.fromkeys(("label", "status", "reason", "file"), str)
_NAMES = {dict: "a mapping", str: "text", list: "a list", int: "a whole number"}


def check_kept(path: Path, content: Any) -> None:
    """Check run.json, metrics.json and snapshots/metrics.json; any other content is let through.

    Raises:
        UserError: the file, the key, and what it must hold.
    """
    if path.name not in _KINDS:
        return
    _check(path, "it", content, dict)
    if path.parent.name == "snapshots":
        for step, images in content.items():
            _check(path, step, images, dict)
            for label, values in images.items():
                _check(path, f"{step}.{label}", values, dict)
        return
    _check_keys(path, content, _KINDS[path.name], "")
    for i, image in enumerate(content.get("images") or [] if path.name == "metrics.json" else []):
        _check(path, f"images[{i}]", image, dict)
        _check_keys(path, image, _OF_IMAGE, f"images[{i}].")


def _check_keys(path: Path, content: dict[str, Any], kinds: dict[str, Any], above: str) -> None:
    for key, kind in kinds.items():
        if content.get(key) is not None:
            _check(path, f"{above}{key}", content[key], kind)


def _check(path: Path, key: str, value: Any, kind: Any) -> None:
    if not isinstance(value, kind) or isinstance(value, bool):
        wanted = "a number" if kind is _NUMBER else _NAMES.get(kind, "text or a list")
        raise UserError(f"'{path}' is damaged: {key} must be {wanted}, not {str(value)[:40]}")
