"""Imports go one way: a room knows those below it, and no modules import each other in a circle."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import visprior

ROOT = Path(visprior.__file__).parent
SCRIPTS = ROOT.parent / "scripts"

# From the bottom to the top; rooms of one line do not know each other.
ROOMS = [
    ["errors"],
    ["files", "hyper", "meter", "streams"],
    ["config", "data", "net"],  # leaves
    ["render"],
    ["metric"],
    ["kernel", "optimizer", "param", "schedule"],  # the parts of an energy
    ["regularizer"],
    ["objective"],
    ["loop"],
    ["record"],
    ["task"],
    ["job", "report"],
    ["interface"],
    ["command"],
    ["cli"],
    ["__main__"],
]
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}


def imported(path: Path) -> Iterator[str]:
    """Every name that a file imports, within functions and for annotations too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports are not followed here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module(path: Path) -> str:
    """visprior/net/hog/hog.py is visprior.net.hog.hog."""
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


def back_edges(files: list[Path]) -> list[str]:
    """'net/x.py imports task': imports of a room that is not below."""
    found = []
    for path in files:
        parts = path.relative_to(ROOT).parts
        room = parts[0].removesuffix(".py")
        for name in imported(path):
            package, _, rest = name.partition(".")
            other = rest.split(".")[0]
            foreign = package == "visprior" and other not in (room, "__version__")
            if foreign and LEVEL[other] >= LEVEL[room]:
                found.append(f"{'/'.join(parts)} imports {other}")
    return found


def test_rooms_know_only_those_below():
    files = [path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py"]
    assert {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in files} <= set(LEVEL)
    assert back_edges(files) == []


def test_a_back_edge_is_found(tmp_path, monkeypatch):
    """Also where it hides in a function."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "net").mkdir()
    leaf = tmp_path / "net" / "x.py"
    leaf.write_text("def f():\n    from visprior.task.job import Job\n    return Job\n")
    assert back_edges([leaf]) == ["net/x.py imports task"]


@pytest.mark.parametrize("folder", [ROOT, SCRIPTS], ids=["visprior", "scripts"])
def test_no_modules_import_each_other(folder):
    names = {module(path): path for path in folder.rglob("*.py")}
    short = {name.removeprefix("scripts."): name for name in names}  # scripts lie on the path
    graph = {}
    for name, path in names.items():
        wanted = [part for full in imported(path) for part in (full, full.rpartition(".")[0])]
        graph[name] = {short[w] for w in wanted if w in short and short[w] != name}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")
