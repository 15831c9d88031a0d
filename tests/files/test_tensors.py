"""Saved states: exact, and no damage or kill goes unnoticed."""

import hashlib

import pytest
import torch

from visprior.errors import UserError
from visprior.files import tensors as state
from visprior.files.tensors import digest_path, load_state, save_state


def tensors(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "z": torch.randn(2, 3, 5, 4, generator=generator).to(memory_format=torch.channels_last),
        "view": torch.randn(6, 8, generator=generator).T,
        "step": torch.tensor(7),
        "alive": torch.tensor([True, False]),
        "double": torch.randn(3, generator=generator, dtype=torch.float64),
    }


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(
        torch.equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.safetensors"


def test_round_trip(path):
    save_state(path, tensors(0), {"stage": "1"})
    loaded, meta = load_state(path)
    assert same(loaded, tensors(0))
    assert meta == {"stage": "1"}
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest_path(path).read_text() == f"{digest}  state.safetensors\n"
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name, f"{path.name}.sha256"]


def test_every_flipped_byte_is_noticed(path):
    save_state(path, tensors(0), {})
    data = path.read_bytes()
    for place in (0, 30, len(data) // 2, len(data) - 1):
        damaged = bytearray(data)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="its checksum does not match"):
            load_state(path)


def test_truncated_missing_or_unlisted(path):
    with pytest.raises(UserError, match="there is no saved state"):
        load_state(path)
    save_state(path, tensors(0), {})
    data = path.read_bytes()
    path.write_bytes(data[:-5])
    with pytest.raises(UserError, match="damaged"):
        load_state(path)
    path.write_bytes(data)
    digest_path(path).unlink()
    with pytest.raises(UserError, match="no checksum beside it"):
        load_state(path)
    path.write_bytes(b"rubbish")
    state.write_digests(path, [hashlib.sha256(b"rubbish").hexdigest()])
    with pytest.raises(UserError, match="cannot be read"):
        load_state(path)


@pytest.mark.parametrize("killed_at, survivor", [(1, 0), (2, 0), (3, 1)])
def test_a_kill_at_any_write_leaves_a_good_state(path, monkeypatch, killed_at, survivor):
    """The writes of save_state are: both digests, the state, the new digest."""
    save_state(path, tensors(0), {"n": "0"})
    written, write = [], state.write_bytes

    def killed(target, data):
        written.append(target)
        if len(written) == killed_at:
            raise KeyboardInterrupt
        write(target, data)

    monkeypatch.setattr(state, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        save_state(path, tensors(1), {"n": "1"})
    assert load_state(path)[1] == {"n": str(survivor)}
    monkeypatch.setattr(state, "write_bytes", write)
    save_state(path, tensors(2), {"n": "2"})
    assert same(load_state(path)[0], tensors(2))
    assert len(digest_path(path).read_text().splitlines()) == 1


def test_damage_is_not_taken_for_the_old_state(path, monkeypatch):
    save_state(path, tensors(0), {})
    path.write_bytes(path.read_bytes()[:-1] + b"\x55")
    assert state.current_digests(path) == []
