"""visprior-data: the data set shapes10, as one sheet or as a folder of pictures."""

import sys
from pathlib import Path

from visprior.command.ending import guarded, log_on_terminal, usage
from visprior.errors import UserError, choice

_USUAL = {"split": "test", "size": "64", "seed": "0", "columns": "10", "length": "1000"}


def data() -> None:
    """visprior-data [FILE.png] [key=value ...]: a sheet of the data set shapes10, or its pictures.

    split=train|test size=64 seed=0 columns=10, of the sheet;
    folder=FOLDER length=1000 write FOLDER/SPLIT/CLASS/NUMBER.png instead, as ImageFolder reads it
    """
    if sys.argv[1:] in (["-h"], ["--help"]):
        usage("visprior-data [FILE.png] [key=value ...]", data.__doc__)
    sys.exit(guarded(lambda: _write(sys.argv[1:])))


def _write(words: list[str]) -> None:
    given = {}
    for word in words:
        key, equals, value = word.partition("=")
        given[key if equals else "file"] = value if equals else key
    for key in given:
        choice("visprior-data: key", key, [*_USUAL, "file", "folder"])
    wanted = {**_USUAL, **given}
    numbers = {k: _whole(k, wanted[k]) for k in ("size", "seed", "columns", "length")}
    from visprior.command.shapes10_files import image_folder, preview
    from visprior.data.shapes10 import Shapes10

    size, seed, length = (numbers[key] for key in ("size", "seed", "length"))
    shapes10 = Shapes10(wanted["split"], size, length, seed)
    folder, file = wanted.get("folder"), Path(wanted.get("file", "shapes10.png"))
    log_on_terminal()
    if folder:
        image_folder(Path(folder), shapes10)
    else:
        preview(file, shapes10, max(1, numbers["columns"]))
    print(folder or file)


def _whole(key: str, text: str) -> int:
    if not text.isdecimal():
        raise UserError(f"{key} must be a whole number >= 0, got {text}")
    return int(text)
