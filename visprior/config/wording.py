"""What Hydra and OmegaConf say of a wrong command line, said in one line of ours."""

import re
from collections.abc import Callable, Sequence

from hydra.errors import OverrideParseException
from omegaconf import DictConfig

from visprior.config.files import folders, groups, names_in
from visprior.config.yaml_files import leads_to_itself
from visprior.errors import UserError, did_you_mean, one_line, shown

# What pip installs for a launcher: an extra of visprior.
_PLUGINS = {
    "hydra/launcher": {"joblib": "sweep", "submitit_slurm": "slurm", "submitit_local": "slurm"},
    "hydra/sweeper": {},
}
_KINDS = {"Integer": "a whole number", "Float": "a number", "bool": "true or false", "str": "text"}
_ADVICE = r"(To append to your|Set the env|See https?:|Config search path:).*"


class Wording:
    """The mistakes in the words of one command line, in ours.

    composed: the configuration that has the groups of such words and nothing else set, or None
    where there is none; it knows the keys that may have been meant.
    """

    def __init__(
        self, words: Sequence[str], composed: Callable[[Sequence[str]], DictConfig | None]
    ) -> None:
        self.words = words
        self._composed = composed

    def line(self, error: BaseException) -> str:
        """One line for an error of Hydra, OmegaConf or our own."""
        text = one_line(error) or one_line(error.__cause__ or type(error).__name__)
        if isinstance(error, UserError):
            return text
        if isinstance(error, RecursionError) and (
            path := leads_to_itself(folders(self.words), self.words)
        ):
            return f"'{shown(path)}': its defaults lead back to itself"
        if isinstance(error, OverrideParseException) and "missing EQUAL" not in text:
            return f"cannot read {error.override}: quote special characters, as in \"key='a [b]'\""
        for pattern, say in _MEANINGS:
            if match := re.search(pattern, text):
                return say(self, match, error)
        return re.sub(_ADVICE, "", text)[:500].strip()

    def no_such_name(self, match: re.Match[str], _: BaseException) -> str:
        group, name = match[1], match[2]
        if group in _PLUGINS:
            return _no_plugin(group, name)
        if not (known := names_in(group, self.words)):
            others = [g for g in groups(self.words) if g != group]
            return f"no group '{group}'{did_you_mean(group, others)}"
        if name in names_in("recipe", self.words):  # it sets keys of other groups too
            return f"no '{name}' in group '{group}'; it is a recipe: +recipe={name}"
        return f"no '{name}' in group '{group}'{did_you_mean(name, known)}"

    def no_configuration(self, match: re.Match[str], _: BaseException) -> str:
        names = {path.stem for folder in folders(self.words) for path in folder.glob("*.yaml")}
        return f"no configuration '{match[1]}'{did_you_mean(match[1], sorted(names))}"

    def no_override(self, match: re.Match[str], error: BaseException) -> str:
        """A key that could not be set, for the reason that error.__cause__ has."""
        key = match[1]
        if key in groups(self.words):
            values = (w.split("=", 1)[1] for w in self.words if w.startswith(f"{key}="))
            value = next(values, "NAME")
            return f"nothing is chosen in group '{key}' yet; +{key}={value} adds it"
        cause = one_line(error.__cause__ or error)
        if "Key '" in cause or "no match" in cause.lower() or error.__cause__ is None:
            return self.unknown_key(match, error)
        return f"cannot set {key}: {_reason(cause)}"

    def unknown_key(self, match: re.Match[str], _: BaseException) -> str:
        """The nearest known key at the level where the path leaves the configuration."""
        key = match[1]
        *parents, last = key.split(".")
        node = self._composed(self.words)
        for i, parent in enumerate(parents):
            if not isinstance(node, DictConfig) or parent not in node:
                last, above = parent, ".".join(parents[:i])
                if parent in names_in(above, self.words):
                    adds = f"+{above}={parent} adds it"
                    return f"'{parent}' is not among the chosen of {above}; {adds}"
                break
            node = node[parent]
        known = [str(k) for k in node if k != "_target_"] if isinstance(node, DictConfig) else []
        return f"unknown key '{key}'{did_you_mean(last, known)}"

    def wrong_type(self, match: re.Match[str], error: BaseException) -> str:
        return f"{match[1]}: {_reason(one_line(error.__cause__ or error))}"

    def several_values(self, match: re.Match[str], _: BaseException) -> str:
        key, value = match[1].split("=", 1)
        as_list = "" if value.endswith(")") else f", '{key}=[{value}]' is a list"
        return f"{key}={value} has several values: -m sweeps over them{as_list}"

    def in_file(self, match: re.Match[str], error: BaseException) -> str:
        """What a file sets and the schema refuses."""
        cause, _, key = match[2].partition(" full_key: ")
        at = f"{key.split()[0]}: " if key and not key.startswith("object_type") else ""
        return f"'{match[1]}.yaml': {at}{_reason(cause)}"

    def there_already(self, match: re.Match[str], _: BaseException) -> str:
        return f"'{match[1]}' is there already; leave out the +"

    def not_a_setting(self, match: re.Match[str], _: BaseException) -> str:
        return f"'{match[1]}' is not of the form key=value"

    def own_words(self, match: re.Match[str], _: BaseException) -> str:
        return match[1]


def _no_plugin(group: str, name: str) -> str:
    extra = _PLUGINS[group].get(name)
    if extra:
        return f"{group}={name} is not installed: pip install visprior[{extra}]"
    hint = did_you_mean(name, ["basic", *_PLUGINS[group]])
    return f"no '{name}' in group '{group}'{hint} (others are plugins of Hydra, to be installed)"


def _reason(cause: str) -> str:
    """OmegaConf's reason without the keys and types that follow it."""
    if m := re.search(r"Value '(.*?)'.* (?:could not be converted to|is not a valid) (\w+)", cause):
        return f"'{m[1]}' is not {_KINDS.get(m[2], m[2])}"
    if m := re.search(
        r"Invalid type assigned: \w+ is not a subclass of (\w+)\. value: (.*?)(?: full_key|$)",
        cause,
    ):
        return f"{m[2]} is not {_KINDS.get(m[1], m[1])}"
    if m := re.search(r"Merge error: \w+ is not a subclass of \w+\. value: (.*)", cause):
        return f"keys are needed here, not {m[1]}"
    if "Cannot merge DictConfig with ListConfig" in cause:
        return "keys are needed here, not a list"
    return re.sub(r"\s*(full_key|object_type|reference_type)[:=].*", "", cause)[:300]


_MEANINGS = [
    (r"^In '([^']*)': \w+ raised while composing config: (.*)", Wording.in_file),
    (r"Could not (?:find|load) '([^']+)/([^'/]+)'", Wording.no_such_name),
    (r"In '[^']*': Could not (?:find|load) '([^']+)'", Wording.no_configuration),
    (r"Cannot find primary config '([^']+)'", Wording.no_configuration),
    (r"Could not override '([^']+)'", Wording.no_override),
    (r"Could not delete.*'([^']+)' does not exist", Wording.unknown_key),
    (r"Could not append to config\. An item is already at '([^']+)'", Wording.there_already),
    (r"UserError raised while resolving interpolation: (.*?)(?: full_key: |$)", Wording.own_words),
    (r"Error merging override (\S+)", Wording.wrong_type),
    (r"Key '([^']+)' (?:is )?not in '(\w+)'", Wording.unknown_key),
    (r"Ambiguous value for argument '([^']+)'", Wording.several_values),
    (r"Sweep parameters '(.+)' requires --multirun", Wording.several_values),
    (r"Error parsing override '([^']*)' missing EQUAL", Wording.not_a_setting),
]
