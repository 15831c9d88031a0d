"""Mutation test: small changes of the source, and whether the tests of their room notice them.

    python scripts/mutants.py [--count 200] [--seed 0] [--workers 2] [--at FILE:LINE:COLUMN ...]

A mutant is a module with one change: another operator, constant or truth value, a condition turned
round, a statement removed, `return None`. Of all mutants of the rooms `count` are drawn with the
seed, each by a lot of its own: elsewhere in the tree the code may change, the draw stays. For each,
the fast tests of its room run in a copy of the tree. It is killed where a test fails or hangs, else
it survives. --at: of the drawn ones only those at these places, to look again.

cosmic-ray was weighed: it draws no sample, has one test command for all modules, removes no
statement, changes annotations, and a third of its mutants are such as << between floats.
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
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ROOMS = {  # folder -> its tests
    "visprior/loop": "tests/loop",
    "visprior/objective": "tests/objective tests/task/test_constants.py tests/task/test_tasks.py",
    "visprior/regularizer": "tests/regularizer",
    "visprior/task/path": "tests/regularizer/test_band.py tests/regularizer/test_band_surfaces.py "
    "tests/task/test_path.py",
}
PAIRS = "Add Sub, Mult Div, BitOr BitAnd, And Or, Lt LtE, Gt GtE, Eq NotEq, Is IsNot, In NotIn"
OTHER = {ast.FloorDiv: ast.Div, ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitXor: ast.BitOr}
for one, other in ([getattr(ast, n) for n in pair.split()] for pair in PAIRS.split(", ")):
    OTHER |= {one: other, other: one}
TYPES = {"annotation", "returns", "decorator_list", "bases"}


def replacements(node: Any, field: str) -> list[Any]:
    """What may stand in a node's place; field: what it is to its parent."""
    turned = [ast.UnaryOp(ast.Not(), node)] if field == "test" else []
    match node:
        case ast.BinOp(_, _, ast.Constant(str()) | ast.JoinedStr()):  # a path, a text
            return []
        case ast.BinOp(left, op, right) if type(op) in OTHER:
            return [ast.BinOp(left, OTHER[type(op)](), right)]
        case ast.Compare(left, [op], right):
            ordered = isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE)
            return [ast.Compare(left, [OTHER[type(op)]()], right), *(turned if ordered else [])]
        case ast.BoolOp(op, values):
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
        case ast.Assign([ast.Name(name)], value):
            used = {getattr(n, "id", "") for n in ast.walk(value)}
            return [ast.Pass()] if name in used else []
    return turned


def _left_out(node: Any) -> bool:
    """Whether a change in it would be one of words or checks, not of what is computed."""
    match node:
        case ast.Expr(ast.Constant() | ast.Call(ast.Attribute(ast.Name("log")))):
            return True
        case ast.FunctionDef(name="__repr__") | ast.ClassDef(bases=[ast.Name("Protocol")]):
            return True
        case ast.Call(ast.Name("isinstance")) | ast.keyword(arg="strict"):
            return True
    return not isinstance(node, ast.AST) or isinstance(node, ast.Assert | ast.JoinedStr)


def changes(parent: ast.AST) -> Iterator[tuple[str, str, Callable[[], None]]]:
    """Every change of what is inside: line:column, 'before  ->  after', and how to make it."""
    for field, value in ast.iter_fields(parent):
        listed = isinstance(value, list)
        for i, node in enumerate(value if listed else [value]):
            if field in TYPES or _left_out(node):
                continue
            put = partial(value.__setitem__, i) if listed else partial(setattr, parent, field)
            for new in replacements(node, field):
                seen = parent if isinstance(parent, ast.expr | ast.keyword) else None
                before = _short(seen or node)
                put(new)
                after = _short(seen or new)
                put(node)
                place = f"{node.lineno}:{node.col_offset}"
                yield place, f"{before}  ->  {after}", partial(put, new)
            if not isinstance(node, ast.Raise):  # what an error says
                yield from changes(node)


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 70 else f"{text[:67]}..."


@dataclass(frozen=True)
class Mutant:
    """The change number `index` of a room's file, the `nth` of those that read alike."""

    room: str
    file: str
    index: int
    place: str  # FILE:LINE:COLUMN
    change: str
    nth: int

    def source(self, original: str) -> str:
        """The module with its change."""
        tree = ast.parse(original)
        list(changes(tree))[self.index][-1]()
        return ast.unparse(tree)


def mutants(root: Path, rooms: dict[str, str]) -> list[Mutant]:
    """All mutants of the rooms' modules."""
    found = []
    for room, path in [(r, path) for r in rooms for path in sorted((root / r).glob("*.py"))]:
        file, alike = path.relative_to(root).as_posix(), Counter[str]()
        for i, (place, change, _) in enumerate(changes(ast.parse(path.read_text()))):
            alike[change] += 1
            found.append(Mutant(room, file, i, f"{file}:{place}", change, alike[change]))
    return found


def drawn(every: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """`count` of them, in their order."""
    lots = {m: random.Random(f"{seed} {m.file} {m.change} {m.nth}").random() for m in every}
    chosen = set(sorted(every, key=lots.__getitem__)[:count])
    return [m for m in every if m in chosen]


def copied(root: Path, folder: str) -> Path:
    """What the tests need of the tree, in a new folder."""
    for name in ("visprior", "configs", "tests"):
        junk = shutil.ignore_patterns("__pycache__")
        shutil.copytree(root / name, Path(folder) / name, ignore=junk)
    return Path(shutil.copy(root / "pyproject.toml", folder)).parent


def passes(root: Path, tests: str, limit: float, mutant: Mutant | None = None) -> bool:
    """Whether the fast tests pass in so many seconds, in a copy of the tree with a change in it."""
    words = ["-m", "not slow", "-x", "-q", "-p", "no:cacheprovider", "--timeout=60"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = copied(root, scratch)
        if mutant:
            (folder / mutant.file).write_text(mutant.source((root / mutant.file).read_text()))
        run = subprocess.Popen(
            [sys.executable, "-B", "-m", "pytest", *tests.split(), *words],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": scratch, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return run.wait(limit) == 0
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            return run.wait() == 0


def killed(root: Path, rooms: dict[str, str], chosen: list[Mutant], workers: int) -> Iterator[bool]:
    """Whether each mutant is, in their order."""
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(workers) as pool:
        frozen, limits = copied(root, scratch), {}  # who goes on writing disturbs nothing
        for room in sorted({m.room for m in chosen}):
            start = time.monotonic()
            if not passes(frozen, rooms[room], 1800):
                raise SystemExit(f"{rooms[room]}: fails without any change")
            limits[room] = 60 + 2 * workers * (time.monotonic() - start)
        run = [pool.submit(passes, frozen, rooms[m.room], limits[m.room], m) for m in chosen]
        yield from (not passed.result() for passed in run)


def main() -> None:
    """Draw, run, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, value in (("--count", 200), ("--seed", 0), ("--workers", 2)):
        parser.add_argument(name, type=int, default=value)
    parser.add_argument("--at", nargs="+", metavar="FILE:LINE:COLUMN")
    given = parser.parse_args()
    every = mutants(ROOT, ROOMS)
    chosen = drawn(every, given.count, given.seed)
    chosen = [m for m in chosen if not given.at or m.place in given.at]
    print(f"{len(chosen)} of {len(every)} mutants", flush=True)
    found = []
    for mutant, dead in zip(chosen, killed(ROOT, ROOMS, chosen, given.workers), strict=True):
        found.append((mutant.room, dead))
        print("killed   " if dead else "survived ", mutant.place, "", mutant.change, flush=True)
    for room in [*dict.fromkeys(room for room, _ in found), ""]:
        own = [dead for name, dead in found if name.startswith(room)]
        print(f"{room or 'all'}: {sum(own)} of {len(own)} killed, {sum(own) / len(own):.0%}")


if __name__ == "__main__":
    main()
