"""Bad weight files: one line each, and nothing in them runs."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from visprior.errors import UserError
from visprior.net.checkpoint import adopt, load_checkpoint


class _Malicious:
    def __init__(self, touched: Path):
        self.touched = touched

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.touched,)


def _truncated(path: Path) -> None:
    torch.save({"weight": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:2000])


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "no such file"),
    "folder": (Path.mkdir, "a folder"),
    "empty": (Path.touch, "is empty"),
    "truncated": (_truncated, "damaged"),
    "text": (lambda path: path.write_text("hello world\n" * 9), "damaged"),
    "yaml": (lambda path: path.write_text("a: 1\nb: 2\n"), "damaged"),
    "noise": (lambda path: path.write_bytes(bytes(range(256)) * 9), "damaged"),
    "module": (lambda path: torch.save(nn.Linear(2, 2), path), "could run code"),
    "list": (lambda path: torch.save([torch.zeros(2)], path), "not a dictionary"),
    "number": (lambda path: torch.save({"weight": 3}, path), "is no tensor"),
    "nothing": (lambda path: torch.save({}, path), "not a dictionary"),
}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_one_line(tmp_path: Path, kind: str, suffix: str) -> None:
    path = tmp_path / f"file{suffix}"
    write, reason = BAD[kind]
    write(path)
    with pytest.raises(UserError) as caught:
        load_checkpoint(path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    assert "\x1b" not in text
    if suffix == ".pth" or kind in ("missing", "folder", "empty"):
        assert any(word in text for word in reason.split("|")), text


@pytest.mark.parametrize("how", ["zip", "legacy", "raw"])
def test_a_payload_does_not_run(tmp_path: Path, how: str) -> None:
    path, touched = tmp_path / "evil.pth", tmp_path / "touched"
    if how == "raw":
        path.write_bytes(pickle.dumps(_Malicious(touched)))
    else:
        zipped = how == "zip"
        torch.save({"w": _Malicious(touched)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match="evil"):
        load_checkpoint(path)
    assert not touched.exists()


def test_names_and_shapes_are_compared() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    good = model.state_dict()
    without = {name: value for name, value in good.items() if name != "0.bias"}
    with pytest.raises(UserError, match=r"of another network; missing: 0\.bias$"):
        adopt(model, without, "x.pth")
    with pytest.raises(UserError, match=r"not expected: a, b, c and 1 more$"):
        adopt(model, {**good, **dict.fromkeys("abcd", torch.zeros(1))}, "x.pth")
    with pytest.raises(
        UserError, match=r"'0\.weight' has shape \[5, 2\], the network has \[3, 2\]"
    ):
        adopt(model, {**good, "0.weight": torch.zeros(5, 2)}, "x.pth")
