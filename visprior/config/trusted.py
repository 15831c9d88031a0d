"""The user's own code, as `trust` names it: packages that Python finds, or files."""

import sys
from collections.abc import Iterable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb
from types import ModuleType

from visprior.errors import UserError, did_you_mean, one_line


def trusted_modules(trust: Iterable[str]) -> list[str]:
    """The names of modules and packages that `_target_` may begin with; files are imported.

    my_parts.py is the module my_parts from then on, and its folder is looked in for what the file
    itself imports.

    Raises:
        UserError: a file that is not there, does not run, or is called like another module.
    """
    return [_module_of(entry) if entry.endswith(".py") else entry for entry in map(str, trust)]


def check_who_trusts(trust: Iterable[str], words: Iterable[str]) -> None:
    """Only who types the words of a command may trust code; a YAML file may not trust itself.

    Raises:
        UserError: `trust` was set, but not by these words.
    """
    typed = any(word.lstrip("+").startswith("trust=") for word in words)
    if not typed and (entries := list(trust)):
        raise UserError(f"trust={entries} stands in a file; give it on the command line")


def _module_of(entry: str) -> str:
    path = Path(entry).expanduser().resolve()
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
    if loaded is None:
        _run(entry, name, path)
    return name


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
