from visprior.config.compose import compose as compose
from visprior.errors import UserError as UserError
from visprior.interface.result import Result as Result
from visprior.interface.run import run as run
from visprior.loop.problem import Problem as Problem
from visprior.loop.solver import solve as solve

__version__: str
