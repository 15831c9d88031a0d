"""Mutation test: small changes of the source, and whether the tests of their room notice them.

    python scripts/mutants.py [--count 200] [--seed 0] [--workers 2] [--at FILE:LINE:COLUMN ...]

A mutant is a module with one change: another operator, constant or truth value, a condition turned
round, a statement removed, `return None`. Of all mutants of the rooms `count` are drawn with the
seed; of each, the fast tests of its room run in a copy of the tree. It is killed where a test fails
or hangs, else it survives. --at: of the drawn ones only those at these places, to look again.
Left out are texts, annotations, assertions, what `raise` says, logging, `__repr__`.

cosmic-ray was weighed: it draws no sample, has one test command for all modules, removes no
statements, changes annotations, and most of its operators (<<, & and their like between numbers
with a point) are type errors that every test kills.
"""

import argparse
import ast
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parents[1]
COPIED = ["visprior", "configs", "tests", "pyproject.toml"]
BAND = ["tests/regularizer/test_band.py", "tests/regularizer/test_band_surfaces.py"]
ROOMS = {  # folder -> its tests
    "visprior/loop": ["tests/loop"],
    "visprior/objective": [
        "tests/objective",
        "tests/task/test_constants.py",
        "tests/task/test_tasks.py",
    ],
    "visprior/regularizer": ["tests/regularizer"],
    "visprior/task/path": [*BAND, "tests/task/test_path.py"],
}
OTHER = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitOr,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
TYPES = {"annotation", "returns", "decorator_list", "bases"}


@dataclass(frozen=True)
class Mutant:
    """The change number `index` of a module."""

    room: str
    file: str
    index: int
    place: str  # line:column
    change: str

    def __str__(self) -> str:
        return f"{self.file}:{self.place}  {self.change}"


def others(node: ast.AST, field: str) -> list[ast.AST]:
    """What may stand in a node's place; field: what it is to its parent."""
    match node:
        case ast.BinOp(left, op, right) if not _is_text(left) and not _is_text(right):
            return [ast.BinOp(left, OTHER[type(op)](), right)] if type(op) in OTHER else []
        case ast.Compare(left, [op], right):
            turned = isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE) and field == "test"
            return [ast.Compare(left, [OTHER[type(op)]()], right), *_negated(node)[: int(turned)]]
        case ast.BoolOp(op, values):
            turned = _negated(node) if field == "test" else []
            return [ast.BoolOp(OTHER[type(op)](), values), *turned]
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            return [operand]
        case ast.Constant(bool() as value):
            return [ast.Constant(not value)]
        case ast.Constant(int() as value):
            return [ast.Constant(value + 1)]
        case ast.Constant(float() as value):
            return [ast.Constant(2 * value or 1.0)]
        case ast.Return(ast.expr() as value) if ast.unparse(value) != "None":
            return [ast.Return(ast.Constant(None))]
        case ast.Expr(ast.Call()) | ast.AugAssign() | ast.Raise() | ast.Break() | ast.Continue():
            return [ast.Pass()]
        case ast.Assign([ast.Subscript()]):
            return [ast.Pass()]
        case ast.Assign([ast.Name(name)], value) if name in _names(value):
            return [ast.Pass()]
    return _negated(node) if field == "test" and isinstance(node, ast.expr) else []


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or isinstance(getattr(node, "value", None), str)


def _negated(node: ast.expr) -> list[ast.AST]:
    return [ast.UnaryOp(ast.Not(), node)]


def _names(node: ast.AST) -> set[str]:
    return {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}


def _left_out(node: ast.AST) -> bool:
    """Whether a change in it would be one of words or checks, not of what is computed."""
    match node:
        case ast.Assert() | ast.JoinedStr() | ast.Expr(ast.Constant()):
            return True
        case ast.FunctionDef(name="__repr__" | "__str__") | ast.keyword(arg="strict"):
            return True
        case ast.ClassDef(bases=[ast.Name("Protocol")]) | ast.Call(ast.Name("isinstance")):
            return True
        case ast.Expr(ast.Call(ast.Attribute(ast.Name("log")))):
            return True
    return False


def places(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST, str, Callable[[ast.AST], None]]]:
    """(parent, node, what it is to its parent, how to put another in its place) for all inside."""
    for field, value in ast.iter_fields(node):
        for i, child in enumerate(value if isinstance(value, list) else [value]):
            if field in TYPES or not isinstance(child, ast.AST) or _left_out(child):
                continue
            put = partial(value.__setitem__, i) if isinstance(value, list) else None
            yield node, child, field, put or partial(setattr, node, field)
            if not isinstance(child, ast.Raise):
                yield from places(child)


def changes(tree: ast.Module) -> Iterator[tuple[str, str, Callable[[], None]]]:
    """Every change of a module: its place (line:column), in words, and how to make it."""
    for parent, node, field, put in places(tree):
        whole = parent if isinstance(parent, ast.expr | ast.keyword) else node
        for new in others(node, field):
            before = ast.unparse(whole)
            put(new)
            after = ast.unparse(whole if whole is parent else new)
            put(node)
            line = f"{getattr(node, 'lineno', 0)}:{getattr(node, 'col_offset', 0)}"
            yield line, f"{_short(before)}  ->  {_short(after)}", partial(put, new)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 70 else f"{text[:67]}..."


def mutants(root: Path, rooms: dict[str, list[str]]) -> list[Mutant]:
    """All mutants of the rooms' modules."""
    found = []
    for room in rooms:
        for path in sorted((root / room).glob("*.py")):
            file = path.relative_to(root).as_posix()
            for i, (place, change, _) in enumerate(changes(ast.parse(path.read_text()))):
                found.append(Mutant(room, file, i, place, change))
    return found


def mutated(source: str, index: int) -> str:
    """The module with one change."""
    tree = ast.parse(source)
    list(changes(tree))[index][2]()
    return ast.unparse(tree)


def passes(folder: Path, tests: list[str], limit: float) -> bool:
    """Whether the fast tests pass in a copy of the tree, in so many seconds."""
    command = [sys.executable, "-B", "-m", "pytest", *tests, "-m", "not slow", "-x", "-q"]
    run = subprocess.Popen(
        [*command, "-p", "no:cacheprovider"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return run.wait(limit) == 0
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        return False


def copy_of(root: Path, folder: Path) -> Path:
    """A copy of the tree, in which files may be changed."""
    for name in COPIED:
        copy = partial(shutil.copytree, ignore=shutil.ignore_patterns("__pycache__"))
        (copy if (root / name).is_dir() else shutil.copy)(root / name, folder / name)
    return folder


def judged(
    root: Path, rooms: dict[str, list[str]], chosen: list[Mutant], workers: int
) -> Iterator[tuple[Mutant, bool]]:
    """Each mutant and whether it is killed, in their order."""
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(workers) as pool:
        copies: SimpleQueue[Path] = SimpleQueue()
        for k in range(workers):
            (Path(scratch) / str(k)).mkdir()
            copies.put(copy_of(root, Path(scratch) / str(k)))
        limits = {}
        for room in sorted({m.room for m in chosen}):
            start, folder = time.monotonic(), copies.get()
            if not passes(folder, rooms[room], 1800):
                raise SystemExit(f"{' '.join(rooms[room])}: fail without any change")
            copies.put(folder)
            limits[room] = 30 + 3 * workers * (time.monotonic() - start)

        def killed(mutant: Mutant) -> bool:
            folder, source = copies.get(), (root / mutant.file).read_text()
            (folder / mutant.file).write_text(mutated(source, mutant.index))
            try:
                return not passes(folder, rooms[mutant.room], limits[mutant.room])
            finally:
                (folder / mutant.file).write_text(source)
                copies.put(folder)

        yield from zip(chosen, pool.map(killed, chosen), strict=True)


def main() -> None:
    """Draw, run, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--at", nargs="+", metavar="FILE:LINE:COLUMN")
    given = parser.parse_args()
    every = mutants(ROOT, ROOMS)
    drawn = sorted(random.Random(given.seed).sample(range(len(every)), given.count))
    chosen = [every[i] for i in drawn]
    if given.at:
        chosen = [m for m in chosen if f"{m.file}:{m.place}" in given.at]
    print(f"{len(chosen)} of {len(every)} mutants", flush=True)
    found = []
    for mutant, killed in judged(ROOT, ROOMS, chosen, given.workers):
        found.append((mutant.room, killed))
        print(f"{'killed  ' if killed else 'survived'}  {mutant}", flush=True)
    for room in [*sorted({room for room, _ in found}), ""]:
        own = [killed for of, killed in found if of.startswith(room)]
        print(f"{room or 'all'}: {sum(own)} of {len(own)} killed, {sum(own) / len(own):.0%}")


if __name__ == "__main__":
    main()
