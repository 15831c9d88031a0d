"""Natural pre-images of image representations, from the command line and from Python.

From Python: visprior.run, compose, Problem, solve, Result, UserError. Importing visprior is quick:
PyTorch is imported with the first of them.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Where each name comes from; __init__.pyi tells type checkers the same.
_PUBLIC = {
    "run": "visprior.interface.run",
    "Result": "visprior.interface.result",
    "compose": "visprior.config.compose",
    "Problem": "visprior.loop.problem",
    "solve": "visprior.loop.solver",
    "UserError": "visprior.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'visprior' has no attribute '{name}'")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
