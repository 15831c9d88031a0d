"""The commands. Nothing here imports torch: --help and --cfg answer at once."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException, HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from visprior import sweep_folder
from visprior.config import config_dir, register
from visprior.errors import RunFailed, UserError, explain

register()
_exit_codes: list[int] = []


def _say(line: str) -> None:
    print(f"visprior: {line}", file=sys.stderr)


@hydra.main(version_base="1.3", config_path=config_dir(), config_name="config")
def _job(cfg: DictConfig) -> float | None:
    """One job. In a sweep a failure is raised, so that the launcher and its sweeper know of it."""
    from visprior.experiment import run

    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        return run(cfg, folder, choices=OmegaConf.to_container(HydraConfig.get().runtime.choices))
    except UserError as error:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            raise
        _say(f"error: {error}")
        _exit_codes.append(1 if isinstance(error, RunFailed) else 2)
        return None


def _guarded(command: Callable[[], object]) -> int:
    """Run a command; the exit code says how it went (0, 1 a bug or a bad result, 2, 130)."""
    try:
        command()
    except RunFailed as error:
        _say(f"error: {error}")
        return 1
    except (HydraException, CompactHydraException, OmegaConfBaseException) as error:
        if _wants_traceback:
            raise
        _say(f"error: {explain(error, sys.argv, Path(config_dir()))}")
        return 2
    except OSError as error:
        if _wants_traceback:
            raise
        where = f" '{error.filename}'" if error.filename else ""
        hint = " (VISPRIOR_OUTPUTS chooses another folder for results)"
        _say(f"error: {error.strerror or error}{where}{hint}")
        return 2
    except KeyboardInterrupt:
        _say("interrupted; what was computed is saved")
        return 130
    return _exit_codes[0] if _exit_codes else 0


_wants_traceback = bool(os.environ.get("HYDRA_FULL_ERROR"))


def main() -> None:
    """visprior: compute pre-images, or a sweep of them with its report."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises, and _guarded words the error
    try:
        sys.argv[1:] = _resume_arguments(sys.argv[1:])
    except UserError as error:
        _say(f"error: {error}")
        sys.exit(2)
    code = _guarded(_job)
    for folder in sweep_folder.started:
        code = max(code, _guarded(lambda folder=folder: _report(folder)))
    sys.exit(code)


def _resume_arguments(argv: list[str]) -> list[str]:
    """resume=FOLDER runs inside FOLDER with the configuration that is stored there."""
    folders = [a.split("=", 1)[1] for a in argv if a.startswith("resume=")]
    if not folders or folders[0] in ("null", ""):
        return argv
    folder = Path(folders[0])
    if not (folder / "run.json").is_file():
        raise UserError(f"resume={folder}: no run.json there, so no run of visprior")
    if others := [a for a in argv if not a.startswith("resume=")]:
        raise UserError(f"resume= takes the stored settings; leave out {' '.join(others)}")
    quoted = str(folder.resolve()).replace("\\", "\\\\").replace("'", "\\'")
    return [f"resume='{quoted}'", f"hydra.run.dir='{quoted}'", "hydra.output_subdir=null"]


def _report(folder: Path) -> None:
    from visprior.report.sweep import report as build

    build(folder)


def report() -> None:
    """visprior-report FOLDER: table, contact sheet, plots and index.html from finished runs."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print("usage: visprior-report FOLDER\n\n" + (report.__doc__ or ""))
        sys.exit(0 if sys.argv[1:] in (["-h"], ["--help"]) else 2)
    sys.exit(_guarded(lambda: _report(Path(sys.argv[1]))))


def layers() -> None:
    """visprior-layers NET [key=value ...]: names, shapes, strides and receptive fields."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print("usage: visprior-layers NET [key=value ...]\n\n" + (layers.__doc__ or ""))
        sys.exit(0 if sys.argv[1:] in (["-h"], ["--help"]) else 2)
    sys.exit(_guarded(lambda: _layers(sys.argv[1], sys.argv[2:])))


def _layers(net: str, overrides: list[str]) -> None:
    from hydra import compose, initialize_config_dir

    from visprior.experiment import print_layers

    with initialize_config_dir(config_dir(), version_base="1.3"):
        cfg = compose("config", overrides=[f"net={net}", *overrides])
    print_layers(cfg)


if __name__ == "__main__":
    main()
