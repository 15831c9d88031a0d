"""The mutation test of `make mutants`, on a tree of one module whose mutants are known."""

import runpy
import time
from pathlib import Path

import pytest

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "mutants.py"))
MODULE = '''"""Words: 1 + 2."""

def total(values: "list[int | str]", upto=3) -> int:
    """The sum of the first ones; not 1 - 1."""
    assert upto > 0
    found = 0
    while len(values) > upto:
        values = values[:upto]
    for v in values:
        found = found + v
    if not values:
        raise ValueError(f"{1 + 1} values" + str(2))
    return found
'''
TESTS = """
from visprior.room.sums import total

def test_total():
    assert total([1, 2, 3, 5]) == 6
"""
ROOMS = {"visprior/room": "tests/room"}


@pytest.fixture
def tree(tmp_path):
    for folder in ("visprior/room", "tests/room", "configs"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "visprior/__init__.py").touch()
    (tmp_path / "visprior/room/sums.py").write_text(MODULE)
    (tmp_path / "tests/room/test_sums.py").write_text(TESTS)
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\nmarkers = ['slow']\n")
    return tmp_path


def test_what_is_changed_and_what_is_not(tree):
    """No text, annotation, assertion or error; each mutant is what it says, with one change."""
    found = SCRIPT["mutants"](tree, ROOMS)
    assert [m.change for m in found] == [
        "3  ->  4",
        "0  ->  1",
        "len(values) > upto  ->  len(values) >= upto",
        "len(values) > upto  ->  not len(values) > upto",
        "values = values[:upto]  ->  pass",
        "found = found + v  ->  pass",
        "found + v  ->  found - v",
        "not values  ->  values",
        "raise ValueError(f'{1 + 1} values' + str(2))  ->  pass",
        "return found  ->  return None",
    ]
    assert found[0].place == "visprior/room/sums.py:3:42"
    plain = SCRIPT["ast"].unparse(SCRIPT["ast"].parse(MODULE))
    for m in found:
        before, after = m.change.split("  ->  ")
        pairs = zip(plain.splitlines(), m.source(MODULE).splitlines(), strict=True)
        ((old, new),) = [(a, b) for a, b in pairs if a != b]
        assert before in old and after in new


def test_the_draw_stays_where_other_code_changes(tree):
    """Lines before it, and a module beside it; another seed draws others."""
    draw, path = SCRIPT["drawn"], tree / "visprior/room/sums.py"
    first = SCRIPT["mutants"](tree, ROOMS)
    chosen = draw(first, 4, 0)
    assert [m for m in first if m in chosen] == chosen and len(chosen) == 4
    assert any(draw(first, 4, seed) != chosen for seed in (1, 2, 3))
    path.write_text("import os\n\nHALF = 1 / 2\n" + MODULE)
    again = SCRIPT["mutants"](tree, ROOMS)
    assert len(again) == len(first) + 3
    old = [m for m in again if "1 / 2" not in m.change]
    assert [m.change for m in draw(old, 4, 0)] == [m.change for m in chosen]


def test_killed_and_survived(tree):
    """The test knows a sum of three; it does not know the error."""
    found = SCRIPT["mutants"](tree, ROOMS)
    chosen = [found[i] for i in (1, 5, 8, 9)]
    assert list(SCRIPT["killed"](tree, ROOMS, chosen, 2)) == [True, True, False, True]
    assert (tree / "visprior/room/sums.py").read_text() == MODULE


def test_a_hang_is_stopped(tree):
    """`values = values[:upto]  ->  pass` never ends."""
    start = time.monotonic()
    assert not SCRIPT["passes"](tree, "tests/room", 3, SCRIPT["mutants"](tree, ROOMS)[4])
    assert time.monotonic() - start > 3


def test_tests_that_fail_already_judge_nothing(tree):
    (tree / "tests/room/test_sums.py").write_text("def test_it():\n    assert False\n")
    with pytest.raises(SystemExit, match="fails without any change"):
        list(SCRIPT["killed"](tree, ROOMS, SCRIPT["mutants"](tree, ROOMS)[:1], 1))
