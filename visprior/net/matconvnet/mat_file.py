"""MATLAB's files (version 5: -v6 and -v7) as plain data. Nothing in a file is ever executed.

scipy's reader is not used: it brings the process down on some damaged files, and it reads all
numbers, where those of one layer may be wanted.
"""

import zlib
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from visprior.errors import UserError, did_you_mean
from visprior.net.matconvnet.mat_bytes import COMPRESSED, Bytes, DamagedError, inflated

_HEADER = 128  # bytes: a text, the version, and two letters for the order of bytes
_HDF5 = b"\x89HDF\r\n\x1a\n"
# Types of data elements, and classes of arrays (MathWorks, "MAT-File Format").
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8"}
_NUMBERS |= {12: "i8", 13: "u8"}
_TEXTS = {1: "utf-8", 2: "utf-8", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX = 14
_CELL, _STRUCT, _CHARACTERS, _OPAQUE = 1, 2, 4, 17
_NUMERIC = range(6, 16)
_COMPLEX = 0x800


def read_mat(path: str | Path) -> dict[str, Any]:
    """{variable: value}. Numbers that are not compressed stay in the file until they are used.

    Structs become dictionaries, or lists of them, cells lists, characters strings; numbers are
    arrays of the type that the file stores. Functions and objects, which are code, sparse and
    complex arrays become None.

    Raises:
        UserError: the file is missing, damaged, of another kind or version.
    """
    path = Path(path)
    header = _header(path)
    order = "<" if header[126:128] == b"IM" else ">"
    file = np.asarray(np.memmap(path, np.uint8, "c"))
    try:
        return dict(_variables(Bytes(file, order), _HEADER))
    except (DamagedError, zlib.error, MemoryError, RecursionError, ValueError) as error:
        reason = f"{len(file)} bytes, {error or type(error).__name__}"
        raise UserError(f"weights '{path}': damaged or incomplete ({reason})") from error


def _header(path: Path) -> bytes:
    if not path.exists():
        raise UserError(f"net.weights={path}: no such file{did_you_mean(str(path), ['random'])}")
    if path.is_dir():
        raise UserError(f"weights '{path}': this is a folder, not a file")
    try:
        with path.open("rb") as file:
            header = file.read(512 + len(_HDF5))
    except OSError as error:
        raise UserError(f"weights '{path}': may not be read ({error.strerror})") from error
    if not header:
        raise UserError(f"weights '{path}': the file is empty")
    if header.startswith((b"MATLAB 7.3", _HDF5)) or header[512:] == _HDF5:
        way = "load it in MATLAB and save it with '-v7'"
        raise UserError(f"weights '{path}': a MAT file of version 7.3 cannot be read; {way}")
    if len(header) < _HEADER or header[126:128] not in (b"IM", b"MI"):
        raise UserError(f"weights '{path}': not a MAT file of version 5 (MATLAB's -v6 or -v7)")
    return header


def _variables(file: Bytes, start: int) -> Any:
    """(name, value) of each variable; what has no name is MATLAB's own."""
    file.take(start)
    while file.left >= 8:
        kind, content = file.element()
        if kind == COMPRESSED:
            kind, content = inflated(content).element()
        if kind != _MATRIX:
            raise DamagedError(f"an element of type {kind} in place of a variable")
        name, value = _matrix(content)
        if name:
            yield name, value


def _matrix(content: Bytes) -> tuple[str, Any]:
    """The name and the value of an array of any class."""
    if not content.left:
        return "", np.zeros((0, 0))
    flags = int(content.element()[1].numbers("u4", 1)[0])
    kind = flags & 0xFF
    if kind == _OPAQUE:
        return _text(*content.element()), None
    _, sizes = content.element()
    shape = [int(n) for n in sizes.numbers("i4", len(sizes.data) // 4)]
    name = _text(*content.element())
    if min(shape, default=-1) < 0:
        raise DamagedError(f"an array of shape {shape}")
    if kind == _CELL:
        return name, [_child(content) for _ in range(_count(shape, content))]
    if kind == _STRUCT:
        return name, _structs(shape, content)
    if kind == _CHARACTERS:
        return name, _characters(shape, content)
    if kind in _NUMERIC and not flags & _COMPLEX:
        return name, _numeric(shape, content)
    return name, None


def _count(shape: list[int], content: Bytes, each: int = 1) -> int:
    """How many parts an array has; each takes eight bytes or more."""
    if prod(shape) * each * 8 > content.left:
        raise DamagedError(f"an array of shape {shape} in {content.left} bytes")
    return prod(shape)


def _child(content: Bytes) -> Any:
    kind, inner = content.element()
    if kind != _MATRIX:
        raise DamagedError(f"an element of type {kind} in place of an array")
    return _matrix(inner)[1]


def _structs(shape: list[int], content: Bytes) -> Any:
    _, longest = content.element()
    width = int(longest.numbers("i4", 1)[0])
    _, packed = content.element()
    if width < 1 or len(packed.data) % width:
        raise DamagedError("a struct whose names do not fit")
    names = [
        packed.take(width).tobytes().split(b"\0")[0].decode()
        for _ in range(len(packed.data) // width)
    ]
    if not names:
        return {}
    count = _count(shape, content, len(names))
    structs = [{name: _child(content) for name in names} for _ in range(count)]
    return structs[0] if count == 1 else structs


def _text(kind: int, content: Bytes) -> str:
    if not content.left:
        return ""
    if kind not in _TEXTS:
        raise DamagedError(f"characters of type {kind}")
    code = _TEXTS[kind]
    if code != "utf-8":
        code += "-le" if content.order == "<" else "-be"
    return content.data.tobytes().decode(code, errors="replace")


def _characters(shape: list[int], content: Bytes) -> str | list[str]:
    """A string; of several rows, which are stored column by column, a list."""
    text = _text(*content.element()) if content.left else ""
    if shape[0] < 2 or len(text) != prod(shape):
        return text
    return [text[row :: shape[0]].rstrip() for row in range(shape[0])]


def _numeric(shape: list[int], content: Bytes) -> np.ndarray:
    kind, inner = content.element()
    if kind not in _NUMBERS:
        raise DamagedError(f"numbers of type {kind}")
    size = np.dtype(_NUMBERS[kind]).itemsize
    if prod(shape) * size != len(inner.data):
        raise DamagedError(f"an array of shape {shape} in {len(inner.data)} bytes")
    return inner.numbers(_NUMBERS[kind], prod(shape)).reshape(shape, order="F")
