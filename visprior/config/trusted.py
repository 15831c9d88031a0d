"""The user's own code, as `trust` names it: packages that Python finds, or files."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import chdir, contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb
from types import ModuleType

from visprior.config.typed import typed_texts
from visprior.errors import UserError, did_you_mean, one_line

_code_folder: list[Path] = []  # where the command was typed, while the current folder is another


@contextmanager
def reading_in(folder: Path) -> Iterator[None]:
    """Pictures and other data of relative paths are looked for in a folder; code never is.

    For settings that were stored: that they name a folder is no reason to import what lies there.
    """
    whole = {os.path.abspath(p): p for p in reversed(sys.path)}  # noqa: PTH100  "" is where we are
    sys.path[:] = dict.fromkeys(os.path.abspath(p) for p in sys.path)  # noqa: PTH100
    _code_folder.append(Path.cwd())
    try:
        with chdir(folder):
            yield
    finally:
        _code_folder.pop()
        sys.path[:] = [whole.get(p, p) for p in sys.path]


def put_code_folder_first() -> None:
    """The folder where the command was typed, for what net.target names."""
    folder = str(_code_folder[0] if _code_folder else Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)


def names_of(trust: Iterable[str]) -> list[str]:
    """The names of modules and packages that are trusted; my_parts.py is the module my_parts.

    Raises:
        UserError: a file that is not there, or is called like another module.
    """
    return [_path_of(e).stem if e.endswith(".py") else e for e in map(str, trust)]


def import_trusted(trust: Iterable[str]) -> None:
    """Import the files that are trusted, under the names that they have from then on.

    Their folders are looked in for what the files themselves import.

    Raises:
        UserError: as names_of; a file that does not run.
    """
    for entry in map(str, trust):
        if entry.endswith(".py") and (path := _path_of(entry)).stem not in sys.modules:
            _run(entry, path.stem, path)


def check_who_trusts(trust: Iterable[str]) -> None:
    """Only who types the words of a command may trust code; a YAML file may not trust itself.

    Raises:
        UserError: an entry of `trust` was not typed.
    """
    entries = list(map(str, trust))
    if entries and not set(entries) <= typed_texts("trust"):
        raise UserError(f"trust={entries} stands in a file; give it on the command line")


def _path_of(entry: str) -> Path:
    folder = _code_folder[0] if _code_folder else Path()
    path = (folder / Path(entry).expanduser()).resolve()
    name = path.stem
    if not path.is_file():
        near = did_you_mean(path.name, [p.name for p in path.parent.glob("*.py")])
        raise UserError(f"trust=[{entry}]: there is no such file{near}")
    if not name.isidentifier():
        raise UserError(
            f"trust=[{entry}]: '{name}' cannot be the name of a module; rename the file"
        )
    loaded = sys.modules.get(name)
    other = loaded is not None and Path(getattr(loaded, "__file__", None) or "").resolve() != path
    if other or name in sys.stdlib_module_names:
        raise UserError(f"trust=[{entry}]: there is another module '{name}'; rename the file")
    return path


def _run(entry: str, name: str, path: Path) -> None:
    """Import the file under this name."""
    spec = spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # last: nothing beside the file hides what is installed
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UserError(f"trust=[{entry}]: {_said(error, module)}") from error


def _said(error: Exception, module: ModuleType) -> str:
    """'line 3: NameError: name 'x' is not defined': the last line of the file that was run."""
    text = f"{type(error).__name__}: {one_line(error)}"
    if isinstance(error, SyntaxError):  # which names its line itself
        return text
    lines = [f.lineno for f in extract_tb(error.__traceback__) if f.filename == module.__file__]
    return f"line {lines[-1]}: {text}" if lines else text
