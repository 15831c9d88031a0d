"""What was typed: which keys a command sets, and which of them its task has no use for."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from visprior.config.files import PRESETS, yaml_of

# What every task has a use for.
ALWAYS = {"net", "task", "layer", "size", "device", "precision", "micro_batch", "report"}
ALWAYS |= {"resume", "trust", "record.every", "record.save_seconds"}

_FILTERS = ("kernel", "fluid_kernel", "elastic_kernel")


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
        if key not in PRESETS:
            found.append(Typed(key.partition("@")[0], key))
            continue
        keys = dict.fromkeys(_keys_of(key, value.strip("'\"")))
        # Filters aside: the sweep of an experiment may have points with nothing to filter.
        own = [k for k in keys if k.partition(".")[0] not in _FILTERS]
        found += [Typed(k, f"{k} of +{key}={value}") for k in own]
    return found


def _keys_of(group: str, name: str) -> Iterator[str]:
    """The keys that GROUP/NAME.yaml and the files in its defaults list set."""
    content: Any = OmegaConf.to_container(yaml_of(group, name), resolve=False)
    for entry in content.pop("defaults", []):
        if isinstance(entry, str):
            if entry != "_self_":
                yield from _keys_of(group, entry)
            continue
        for choice, chosen in entry.items():
            other = str(choice).removeprefix("override ").strip("/ ")
            if other in PRESETS:
                yield from _keys_of(other, str(chosen))
            elif not other.startswith("hydra"):
                yield other
    sweep = (content.pop("hydra", None) or {}).get("sweeper") or {}
    if "task" not in (sweep.get("params") or {}):  # else each key is for some of the tasks
        yield from _leaves(content)


def _leaves(content: dict[str, Any], above: str = "") -> Iterator[str]:
    for key, value in content.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}"


def useless(typed: Sequence[Typed], uses: set[str], cfg: DictConfig) -> list[Typed]:
    """The keys of which a task uses neither themselves nor a part; null asks for nothing anyway."""

    def used(key: str) -> bool:
        return any(f"{key}.".startswith(f"{u}.") or u.startswith(f"{key}.") for u in uses)

    return [t for t in typed if not used(t.key) and OmegaConf.select(cfg, t.key) is not None]
