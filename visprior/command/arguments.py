"""The command line before Hydra reads it: resume=, options that do not exist, hidden YAML files."""

import argparse
import os
import re
import sys
from pathlib import Path

from hydra._internal.utils import get_args_parser

from visprior import __version__
from visprior.config.files import in_order, without_folders
from visprior.config.schema import config_dir
from visprior.config.typed import brings_code
from visprior.errors import UserError


def prepare() -> None:
    """Check sys.argv and bring it into the form that Hydra takes.

    Raises:
        UserError: words that Hydra would misread, or refuse with a page of text.
    """
    if "--version" in sys.argv[1:]:
        print(f"visprior {__version__}")
        sys.exit(0)
    if os.environ.get("VISPRIOR_OUTPUTS") == "":
        del os.environ["VISPRIOR_OUTPUTS"]  # else results would go to the root of the disk
    _check_whole(sys.argv[1:])
    sys.argv[1:] = sorted_arguments(sys.argv[1:])
    _check_hidden()
    sys.argv[1:] = resume_arguments(sys.argv[1:])


def _check_whole(argv: list[str]) -> None:
    """A list with spaces in it that was not quoted, which the shell has made several words of."""
    for i, word in enumerate(argv):
        if "=" not in word or _depth(word) <= 0:
            continue
        for end in range(i + 2, len(argv) + 1):
            whole, close = " ".join(argv[i:end]), "".join(argv[i:end])
            if _depth(whole) == 0:
                ways = f'write {close}, or quote it: "{whole}"'
                raise UserError(f"the shell has split {whole} at its spaces; {ways}")


def _depth(text: str) -> int:
    """How many brackets and braces are open at the end, without those that are quoted."""
    plain = re.sub(r"\\.|'[^']*'|\"[^\"]*\"", "", text)
    return sum(plain.count(c) for c in "[{(") - sum(plain.count(c) for c in "]})")


def sorted_arguments(argv: list[str]) -> list[str]:
    """Settings first, in the order of in_order, then options, which argparse takes in any mixture.

    Raises:
        UserError: what argparse would refuse with a page of usage; GROUP=null.
    """
    parser = get_args_parser()
    parser.exit_on_error = False
    try:
        known, unknown = parser.parse_known_args(argv)
    except argparse.ArgumentError as error:
        raise UserError(f"{error}; see visprior --help") from None
    if strange := [a for a in unknown if a.startswith("-")]:
        raise UserError(f"unknown option {' '.join(strange)}; settings are key=value, see --help")
    if known.experimental_rerun:
        raise UserError("--experimental-rerun reads a pickle, which runs code; see resume=FOLDER")
    settings = in_order([*known.overrides, *unknown], argv)
    return [*settings, *(a for a in argv if a not in settings)]


def _check_hidden() -> None:
    """A YAML file of the user's that is called like one of ours would never be read."""
    for folder in without_folders(sys.argv[1:])[1]:
        ours = Path(config_dir())
        for path in sorted(folder.rglob("*.yaml")):
            name = path.relative_to(folder)
            if folder.resolve() != ours.resolve() and (ours / name).is_file():
                raise UserError(f"'{path}' would not be read: visprior has a {name}; rename yours")


def resume_arguments(argv: list[str]) -> list[str]:
    """resume=FOLDER runs inside FOLDER with the configuration that is stored there.

    Code that this one names is trusted once more by who types, or not at all.
    """
    given = [a.split("=", 1)[1] for a in argv if a.startswith("resume=")]
    if not given or given[0] in ("null", ""):
        return argv
    folder = Path(given[0])
    if (folder / "multirun.yaml").is_file():
        raise UserError(
            f"resume={folder}: a sweep goes on with its own command and hydra.sweep.dir={folder}"
        )
    if not (folder / "run.json").is_file():
        raise UserError(f"resume={folder}: no run.json there, so no run of visprior")
    trust = [a for a in argv if brings_code(a)]
    if others := [a for a in argv if not a.startswith("resume=") and a not in trust]:
        words = " ".join(others)
        raise UserError(
            f"resume= takes the stored settings; leave out {words}; a new run with other settings "
            f"may begin where this one ended: task.start={folder}"
        )
    quoted = str(folder.resolve()).replace("\\", "\\\\").replace("'", "\\'")
    # net.target= need only be typed: it stands in the stored settings, there is no key for it here.
    trust = [word for word in trust if word.lstrip("+").startswith("trust=")]
    return [f"resume='{quoted}'", f"hydra.run.dir='{quoted}'", *trust]
