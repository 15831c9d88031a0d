"""What was typed. Only that may bring code of the user's own; files may not."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, QuotedString
from hydra.core.singleton import Singleton
from hydra.errors import HydraException


class Words(metaclass=Singleton):
    """The words of the command that runs, and those that Python code gave to compose().

    Hydra hands its singletons on to the processes of its launchers, so they are known there.
    """

    def __init__(self) -> None:
        self.typed: list[str] = []

    def begin(self, words: Iterable[str]) -> None:
        """Forget what was typed before, and take these."""
        self.typed = list(words)

    def add(self, words: Iterable[str]) -> None:
        """Take these as well."""
        self.typed += [word for word in words if word not in self.typed]


def brings_code(word: str) -> bool:
    """Whether a word allows code or names it: trust=..., net.target=..."""
    return word.lstrip("+").startswith(("trust=", "net.target="))


def is_typed(key: str) -> bool:
    """Whether a word sets this key."""
    return any(word.partition("=")[0].lstrip("+") == key for word in Words().typed)


def typed_texts(key: str | None = None) -> set[str]:
    """Every text that was typed as a value, or within one: of this key, or of any."""
    return {text for word in Words().typed for text in _texts_of(word, key)}


def _texts_of(word: str, key: str | None) -> Iterator[str]:
    with suppress(HydraException):  # an option, a folder, or what Hydra itself will refuse
        override = OverridesParser.create().parse_override(word)
        if key in (None, override.key_or_group):
            yield from _texts(override._value)


def _texts(value: Any) -> Iterator[str]:
    """The texts in a value as Hydra's parser returns it."""
    if isinstance(value, str | QuotedString):
        yield value if isinstance(value, str) else value.text
    elif isinstance(value, dict | list | ChoiceSweep):
        parts: Any = value.list if isinstance(value, ChoiceSweep) else value
        for part in parts.values() if isinstance(parts, dict) else parts:
            yield from _texts(part)
