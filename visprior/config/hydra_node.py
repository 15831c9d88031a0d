"""What the node hydra of a configuration may hold: Hydra itself makes objects of it.

docs/safety.md has the rule in words.
"""

import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf, flag_override

from visprior.config.allowed import nodes_with_target
from visprior.config.trusted import import_trusted, names_of
from visprior.config.typed import is_typed
from visprior.errors import UserError

_MADE = ("callbacks", "launcher", "sweeper")  # Hydra instantiates these
_CORE = "hydra._internal.core_plugins"
_PLUGINS = {
    "visprior.command.first_check.FirstCheck",
    "visprior.command.sweep_folder.SweepFolder",
    "hydra.experimental.callbacks.LogJobReturnCallback",
    "hydra.experimental.callbacks.PickleJobInfoCallback",
    f"{_CORE}.basic_launcher.BasicLauncher",
    f"{_CORE}.basic_sweeper.BasicSweeper",
    "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher",
    "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher",
    "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher",
    "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper",
}
_SAMPLER = re.compile(r"optuna\.samplers\.\w+Sampler")
# Keys of launchers and sweepers that name commands or functions.
_COMMANDS = ("setup", "teardown", "python", "srun_args", "additional_parameters")
_COMMANDS += ("custom_search_space",)

_STREAMS = {"ext://sys.stdout", "ext://sys.stderr"}
_HANDLERS = {"logging.StreamHandler", "logging.NullHandler"}
_FILES = {"logging.FileHandler", "logging.handlers.RotatingFileHandler"}
_FILES |= {"logging.handlers.TimedRotatingFileHandler"}
_FORMATTERS = {"logging.Formatter", "colorlog.ColoredFormatter"}
_IN_FOLDER = re.compile(r"\$\{hydra\.runtime\.output_dir\}/[\w. -]+")


def check_hydra(cfg: DictConfig, trust: Iterable[str], sweeps: bool) -> None:
    """Refuse what Hydra would make of a configuration, unless it is known or trusted.

    Must come before Hydra makes anything of it. Interpolations in what it makes are replaced by
    their values, so that it makes what was checked. sweeps: a sweeper and a launcher are made.

    Raises:
        UserError: a class, function or file that is neither known nor trusted.
    """
    trust = list(trust)
    for name in _MADE:
        _check_made(cfg, name, trust, sweeps or name == "callbacks")
    plain: Any = OmegaConf.to_container(cfg.hydra, resolve=False)
    for name in ("job_logging", "hydra_logging"):
        _check_logging(f"hydra.{name}", plain.get(name), str(plain["job"].get("name")))
    for key, value in _leaves("hydra.job.env_set", plain["job"].get("env_set")):
        if value is not None and value != os.environ.get(key[18:]) and not is_typed(key):
            raise _stands_in_a_file(key, "may change which programs run")
    for name in ("launcher", "sweeper"):
        _check_commands(f"hydra.{name}", plain.get(name))


def _stands_in_a_file(key: str, why: str) -> UserError:
    return UserError(f"{key} stands in a file, and {why}; give it on the command line")


def _check_made(cfg: DictConfig, name: str, trust: list[str], made: bool) -> None:
    node = cfg.hydra.get(name)
    if not OmegaConf.is_config(node):
        return
    plain = OmegaConf.to_container(node, resolve=False)
    if made and any("${" in text for text in _texts(plain)):
        plain = OmegaConf.to_container(node, resolve=True)
        with flag_override(cfg, ["struct", "readonly"], [False, False]):
            cfg.hydra[name] = OmegaConf.create(plain)  # pyright: ignore[reportArgumentType]
    for part in nodes_with_target(plain):
        target = str(part["_target_"])
        if target in _PLUGINS or _SAMPLER.fullmatch(target):
            continue
        if not target.startswith(tuple(f"{module}." for module in names_of(trust))):
            package = target.split(".", maxsplit=1)[0]
            known = f"hydra.{name}: _target_={target} is no known part of Hydra"
            raise UserError(f"{known}; trust=[{package}] on the command line allows it")
        import_trusted(trust)


def _check_commands(key: str, plain: Any) -> None:
    """Launchers of clusters write scripts: no file may put a command into one."""
    if not isinstance(plain, dict):
        return
    for name in _COMMANDS:
        for leaf, value in _leaves(f"{key}.{name}", plain.get(name)):
            if value and not is_typed(leaf):
                raise _stands_in_a_file(leaf, "runs code")
    parts = {name: value for name, value in plain.items() if name != "params"}
    if any("\n" in text for text in _texts(parts)):
        raise UserError(f"{key}: a value has more than one line")


def _check_logging(key: str, plain: Any, job: str) -> None:
    """Handlers on streams and on files in the run's folder, formatters; nothing else is made."""
    if plain is None:
        return
    for name, node in _items(f"{key}.handlers", plain.get("handlers")):
        _check_handler(f"{key}.handlers.{name}", node, job)
    for name, node in _items(f"{key}.formatters", plain.get("formatters")):
        _check_formatter(f"{key}.formatters.{name}", node)
    rest = {k: v for k, v in plain.items() if k not in ("handlers", "formatters")}
    if rest.get("filters"):
        raise UserError(f"{key}.filters: there are none")
    _check_values(key, rest)


def _check_handler(key: str, node: dict[str, Any], job: str) -> None:
    kind = node.get("class")
    if kind not in _HANDLERS | _FILES:
        known = ", ".join(sorted(_HANDLERS | _FILES))
        raise UserError(f"{key}: class={kind} is not allowed; allowed: {known}")
    if kind in _FILES:
        name = str(node.get("filename")).replace("${hydra.job.name}", job)
        if not _IN_FOLDER.fullmatch(name):
            inside = "${hydra.runtime.output_dir}/NAME"
            raise UserError(f"{key}: a file lies in the run's folder: filename: {inside}")
        node = {k: v for k, v in node.items() if k != "filename"}
    _check_values(key, node)


def _check_formatter(key: str, node: dict[str, Any]) -> None:
    kind = node.get("()", node.get("class", "logging.Formatter"))
    if kind not in _FORMATTERS:
        raise UserError(f"{key}: {kind} is not allowed; allowed: {', '.join(sorted(_FORMATTERS))}")
    _check_values(key, {k: v for k, v in node.items() if k != "()"})


def _check_values(key: str, plain: Any) -> None:
    """No factories, attributes to set or names to import; nothing that is yet to be resolved."""
    for name in _keys(plain):
        if name in ("()", "."):
            raise UserError(f"{key}: '{name}' is not allowed, for it makes or changes any object")
    for text in _texts(plain):
        if (re.match(r"[a-z]+://", text) and text not in _STREAMS) or "${" in text:
            raise UserError(f"{key}: {text} is not allowed; write the value out")


def _items(key: str, plain: Any) -> Iterable[tuple[str, dict[str, Any]]]:
    if plain is None:
        return
    if not isinstance(plain, dict):
        raise UserError(f"{key}: {plain} is not allowed; write the values out")
    for name, node in plain.items():
        if not isinstance(node, dict):
            raise UserError(f"{key}.{name}: {node} is not allowed; write the values out")
        yield str(name), node


def _leaves(key: str, plain: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(plain, dict):
        for name, value in plain.items():
            yield from _leaves(f"{key}.{name}", value)
    else:
        yield key, plain


def _keys(plain: Any) -> Iterator[str]:
    if isinstance(plain, dict):
        yield from map(str, plain)
        plain = list(plain.values())
    if isinstance(plain, list):
        for part in plain:
            yield from _keys(part)


def _texts(plain: Any) -> Iterator[str]:
    """Every text among the values."""
    if isinstance(plain, dict):
        plain = list(plain.values())
    if isinstance(plain, list):
        for part in plain:
            yield from _texts(part)
    elif isinstance(plain, str):
        yield plain
