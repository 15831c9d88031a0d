"""What was typed: which keys a command sets, and which of them its task has no use for."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from visprior.config.explain import folders

# What every task has a use for.
ALWAYS = {"net", "task", "layer", "size", "device", "precision", "micro_batch", "report"}
ALWAYS |= {"resume", "trust", "record.every", "record.save_seconds"}
# What the loop is made of, and the images that it computes.
LOOP = {"regularizer", "param", "optimizer", "schedule", "seed", "seeds", "metric.spectrum"}
LOOP |= {"record.snapshots", "record.stretch"}
CLASSES = {"metric.classify"}

_FILTERS = ("kernel", "fluid_kernel", "elastic_kernel")
_FILES = ("experiment", "recipe")  # groups whose members set keys of others


class Typed(NamedTuple):
    """A key that was set, and by what: 'seeds', or 'seeds of +experiment=lucid'."""

    key: str
    words: str


def typed_keys(overrides: Iterable[str]) -> list[Typed]:
    """The keys that a command line sets by itself, and through the files that it names."""
    found = []
    for override in overrides:
        key, _, value = override.lstrip("+").partition("=")
        if override.startswith("~") or key.startswith("hydra"):
            continue
        if key not in _FILES:
            found.append(Typed(key.partition("@")[0], key))
            continue
        keys = dict.fromkeys(_keys_of(key, value.strip("'\"")))
        # Filters aside: the sweep of an experiment may have points with nothing to filter.
        own = [k for k in keys if k.partition(".")[0] not in _FILTERS]
        found += [Typed(k, f"{k} of +{key}={value}") for k in own]
    return found


def _keys_of(group: str, name: str) -> Iterator[str]:
    """The keys that GROUP/NAME.yaml and the files in its defaults list set."""
    content = next((c for f in folders() if (c := _read(f / group / f"{name}.yaml"))), {})
    for entry in content.pop("defaults", []):
        if isinstance(entry, str):
            if entry != "_self_":
                yield from _keys_of(group, entry)
            continue
        for choice, chosen in entry.items():
            other = str(choice).removeprefix("override ").strip("/ ")
            if other in _FILES:
                yield from _keys_of(other, str(chosen))
            elif not other.startswith("hydra"):
                yield other
    sweep = (content.pop("hydra", None) or {}).get("sweeper") or {}
    if "task" not in (sweep.get("params") or {}):  # else each key is for some of the tasks
        yield from _leaves(content)


def _read(path: Path) -> dict[str, Any]:
    try:
        content: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    except (OSError, ValueError, YAMLError, OmegaConfBaseException):
        return {}  # chosen it was, so Hydra has read it somewhere
    return content if isinstance(content, dict) else {}


def _leaves(content: dict[str, Any], above: str = "") -> Iterator[str]:
    for key, value in content.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}"


def picture_keys(cfg: DictConfig) -> set[str]:
    """What says which pictures a task takes: data, or else image."""
    return {"data", "sample"} if cfg.data is not None else {"image", "data"}


def kernel_keys(cfg: DictConfig) -> set[str]:
    """The filters that a regularizer uses."""
    chosen = {str(k): v for k, v in cfg.regularizer.items() if v}
    own = {f"{k}_kernel" for k in chosen}
    shared = any("kernel" in v and not cfg.get(f"{k}_kernel") for k, v in chosen.items())
    return own | ({"kernel"} if shared else set())


def useless(typed: Sequence[Typed], uses: set[str], cfg: DictConfig) -> list[Typed]:
    """The keys of which a task uses neither themselves nor a part; null asks for nothing anyway."""

    def used(key: str) -> bool:
        return any(f"{key}.".startswith(f"{u}.") or u.startswith(f"{key}.") for u in uses)

    return [t for t in typed if not used(t.key) and OmegaConf.select(cfg, t.key) is not None]
