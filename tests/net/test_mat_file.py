"""MATLAB's files: what scipy reads, and one clear line for each that cannot be."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat

from visprior.errors import UserError
from visprior.net.matconvnet.mat_file import read_mat
from visprior.net.matconvnet.simplenn_file import load_simplenn
from visprior.net.representation import Representation

from .simplenn_reference import cells, conv, new_layout, pool, tiny, write

Make = Callable[..., Representation]


def _plain(value: Any) -> Any:
    """What scipy reads, in the form of read_mat."""
    if isinstance(value, np.void):
        return {key: _plain(value[key]) for key in value.dtype.names or ()}
    if value.dtype.names is not None:
        structs = [_plain(item) for item in value.ravel(order="F")]
        return structs[0] if len(structs) == 1 else structs
    if value.dtype == object:
        return [_plain(cell) for cell in value.ravel(order="F")]
    if value.dtype.kind == "U":
        lines = [line.rstrip() for line in value]
        return lines if len(lines) > 1 else "".join(value.tolist())
    return value


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, np.ndarray):
        return a.shape == b.shape and np.array_equal(a, b)
    return a == b


@pytest.mark.parametrize("compress", [False, True])
def test_what_scipy_reads(tmp_path: Path, compress: bool) -> None:
    rng = np.random.default_rng(0)
    numbers = {f"n_{t}": (100 * rng.random((3, 2, 4))).astype(t) for t in ("f4", "f8", "u1", "i8")}
    content = {
        **numbers,
        "text": "naïve ☃",
        "empty": "",
        "rows": np.array(["one", "three"]),
        "nothing": np.zeros((0, 0)),
        "one": 3,
        "yes": np.array([True, False]),
        "cells": cells([1.5, "two", cells([3, {"four": 4}]), np.zeros((2, 0))]),
        "struct": {"a": 1, "long_name_of_a_field": {"b": "deep"}, "c": cells([])},
        "structs": np.array([(1, "x"), (2, "yz")], [("n", object), ("s", object)]),
        **new_layout(tiny()),
    }
    path = write(tmp_path / "a.mat", content, compress)
    theirs = {k: _plain(v) for k, v in loadmat(path).items() if not k.startswith("__")}
    ours = read_mat(path)
    assert ours.keys() == content.keys() == theirs.keys()
    for key in content:
        assert _same(ours[key], theirs[key]), key
    assert ours["structs"][1]["s"] == "yz" and ours["rows"] == ["one", "three"]


def _element(kind: int, data: bytes, order: str) -> bytes:
    return struct.pack(f"{order}II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def _matrix(kind: int, parts: bytes, order: str, flags: int = 0, name: bytes = b"x") -> bytes:
    head = _element(6, struct.pack(f"{order}II", kind | flags, 0), order)
    head += _element(5, struct.pack(f"{order}ii", 1, 2), order) + _element(1, name, order)
    return _element(14, head + parts, order)


def _file(path: Path, *variables: bytes, order: str = "<") -> Path:
    mark = b"\0\1IM" if order == "<" else b"\1\0MI"
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + mark + b"".join(variables))
    return path


def test_big_endian_files(tmp_path: Path) -> None:
    pair = _element(7, struct.pack(">ff", 1.5, -2), ">")
    text = _element(17, "hé".encode("utf-16-be"), ">")
    variables = (_matrix(7, pair, ">"), _matrix(4, text, ">", name=b"t"))
    found = read_mat(_file(tmp_path / "a.mat", *variables, order=">"))
    assert found["x"].tolist() == [[1.5, -2]] and found["t"] == "hé"


def test_code_is_not_read(tmp_path: Path) -> None:
    """Functions (16), objects (3, 17), complex and sparse (5) arrays are nothing."""
    junk = _element(1, b"junk", "<")
    kinds = {b"function": 16, b"object": 3, b"sparse": 5, b"complex": 6 | 0x800}
    variables = [_matrix(kind, junk, "<", name=name) for name, kind in kinds.items()]
    opaque = _element(6, struct.pack("<II", 17, 0), "<") + _element(1, b"opaque", "<")
    found = read_mat(_file(tmp_path / "a.mat", *variables, _element(14, opaque, "<")))
    assert found == dict.fromkeys(["function", "object", "sparse", "complex", "opaque"])
    with pytest.raises(UserError, match="'function' in it is a MATLAB object"):
        load_simplenn(tmp_path / "a.mat")


def _error(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_simplenn(path)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{path.parent}/", "")


def test_files_that_are_no_mat_files(tmp_path: Path) -> None:
    assert _error(tmp_path / "a.mat") == "net.weights=a.mat: no such file; allowed: random"
    assert _error(tmp_path / "rando") == "net.weights=rando: no such file; allowed: random"
    (tmp_path / "folder").mkdir()
    assert _error(tmp_path / "folder") == "weights 'folder': this is a folder, not a file"
    files = {"empty": b"", "text": b"some text\n" * 99, "zip": b"PK\3\4" + b"\0" * 999}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert _error(tmp_path / "empty") == "weights 'empty': the file is empty"
    other = "not a MAT file of version 5 (MATLAB's -v6 or -v7)"
    assert _error(tmp_path / "text") == f"weights 'text': {other}"
    assert _error(tmp_path / "zip") == f"weights 'zip': {other}"


def test_version_7_3(tmp_path: Path) -> None:
    text = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 .".ljust(124) + b"\0\2IM"
    hdf5 = b"\x89HDF\r\n\x1a\n"
    for content in (text.ljust(512, b"\0") + hdf5, b"\0" * 512 + hdf5, hdf5 + b"\0" * 200):
        (tmp_path / "a.mat").write_bytes(content)
        line = "weights 'a.mat': a MAT file of version 7.3 cannot be read; load it in MATLAB and "
        assert _error(tmp_path / "a.mat") == line + "save it with '-v7'"


@pytest.mark.parametrize("compress", [False, True])
def test_every_way_to_cut_a_file(tmp_path: Path, compress: bool) -> None:
    whole = write(tmp_path / "a.mat", new_layout(tiny()[:3]), compress).read_bytes()
    for length in range(128, len(whole) - 8, 61):
        (tmp_path / "a.mat").write_bytes(whole[:length])
        assert ": damaged or incomplete (" in (line := _error(tmp_path / "a.mat")) or (
            line.endswith("it has no layers")
        )


@pytest.mark.parametrize("compress", [False, True])
def test_damage_is_noticed_or_harmless(tmp_path: Path, compress: bool) -> None:
    """No other error than ours. scipy's reader ends the process on some of such files."""
    rng = np.random.default_rng(0)
    whole = write(tmp_path / "a.mat", new_layout(tiny()[:5]), compress).read_bytes()
    lines = set()
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[rng.integers(128, len(whole))] = rng.integers(256)
        (tmp_path / "a.mat").write_bytes(damaged)
        try:
            load_simplenn(tmp_path / "a.mat")
        except UserError as error:
            lines.add(str(error))
    assert len(lines) > 10 and not any("\n" in line for line in lines)


def test_a_compressed_bomb_is_bounded(tmp_path: Path) -> None:
    """No more is unpacked than the variable's own size says."""
    packed = zlib.compress(struct.pack("<II", 14, 64) + b"\0" * 50_000_000)
    element = struct.pack("<II", 15, len(packed)) + packed
    assert "damaged" in _error(_file(tmp_path / "a.mat", element))


@pytest.mark.parametrize("shape", [[1] * 100, [0] + 5 * [2**31 - 1], []])
def test_shapes_that_numpy_does_not_have(tmp_path: Path, shape: list[int]) -> None:
    count = 0 if 0 in shape else 1
    head = _element(6, struct.pack("<II", 7, 0), "<")
    head += _element(5, struct.pack(f"<{len(shape)}i", *shape), "<") + _element(1, b"x", "<")
    content = _element(14, head + _element(7, bytes(4 * count), "<"), "<")
    assert "damaged" in _error(_file(tmp_path / "a.mat", content))


def test_cells_in_cells_without_end(tmp_path: Path) -> None:
    inner = b""
    for _ in range(3000):
        inner = _matrix(1, inner + 2 * _element(14, b"", "<"), "<")
    assert "damaged" in _error(_file(tmp_path / "a.mat", inner))


DAG = {"layers": np.array([("conv1", {"size": 3})], [("name", object), ("block", object)])}
CONTENTS = [
    ({"a": 1}, "not a simplenn network of MatConvNet: it has no layers"),
    ({"layers": 3.0}, "not a simplenn network of MatConvNet: it has no layers"),
    ({"layers": cells([])}, "not a simplenn network of MatConvNet: it has no layers"),
    ({"layers": cells([{"name": "a"}])}, "not a simplenn network of MatConvNet: layer 1 has no"),
    ({"layers": cells(["conv"])}, "not a simplenn network of MatConvNet: layer 1 has no type"),
    ({**DAG, "vars": 1, "params": 2}, "a dagnn network; only chains (simplenn) can be read"),
    (DAG, "a dagnn network; only chains (simplenn) can be read"),
    ({"net": {**DAG, "vars": 1}}, "a dagnn network; only chains (simplenn) can be read"),
]


@pytest.mark.parametrize(("content", "line"), CONTENTS)
def test_other_things_in_a_file(tmp_path: Path, content: dict[str, Any], line: str) -> None:
    found = _error(write(tmp_path / "a.mat", content))
    assert found.startswith(f"weights 'a.mat': {line}")


def _filters(*shape: int) -> list[np.ndarray]:
    return [np.ones(shape, np.float32), np.zeros(shape[3])]


def _typed(kind: str) -> dict[str, Any]:
    return {"name": "b", "type": kind}


RIGHT = conv("a", _filters(3, 3, 3, 4))
LAYERS = [
    ([RIGHT, _typed("spnorm")], "layer 'b': type=spnorm is not known; did you mean 'bnorm'"),
    ([RIGHT, _typed("custom")], "layer 'b': type=custom is not known; allowed: conv, pool, norm"),
    ([RIGHT, conv("b", _filters(3, 3, 3, 4))], "layer 'b': filters of 3x3x3x4 do not fit 4 chan"),
    ([RIGHT, conv("b", _filters(1, 1, 2, 5))], "layer 'b': filters of 1x1x2x5 do not fit 4 chan"),
    ([conv("a", [*_filters(3, 3, 3, 4)[:1], np.ones(3)])], "layer 'a': 3 biases do not fit 4 ch"),
    ([conv("a", [])], "layer 'a': it has no filters"),
    ([_typed("conv")], "layer 'b': it has no filters"),
    ([{**RIGHT, "stride": [1, 2, 3]}], "layer 'a': stride must have 1 or 2 numbers, got 3"),
    ([{**RIGHT, "stride": 0}], "layer 'a': stride must be whole and >= 1, got 0"),
    ([{**RIGHT, "pad": [0.5] * 4}], "layer 'a': pad must be whole and >= 0, got 0.5, 0.5, 0.5"),
    ([{**RIGHT, "pad": -1}], "layer 'a': pad must be whole and >= 0, got -1"),
    ([pool("b", "max", 2, 2, 2)], "layer 'b': pad=[2, 2, 2, 2] is not smaller than pool=[2, 2]"),
    ([pool("b", "sum", 2, 2, 0)], "layer 'b': method=sum is not known; allowed: max, avg"),
    ([pool("b", [1, 2], 2, 2, 0)], "layer 'b': method must be a word"),
    ([{**_typed("lrn"), "param": [5, 1]}], "layer 'b': param must have 4 numbers, got 2"),
    ([{**_typed("lrn"), "param": [0, 1, 1, 1]}], "layer 'b': param: a window of 0 channels"),
    ([{**_typed("bnorm"), "weights": [1, 1]}], "layer 'b': it has no moments"),
]


@pytest.mark.parametrize(("layers", "line"), LAYERS)
def test_layers_that_cannot_be(tmp_path: Path, layers: list[Any], line: str) -> None:
    path = write(tmp_path / "a.mat", new_layout(layers))
    assert _error(path).startswith(f"weights 'a.mat': {line}")


def test_images_that_do_not_fit(tmp_path: Path, make_net: Make) -> None:
    content = new_layout([RIGHT])
    for key, value, line in (
        ("averageImage", np.ones((4, 4, 2)), "a mean image of 4x4x2 does not fit 3 channels"),
        ("imageSize", [0.0, 5.0, 3.0], "images of size [0, 5, 3]"),
        ("imageSize", [np.nan, 5.0, 3.0], "images of size [nan, 5, 3]"),
    ):
        meta = {"normalization": {**content["meta"]["normalization"], key: value}}
        path = write(tmp_path / "a.mat", {**content, "meta": meta})
        assert _error(path) == f"weights 'a.mat': {line}"
    path = write(tmp_path / "a.mat", {"layers": content["layers"]})
    with pytest.raises(UserError, match=r"do not tell the images' size: give net\.size"):
        make_net("matconvnet", weights=str(path))
    with pytest.raises(UserError, match=r"do not tell the images' mean: give net\.mean"):
        make_net("matconvnet", weights=str(path), size=9)
    net = make_net("matconvnet", weights=str(path), size=9, mean=[1, 2, 3])
    assert net.layer("a").shape == (4, 7, 7)
    with pytest.raises(UserError, match=r"a fails on images of net\.size=2x2"):
        make_net("matconvnet", weights=str(path), size=2, mean=[1, 2, 3]).layers()
