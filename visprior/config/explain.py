"""What Hydra and OmegaConf say of a wrong command line, said in one line of ours."""

import re
import sys
from itertools import pairwise
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from visprior.config.schema import config_dir
from visprior.errors import UserError, did_you_mean, one_line

_CHOOSE_KEYS = ("experiment", "recipe")  # groups whose files set keys of other groups
# What pip installs for a launcher: an extra of visprior.
_PLUGINS = {
    "hydra/launcher": {"joblib": "sweep", "submitit_slurm": "slurm", "submitit_local": "slurm"},
    "hydra/sweeper": {},
}
_KINDS = {"Integer": "a whole number", "Float": "a number", "bool": "true or false"}
_ADVICE = r"(To append to your|Set the env|See https?:|Config search path:).*"


def explain(error: BaseException) -> str:
    """One line for an error of Hydra, OmegaConf or our own."""
    text = one_line(error) or one_line(error.__cause__ or type(error).__name__)
    if isinstance(error, UserError):
        return text
    if isinstance(error, OverrideParseException) and "missing EQUAL" not in text:
        return f"cannot read {error.override}: quote special characters, as in \"key='a [b]'\""
    for pattern, wording in _WORDINGS:
        if match := re.search(pattern, text):
            return wording(match, error)
    return re.sub(_ADVICE, "", text)[:500].strip()


def folders() -> list[Path]:
    """The shipped YAML folder and those given with --config-dir."""
    args = sys.argv[1:]
    own = [b for a, b in pairwise(args) if a in ("--config-dir", "-cd")]
    own += [a.split("=", 1)[1] for a in args if a.startswith(("--config-dir=", "-cd="))]
    return [Path(config_dir()), *map(Path, own)]


def members(group: str) -> list[str]:
    """The names that GROUP=NAME may choose."""
    return sorted({p.stem for f in folders() for p in (f / group).glob("*.yaml")})


def groups() -> list[str]:
    """Every group that can be chosen from."""
    return sorted({p.name for f in folders() if f.is_dir() for p in f.iterdir() if p.is_dir()})


def chosen_by(key: str) -> str | None:
    """'recipe=fourier', when that file sets a key (or sweeps over it) that was not typed."""
    if not HydraConfig.initialized() or any(_key(word) == key for word in sys.argv[1:]):
        return None
    choices = HydraConfig.get().runtime.choices
    for group in _CHOOSE_KEYS:
        node = _file(group, choices.get(group))
        swept = (OmegaConf.select(node, "hydra.sweeper.params") or {}).keys()
        if OmegaConf.select(node, key) is not None or key in swept:
            return f"{group}={choices[group]}"
    return None


def member_for(choice: str, group: str) -> str | None:
    """What 'recipe=fourier' chooses in a group by itself."""
    for entry in _file(*choice.split("=", 1)).get("defaults", []):
        for name, value in entry.items() if isinstance(entry, DictConfig) else ():
            if str(name).removeprefix("override ").strip("/") == group:
                return str(value)
    return None


def _key(word: str) -> str:
    return word.split("=", 1)[0].lstrip("+")


def _file(group: str, name: str | None) -> DictConfig:
    """The YAML file of a member, shipped or the user's own; empty when there is none."""
    for folder in folders():
        path = folder / group / f"{name}.yaml"
        if path.is_file():
            return OmegaConf.load(path)  # pyright: ignore[reportReturnType]
    return OmegaConf.create()


def _unknown_member(match: re.Match[str], _: BaseException) -> str:
    group, name = match[1], match[2]
    known = members(group)
    if group in _PLUGINS:
        return _no_plugin(group, name)
    if not known:
        return f"no group '{group}'{did_you_mean(group, [g for g in groups() if g != group])}"
    if name in members("recipe"):  # it sets keys of other groups too
        return f"no '{name}' in group '{group}'; it is a recipe: +recipe={name}"
    return f"no '{name}' in group '{group}'{did_you_mean(name, known)}"


def _no_plugin(group: str, name: str) -> str:
    extra = _PLUGINS[group].get(name)
    if extra:
        return f"{group}={name} is not installed: pip install visprior[{extra}]"
    hint = did_you_mean(name, ["basic", *_PLUGINS[group]])
    return f"no '{name}' in group '{group}'{hint} (others are plugins of Hydra, to be installed)"


def _no_configuration(match: re.Match[str], _: BaseException) -> str:
    names = {p.stem for f in folders() for p in f.glob("*.yaml")}
    return f"no configuration '{match[1]}'{did_you_mean(match[1], sorted(names))}"


def _no_override(match: re.Match[str], error: BaseException) -> str:
    """A key of the command line that could not be set, for the reason that error.__cause__ has."""
    key = match[1]
    if key in groups():
        value = next((a.split("=", 1)[1] for a in sys.argv if a.startswith(f"{key}=")), "NAME")
        return f"nothing is chosen in group '{key}' yet; +{key}={value} adds it"
    cause = one_line(error.__cause__ or error)
    if "Key '" in cause or "no match" in cause.lower() or error.__cause__ is None:
        return _unknown_key(key)
    return f"cannot set {key}: {_reason(cause)}"


def _wrong_type(match: re.Match[str], error: BaseException) -> str:
    return f"{match[1]}: {_reason(one_line(error.__cause__ or error))}"


def _reason(cause: str) -> str:
    """OmegaConf's reason without the keys and types that follow it."""
    if m := re.search(r"Value '(.*?)'.* (?:could not be converted to|is not a valid) (\w+)", cause):
        return f"'{m[1]}' is not {_KINDS.get(m[2], m[2])}"
    return re.sub(r"\s*(full_key|object_type|reference_type)[:=].*", "", cause)[:300]


def _several(match: re.Match[str], _: BaseException) -> str:
    key, value = match[1].split("=", 1)
    return f"{key}={value} has several values: -m sweeps over them, '{key}=[{value}]' is a list"


def _unknown_key(key: str) -> str:
    """The nearest known key at the level where the path leaves the configuration."""
    *parents, last = key.split(".")
    node = _composed()
    for i, parent in enumerate(parents):
        if not isinstance(node, DictConfig) or parent not in node:
            last, absent = parent, ".".join(parents[:i])
            if parent in members(absent):
                return f"'{parent}' is not among the chosen of {absent}; +{absent}={parent} adds it"
            break
        node = node[parent]
    known = [str(k) for k in node if k != "_target_"] if isinstance(node, DictConfig) else []
    return f"unknown key '{key}'{did_you_mean(last, known)}"


def _composed() -> DictConfig | None:
    """The configuration with the groups of the command line and nothing else set."""
    chosen = [a.split("=", 1) for a in sys.argv[1:] if "=" in a and a[0] != "-"]
    overrides = [
        f"{k}={v if v.startswith('[') else v.split(',')[0]}"
        for k, v in chosen
        if k.lstrip("+") in groups()
    ]
    own = ",".join(f"'file://{f.resolve()}'" for f in folders()[1:])
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(config_dir(), version_base="1.3"):
            return compose("config", overrides=[*overrides, f"hydra.searchpath=[{own}]"])
    except (CompactHydraException, OmegaConfBaseException):
        return None


_WORDINGS = [
    (r"Could not (?:find|load) '([^']+)/([^'/]+)'", _unknown_member),
    (r"In '[^']*': Could not (?:find|load) '([^']+)'", _no_configuration),
    (r"Cannot find primary config '([^']+)'", _no_configuration),
    (r"Could not override '([^']+)'", _no_override),
    (r"Could not delete.*'([^']+)' does not exist", lambda m, _: _unknown_key(m[1])),
    (r"Could not append to config\. An item is already at '([^']+)'",
     lambda m, _: f"'{m[1]}' is there already; leave out the +"),
    (r"UserError raised while resolving interpolation: (.*?)(?: full_key: |$)",
     lambda m, _: m[1]),
    (r"Error merging override (\S+)", _wrong_type),
    (r"Key '([^']+)' (?:is )?not in '(\w+)'", lambda m, _: _unknown_key(m[1])),
    (r"Ambiguous value for argument '([^']+)'", _several),
    (r"Error parsing override '([^']*)' missing EQUAL",
     lambda m, _: f"'{m[1]}' is not of the form key=value"),
]  # fmt: skip
