"""The YAML files, shipped and the user's own: which there are, which are chosen, what they set."""

import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from visprior.config.schema import RunConfig, config_dir
from visprior.errors import UserError, did_you_mean

# What Hydra does not read as a name.
_NO_NAME = re.compile(r"(?i)[-+]?(\d[\d_]*(\.\d*)?(e[-+]?\d+)?|inf|nan)|true|false|null")
_ROOT = {field.name for field in fields(RunConfig)}
PRESETS = ("experiment", "recipe")  # groups whose files set keys of other groups


def without_folders(words: Iterable[str]) -> tuple[list[str], list[Path]]:
    """The words of a command line without --config-dir, and the folders that it names."""
    others: list[str] = []
    named: list[Path] = []
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if option in ("--config-dir", "-cd"):
            named.append(Path(value if equals else next(rest, "")))
        else:
            others.append(word)
    return others, named


def in_order(settings: Iterable[str], words: Sequence[str]) -> list[str]:
    """Of the words of a command its settings, those first that choose experiments and recipes.

    To Hydra, an experiment or a recipe that follows `+regularizer=l1` takes back what this has
    added, without a word.

    Raises:
        UserError: GROUP=null, of which Hydra makes a job without that part.
    """
    first = tuple(f"+{group}=" for group in PRESETS)
    ordered = sorted(settings, key=lambda word: not word.startswith(first))
    for group, _, value in (word.partition("=") for word in ordered):
        if value == "null" and (known := names_in(group, words)):
            raise UserError(f"{group}=null: choose one of {', '.join(known)}")
        if group.startswith("~") and group[1:] in _ROOT:
            raise UserError(f"{group[1:]} was taken away; ~ is for parts, as in ~regularizer.tv")
        if group == "hydra" or (group == "hydra.verbose" and re.fullmatch(r"[-+\d.]+", value)):
            keys = (
                "true or names of loggers" if "." in group else "keys, as in hydra.run.dir=FOLDER"
            )
            raise UserError(f"{group}={value}: it has {keys}")
        chosen = [name.strip("[] ") for name in value.split(",")]
        if any(map(_NO_NAME.fullmatch, chosen)) and (
            known := names_in(group.lstrip("+").partition("@")[0], words)
        ):
            raise UserError(f"no '{value}' in group '{group}'{did_you_mean(value, known)}")
    return ordered


def folders(words: Sequence[str] | None = None) -> list[Path]:
    """The shipped YAML folder and the user's own: of these words, or of the command that runs."""
    if words is not None:
        return [Path(config_dir()), *without_folders(words)[1]]
    sources = HydraConfig.get().runtime.config_sources if HydraConfig.initialized() else ()
    # Of a command, --config-dir; of a configuration that was composed, hydra.searchpath.
    named = ("command-line", "hydra.searchpath in command-line")
    own = [Path(s.path) for s in sources if s.schema == "file" and s.provider in named]
    return [Path(config_dir()), *(folder for folder in own if folder.is_dir())]


def names_in(group: str, words: Sequence[str] | None = None) -> list[str]:
    """The names that GROUP=NAME may choose, in the same folders."""
    return sorted({p.stem for f in folders(words) for p in _files_of(f / group)})


def _files_of(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*.yaml") if path.is_file()]


def groups(words: Sequence[str] | None = None) -> list[str]:
    """Every group that can be chosen from, in the same folders."""
    there = [f for f in folders(words) if f.is_dir()]
    return sorted({p.name for f in there for p in f.iterdir() if p.is_dir()})


def yaml_of(group: str, name: str | None) -> DictConfig:
    """What GROUP/NAME.yaml holds, shipped or the user's own; empty where none can be read."""
    for folder in folders():
        path = folder / group / f"{name}.yaml"
        with suppress(OSError, ValueError, YAMLError, OmegaConfBaseException):
            if isinstance(content := OmegaConf.load(path), DictConfig):
                return content
    return OmegaConf.create()


def chosen_by(key: str) -> str | None:
    """'recipe=fourier', when that file sets a key (or sweeps over it) that was not typed."""
    if not HydraConfig.initialized():
        return None
    about = HydraConfig.get()
    swept = about.mode == RunMode.MULTIRUN  # then its overrides are the sweeper's too
    words = [*sys.argv[1:], *([] if swept else about.overrides.task)]
    if key in (word.partition("=")[0].lstrip("+") for word in words):
        return None
    choices = about.runtime.choices
    for group in PRESETS:
        node = yaml_of(group, choices.get(group))
        swept = (OmegaConf.select(node, "hydra.sweeper.params") or {}).keys()
        if OmegaConf.select(node, key) is not None or key in swept:
            return f"{group}={choices[group]}"
    return None


def choices_in(group: str, name: str) -> dict[str, str]:
    """What GROUP/NAME.yaml itself chooses, by its defaults list: {'task': 'maximization', ...}."""
    entries = yaml_of(group, name).get("defaults", [])
    chosen = [pair for e in entries if isinstance(e, DictConfig) for pair in e.items()]
    return {str(k).removeprefix("override ").strip("/ "): str(v) for k, v in chosen}
