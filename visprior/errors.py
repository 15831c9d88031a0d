"""A user's mistake as one line: what was wrong, what is allowed, what was probably meant."""

import difflib
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from hydra.errors import CompactHydraException
from omegaconf.errors import OmegaConfBaseException


class UserError(CompactHydraException):
    """Something the user can put right. Shown without a traceback, exit code 2."""


class RunFailed(UserError):
    """The job ran but a result is not to be trusted (NaN, Inf). Exit code 1."""


def did_you_mean(name: str, allowed: Iterable[str], limit: int = 12) -> str:
    """'; did you mean 'tv'?', or the list of what is allowed when nothing is near."""
    allowed = [str(a) for a in allowed]
    near = difflib.get_close_matches(str(name), allowed, n=3, cutoff=0.6)
    if near:
        return "; did you mean " + " or ".join(f"'{n}'" for n in near) + "?"
    more = ", ..." if len(allowed) > limit else ""
    return f"; allowed: {', '.join(allowed[:limit])}{more}" if allowed else ""


def choice(what: str, value: object, allowed: Iterable[str]) -> str:
    """value, when it is one of allowed; else a UserError that names them."""
    allowed = list(allowed)
    if value not in allowed:
        raise UserError(f"{what}={value} is not known{did_you_mean(str(value), allowed)}")
    return str(value)


def explain(error: BaseException, argv: list[str], configs: Path) -> str:
    """One line for an error of Hydra, OmegaConf or our own."""
    text = " ".join(str(error).split())
    if isinstance(error, UserError):
        return text
    if m := re.search(r"Could not find '([^']+)/([^'/]+)'", text):
        return _unknown_member(m[1], m[2], argv, configs)
    if m := re.search(r"In '[^']*': Could not find '([^']+)'", text):
        return f"no configuration '{m[1]}'"
    if m := re.search(r"Could not override '([^']+)'", text):
        if "not in struct" in text or "not in 'RunConfig'" in text or "is not in" in text:
            return _unknown_key(m[1])
        reason = str(error).splitlines()[-1] if len(str(error).splitlines()) > 1 else ""
        return f"could not set '{m[1]}': {text.split('Set the env')[0]} {reason}".strip()[:400]
    if m := re.search(r"Key '([^']+)' (?:is )?not in '(\w+)'", text):
        return _unknown_key(m[1])
    return re.sub(r"(To append to your config use|Set the environment).*", "", text)[:500].strip()


def _folders(argv: list[str], configs: Path) -> list[Path]:
    """The shipped YAML folder and those given with --config-dir."""
    extra = [a.split("=", 1)[1] for a in argv if a.startswith("--config-dir=")]
    extra += [b for a, b in zip(argv, argv[1:], strict=False) if a in ("--config-dir", "-cd")]
    return [configs, *map(Path, extra)]


def _unknown_member(group: str, name: str, argv: list[str], configs: Path) -> str:
    members = sorted({p.stem for f in _folders(argv, configs) for p in (f / group).glob("*.yaml")})
    if not members:
        groups = [p.name for p in configs.iterdir() if p.is_dir()]
        return f"no group '{group}'{did_you_mean(group, groups)}"
    return f"no '{name}' in group '{group}'{did_you_mean(name, members)}"


def _unknown_key(key: str) -> str:
    """The nearest known key at the level where the path leaves the configuration."""
    from hydra import compose
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import DictConfig

    from visprior.config import config_dir

    known: list[str] = []
    try:
        from hydra import initialize_config_dir

        GlobalHydra.instance().clear()
        groups = [a for a in sys.argv[1:] if re.match(r"^\w+=[\w\[\],]+$", a) and _is_group(a)]
        with initialize_config_dir(config_dir(), version_base="1.3"):
            node = compose("config", overrides=groups)
        *parents, last = key.split(".")
        for parent in parents:
            if not isinstance(node, DictConfig) or parent not in node:
                last = parent
                break
            node = node[parent]
        known = [str(k) for k in node if k != "_target_"] if isinstance(node, DictConfig) else []
        return f"unknown key '{key}'{did_you_mean(last, known)}"
    except (CompactHydraException, OmegaConfBaseException):
        return f"unknown key '{key}'"


def _is_group(override: str) -> bool:
    from visprior.config import config_dir

    return (Path(config_dir()) / override.split("=")[0]).is_dir()
