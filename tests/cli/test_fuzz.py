"""Bad input of every kind, and random command lines: a line and no traceback (scripts/fuzz_cli.py).

Here a part of what `python scripts/fuzz_cli.py` tries, which takes minutes.
"""

import random
import sys
from importlib import import_module
from pathlib import Path

import pytest

import visprior

SCRIPTS = Path(visprior.__file__).parents[1] / "scripts"
BAD = ("traceback", "hang", "long", "silent", "python")


@pytest.fixture
def fuzz(outputs, monkeypatch):
    """The driver, and the cases it knows."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    fuzz_cases, fuzz_cli = import_module("fuzz_cases"), import_module("fuzz_cli")

    yield fuzz_cli, fuzz_cases
    for name in ("fuzz_cli", "fuzz_cases"):
        sys.modules.pop(name, None)


def bad(cli, cases) -> dict[str, str]:
    return {name: text[-2000:] for name, verdict, text in cli.tried(cases) if verdict in BAD}


def test_bad_input_is_refused_in_one_line(fuzz, monkeypatch):
    cli, known = fuzz
    monkeypatch.setattr(sys, "argv", ["visprior"])
    words = [("special " + line, [*known.TINY, *line.split(" ")]) for line in known.SPECIAL]
    some = random.Random(1).sample(words, 15)
    assert bad(cli, some) == {}


def test_random_lines_end_in_one_line(fuzz, monkeypatch):
    cli, known = fuzz
    monkeypatch.setattr(sys, "argv", ["visprior"])
    monkeypatch.setattr(known, "BASES", {name: known.BASES[name] for name in ("plain", "terms")})
    assert bad(cli, known.lines(11, 20)) == {}


def test_a_traceback_is_noticed(fuzz, monkeypatch):
    cli, known = fuzz
    monkeypatch.setattr(sys, "argv", ["visprior"])
    monkeypatch.setattr("visprior.config.typed_values.check_values", lambda cfg: 1 / 0)
    monkeypatch.setattr("visprior.job.identity.check_values", lambda cfg: 1 / 0)
    assert list(bad(cli, [("x", known.TINY)])) == ["x"]


BOMB = "a0: &a0 [x, x]\n" + "\n".join(f"a{i + 1}: &a{i + 1} [*a{i}, *a{i}]" for i in range(40))
FILES = {
    "tab": ("a:\n\tb: 1", "line 2: a tab; YAML is indented with spaces"),
    "syntax": ("a: [1", "line 1: expected ',' or ']'"),
    "twice": ("# @package _global_\nseed: 1\nseed: 2", "line 3: 'seed' stands there twice"),
    "tag": ("a: !foo x", "line 1: '!foo' is not known; tags (!...) are not used here"),
    "two": ("a: 1\n---\nb: 2", "line 2: a second document ('---'); a file holds one"),
    "list": ("- a", "line 1: this must be `key: value`"),
    "defaults": ("defaults: 3", "line 1: defaults must be a list, got 3"),
    "itself": ("defaults: [itself]", "its defaults lead back to itself"),
    "cycle": ("a: &x [*x]", "line 1: this holds itself by an alias"),
    "bomb": (BOMB, "aliases make more than 100000 values of this"),
    "deep": ("a: " + "[" * 1500, "more than 100 levels of nesting"),
    "latin": (b"a: 1\nb: caf\xe9", "line 2: not UTF-8; save the file with this encoding"),
    "type": ("# @package _global_\nseed: abc", "seed: 'abc' is not a whole number"),
    "keys": ("# @package _global_\nrecord: [1]", "keys are needed here, not [1]"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_named_with_its_line(command, name):
    content, line = FILES[name]
    folder = Path("mine/experiment")
    folder.mkdir(parents=True)
    data = content if isinstance(content, bytes) else content.encode()
    (folder / f"{name}.yaml").write_bytes(data)
    result = command("--config-dir=mine", f"+experiment={name}")
    assert result.code == 2
    assert f"experiment/{name}.yaml'" in result.error and line in result.error
