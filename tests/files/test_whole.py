"""Files are whole or not there; JSON holds nothing that JSON does not know."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from visprior.errors import UserError
from visprior.files.whole import overwrite_json, read_json, write_bytes, write_json


def test_json_of_every_kind_of_number(tmp_path):
    obj = {
        "nan": float("nan"),
        "inf": [float("inf"), -np.inf],
        "tensor": torch.tensor(1.5),
        "vector": torch.tensor([1.0, float("nan")]),
        "array": np.arange(3, dtype=np.int64),
        "scalar": np.float64(2.5),
        "flag": np.bool_(True),
        "none": None,
        "path": Path("a/b"),
        3: (True, "é"),
    }
    write_json(tmp_path / "x.json", obj)
    assert read_json(tmp_path / "x.json") == {
        "nan": None,
        "inf": [None, None],
        "tensor": 1.5,
        "vector": [1.0, None],
        "array": [0, 1, 2],
        "scalar": 2.5,
        "flag": True,
        "none": None,
        "path": "a/b",
        "3": [True, "é"],
    }
    assert "NaN" not in (tmp_path / "x.json").read_text()


def test_damaged_or_missing_json_is_one_line(tmp_path):
    (tmp_path / "x.json").write_text(json.dumps({"a": 1})[:-2])
    with pytest.raises(UserError, match=r"x\.json' cannot be read"):
        read_json(tmp_path / "x.json")
    with pytest.raises(UserError, match="there is no"):
        read_json(tmp_path / "y.json")


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "x.txt"
    write_bytes(path, b"old")

    def full(self, data):
        with self.open("wb") as file:
            file.write(data[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_bytes(path, b"new")
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_move_removes_the_temporary_file(tmp_path, monkeypatch):
    def refuse(self, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError):
        write_bytes(tmp_path / "x", b"new")
    assert not list(tmp_path.iterdir())


def test_overwriting_takes_no_more_room_than_there_is(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"status": "running", "list": [1, 2]})
    size = path.stat().st_size
    overwrite_json(path, {"status": "failed"})
    assert read_json(path) == {"status": "failed"} and path.stat().st_size == size
    with pytest.raises(OSError, match=r"No space left on device: '.*x\.json'"):
        overwrite_json(path, {"status": "x" * (path.stat().st_blocks * 512 + size)})
    assert read_json(path) == {"status": "failed"}
    with pytest.raises(FileNotFoundError):
        overwrite_json(tmp_path / "y.json", {})
