"""The commands. Nothing here imports torch: --help and --cfg answer at once."""

import logging
import os
import shlex
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException, HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from visprior.command import sweep_folder
from visprior.command.arguments import prepare
from visprior.command.first_check import Refused, job_to_run
from visprior.config.explain import explain
from visprior.config.schema import config_dir, register
from visprior.errors import RunFailed, UserError, choice, of_storage, one_line, shown, storage_line

register()
log = logging.getLogger("visprior")
_codes: list[int] = []  # how the job of this process failed
_told: set[str] = set()  # what was wrong with earlier jobs of a sweep
_wants_traceback = bool(os.environ.get("HYDRA_FULL_ERROR"))


def _say(line: str) -> None:
    print(f"visprior: {line}", file=sys.stderr)


@hydra.main(version_base="1.3", config_path=config_dir(), config_name="config")
def _job(cfg: DictConfig) -> float | None:
    """One job: its main metric, NaN when it failed; the reason is said here and in run.json.

    Only sweepers that learn from failures (Optuna) get the exception: Hydra's own would print the
    first one again and stop at max_batch_size.
    """
    hydra_cfg = HydraConfig.get()
    folder = Path(hydra_cfg.runtime.output_dir)
    in_sweep = hydra_cfg.mode == RunMode.MULTIRUN
    if in_sweep:
        log.info(sweep_folder.headline(int(hydra_cfg.job.num), list(hydra_cfg.overrides.task)))
    try:
        return job_to_run(cfg, folder).run()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(folder) from None
    except Exception as error:
        if _wants_traceback or (in_sweep and hydra_cfg.runtime.choices["hydra/sweeper"] != "basic"):
            raise
        code = _tell(error, folder)
        _codes.append(1 if in_sweep else code)
        return float("nan")


def _tell(error: Exception, folder: Path | None = None) -> int:
    """Say why a job failed, on the terminal and in its log; returns the exit code."""
    if isinstance(error, UserError):
        line = one_line(error)
        log.error("visprior: error: %s", "the same" if line in _told else line)
        _told.add(line)
        return 1 if isinstance(error, RunFailed) else 2
    if isinstance(error, OSError) and of_storage(error, folder):
        log.error("visprior: error: %s", storage_line(error))
        return 2
    log.exception("visprior: a bug, or one in your own code:", exc_info=error)
    return 1


def _guarded(command: Callable[[], object]) -> int:
    """Run a command; the exit code says how it went (0, 1 a bug or a bad result, 2, 130)."""
    _codes.clear()
    _told.clear()
    try:
        command()
    except KeyboardInterrupt as interrupt:
        _say(_how_to_go_on(*interrupt.args))
        return 130
    except BrokenPipeError:  # head or grep -q has read enough; what is left goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Refused as refused:
        return _refuse(refused)
    except Exception as error:
        line = _line(error)
        if line is None or _wants_traceback:
            raise
        _say(f"error: {line}")
        return 1 if isinstance(error, RunFailed) else 2
    return max(_codes, default=0)


def _refuse(refused: Refused) -> int:
    """Say why a job was not begun, after what was said before; returns the exit code."""
    if _wants_traceback:
        raise refused.error
    logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
    for record in refused.said:
        log.handle(record)
    return _tell(refused.error)


def _line(error: Exception) -> str | None:
    """One line for a user's mistake, None for a bug."""
    if isinstance(error, HydraException | CompactHydraException | OmegaConfBaseException):
        return explain(error)
    return storage_line(error) if isinstance(error, OSError) else None


def _how_to_go_on(folder: Path | None = None) -> str:
    if sweep_folder.started:
        same = f"hydra.sweep.dir={shlex.quote(shown(sweep_folder.started[0]))}"
        return f"interrupted; the same command with {same} goes on"
    if folder is None or not (folder / "run.json").is_file():
        return "interrupted"
    return f"interrupted; visprior resume={shlex.quote(shown(folder))} goes on"


def _compute() -> None:
    prepare()
    _job()


def main() -> None:
    """visprior: compute pre-images, or a sweep of them with its report."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises, and _guarded words the error
    logging.raiseExceptions = False  # a log on a full disk must not print tracebacks
    sweep_folder.forget()
    code = 1
    try:
        code = _guarded(_compute)
    finally:  # also after a bug or Ctrl-C: the jobs that did finish have their report
        for folder in filter(_has_runs, sweep_folder.started):
            quiet = code == 130
            code = max(code, _guarded(lambda f=folder, q=quiet: _report(f, q)))
    sys.exit(code)


def _has_runs(folder: Path) -> bool:
    return any(folder.glob("*/run.json")) or any(folder.glob("*/.hydra"))


def _report(folder: Path, quiet: bool = False) -> None:
    """The report of a sweep; quiet: do not complain of jobs that did not end."""
    from visprior.report.sweep import report as build

    _log_on_terminal()
    with suppress(RunFailed) if quiet else nullcontext():
        build(folder)


def _log_on_terminal() -> None:
    """Bare lines on stderr, for the commands that Hydra does not set up."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", force=True)
    log.setLevel(logging.INFO)


def report() -> None:
    """visprior-report FOLDER: table, contact sheet, plots and index.html from finished runs."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        _usage("visprior-report FOLDER", report.__doc__)
    sys.exit(_guarded(lambda: _report(Path(sys.argv[1]))))


def layers() -> None:
    """visprior-layers NET [key=value ...]: names, shapes, strides, receptive fields, aliases.

    size=64 (or [64,96]) lists them for images of this size; net.KEY=VALUE sets a key of the net
    """
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        _usage("visprior-layers NET [key=value ...]", layers.__doc__)
    net = sys.argv[1] if "=" in sys.argv[1] else f"net={sys.argv[1]}"
    sys.argv[1:] = [net, *sys.argv[2:]]  # as visprior would have it, for the wording of errors
    sys.exit(_guarded(_layers))


def data() -> None:
    """visprior-data [FILE.png] [key=value ...]: a sheet of the data set shapes10, or its pictures.

    split=train|test size=64 seed=0 columns=10, of the sheet;
    folder=FOLDER length=1000 write FOLDER/SPLIT/CLASS/NUMBER.png instead, as ImageFolder reads it
    """
    if sys.argv[1:] in (["-h"], ["--help"]):
        _usage("visprior-data [FILE.png] [key=value ...]", data.__doc__)
    sys.exit(_guarded(lambda: _data(sys.argv[1:])))


def _data(arguments: list[str]) -> None:
    given = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        given[key if equals else "file"] = value if equals else key
    usual = {"split": "test", "size": "64", "seed": "0", "columns": "10", "length": "1000"}
    for key in given:
        choice("visprior-data: key", key, [*usual, "file", "folder"])
    wanted = {**usual, **given}
    numbers = {k: _whole(k, wanted[k]) for k in ("size", "seed", "columns", "length")}
    from visprior.command.shapes10_files import image_folder, preview
    from visprior.data.shapes10 import Shapes10

    size, seed, length = (numbers[key] for key in ("size", "seed", "length"))
    shapes10 = Shapes10(wanted["split"], size, length, seed)
    folder, file = wanted.get("folder"), Path(wanted.get("file", "shapes10.png"))
    _log_on_terminal()
    if folder:
        image_folder(Path(folder), shapes10)
    else:
        preview(file, shapes10, max(1, numbers["columns"]))
    print(folder or file)


def _whole(key: str, text: str) -> int:
    if not text.isdecimal():
        raise UserError(f"{key} must be a whole number >= 0, got {text}")
    return int(text)


def _usage(usage: str, text: str | None) -> None:
    """Print how a command is used and leave."""
    asked = sys.argv[1:] in (["-h"], ["--help"])
    print(f"usage: {usage}\n\n{text or ''}", file=sys.stdout if asked else sys.stderr)
    sys.exit(0 if asked else 2)


def _layers() -> None:
    from hydra import compose, initialize_config_dir

    with initialize_config_dir(config_dir(), version_base="1.3"):
        cfg = compose("config", overrides=sys.argv[1:])
    from visprior.config.build import build
    from visprior.net.listing import layer_table

    _log_on_terminal()
    print(layer_table(build(cfg.net, cfg.trust), cfg.size))


if __name__ == "__main__":
    main()
